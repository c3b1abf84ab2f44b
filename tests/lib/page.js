// The requests of a browser that shows pages of the shop: each page, its stylesheet, four covers.
import http from 'k6/http';

// stylesheet: returns the current path of the stylesheet. After a deploy, pages that were loaded before still request this path.
export const stylesheet = (origin) => http.get(`${origin}/`).html('link[rel=stylesheet]').attr('href');

// part: returns the path to request in this turn.
export const part = (turn, pages, sheet, covers) => {
  const parts = [pages[Math.floor(turn / 6) % pages.length], sheet, ...covers.map((book) => `/book-cover/${book}.svg`)];
  return parts[turn % parts.length];
};

// What a browser asks for when it shows pages of the shop: each page, its stylesheet, four covers.
import http from 'k6/http';

// stylesheet: its path on the front page now. Who keeps it goes on asking for it, as a page does that was read before a deploy.
export const stylesheet = (port) => http.get(`http://localhost:${port}/`).html('link[rel=stylesheet]').attr('href');

// part: what is asked for at this turn.
export const part = (turn, pages, sheet, covers) => {
  const parts = [pages[Math.floor(turn / 6) % pages.length], sheet, ...covers.map((book) => `/book-cover/${book}.svg`)];
  return parts[turn % parts.length];
};

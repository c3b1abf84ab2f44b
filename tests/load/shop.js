// A steady load on both environments until its time ends: pages with their parts, and guests who buy
// one book repeatedly. Each confirmed order is printed, so that a test can look for it in the database.
// PROD_URL is prod's address, if that is not its port on this machine.
// A failed request fails the run (thresholds). BOOKS has the book, {"prod": its key there, "dev": ...},
// at 12.50 EUR and with enough copies in stock.
import http from 'k6/http';
import exec from 'k6/execution';
import { check } from 'k6';
import { part, stylesheet } from '../lib/page.js';

const books = JSON.parse(__ENV.BOOKS);
const ports = { prod: __ENV.DELIVERY_HTTP_PORT, dev: __ENV.DELIVERY_DEV_PORT };
const origins = { prod: __ENV.PROD_URL || `http://localhost:${ports.prod}`, dev: `http://localhost:${ports.dev}` };
// Enough guests for answers that take 10 s, all from the start: while k6 creates one it drops requests.
const arrivals = (name, rate, environment) => ({
  exec: name, executor: 'constant-arrival-rate', rate, timeUnit: '1s', duration: __ENV.DURATION, gracefulStop: '40s',
  preAllocatedVUs: 10 * rate + 10, maxVUs: 10 * rate + 10, env: { ENVIRONMENT: environment },
});

export const options = {
  noConnectionReuse: __ENV.KEEP_ALIVE === 'off',
  noCookiesReset: true, // a virtual user is a returning guest
  scenarios: {
    read_prod: arrivals('read', 23, 'prod'), read_dev: arrivals('read', 23, 'dev'),
    buy_prod: arrivals('buy', 1, 'prod'), buy_dev: arrivals('buy', 1, 'dev'), // two requests each
  },
  thresholds: {
    http_req_failed: ['rate==0'],
    checks: ['rate==1'],
    dropped_iterations: ['count==0'],
    'http_reqs{scenario:buy_prod}': ['count>100'], 'http_reqs{scenario:buy_dev}': ['count>100'],
  },
  summaryTrendStats: ['med', 'p(99)', 'max'],
};

// A function, because the environment of a scenario is unknown while the script is loaded.
const origin = () => origins[__ENV.ENVIRONMENT];
const url = (path) => `${origin()}${path}`;
// With this header k6 sends a form again when the server closed the kept connection before it answered, as browsers do.
// Django requires the origin over HTTPS.
const headers = () => ({ Origin: origin(), ...(__ENV.RESEND === 'on' && { 'Idempotency-Key': 'any' }) });
const send = (path, form) => http.post(url(path), { csrfmiddlewaretoken: token, ...form }, { redirects: 0, headers: headers() });
const address = { name: 'k6', email: 'k6@example.org', street: 'Load 6', city: 'Amman', country: 'Jordan', payment: 'invoice' };
let token; // of the guest's forms

export const setup = () => ({ prod: stylesheet(origins.prod), dev: stylesheet(origins.dev) });
export const read = (sheets) => {
  const book = books[__ENV.ENVIRONMENT];
  const pages = ['/', `/book-detail/${book}/`, '/book-list', `/book-detail/${book}/`];
  const answer = http.get(url(part(exec.scenario.iterationInTest, pages, sheets[__ENV.ENVIRONMENT], [book, book, book, book])));
  if (!check(answer, { 'all of it: 200': (a) => a.status === 200 })) console.warn(`${answer.url}: ${answer.status} ${answer.error}`);
};

export const buy = () => {
  const book = books[__ENV.ENVIRONMENT];
  token ??= http.get(url(`/book-detail/${book}/`)).html('input[name=csrfmiddlewaretoken]').first().attr('value');
  const kept = send(`/cart/${book}/change`, { copies: '1' });
  check(kept, { 'the cart: kept': (a) => a.status === 302 && a.headers.Location === '/cart' });
  const key = crypto.randomUUID();
  const placed = send('/checkout', { ...address, key, total: '12.50 EUR' });
  // The answer to a placed order redirects to it; a form with errors does not.
  if (check(placed, { 'an order: placed': (a) => a.status === 302 && a.headers.Location === `/order/${key}/` })) console.log(`order ${key}`);
};

// Readers who are signed in and guests, each with a book in the cart, on both environments until the run is stopped.
// Each visit changes the cart and requests two pages of the same session at the same time. A visitor who is signed out,
// a cart that lost its book or a failed request fails the run. BOOKS has the book, {"prod": its key there, "dev": ...}.
// The readers reader-1 to reader-4 have the password in PASSWORD.
import http from 'k6/http';
import exec from 'k6/execution';
import { check, sleep } from 'k6';

const books = JSON.parse(__ENV.BOOKS);
const ports = { prod: __ENV.DELIVERY_HTTP_PORT, dev: __ENV.DELIVERY_DEV_PORT };
const visitors = (environment, reader) => ({
  exec: 'visit', executor: 'constant-vus', vus: 4, duration: __ENV.DURATION, env: { ENVIRONMENT: environment, READER: reader },
});

export const options = {
  noCookiesReset: true, // a virtual user is a returning visitor
  scenarios: {
    readers_prod: visitors('prod', 'yes'), readers_dev: visitors('dev', 'yes'),
    guests_prod: visitors('prod', ''), guests_dev: visitors('dev', ''),
  },
  thresholds: {
    http_req_failed: ['rate==0'],
    checks: ['rate==1'],
    'http_reqs{scenario:readers_prod}': ['count>100'], 'http_reqs{scenario:readers_dev}': ['count>100'],
    'http_reqs{scenario:guests_prod}': ['count>100'], 'http_reqs{scenario:guests_dev}': ['count>100'],
  },
  summaryTrendStats: ['med', 'p(99)', 'max'],
};

const url = (path) => `http://localhost:${ports[__ENV.ENVIRONMENT]}${path}`;
const tokenIn = (page) => page.html('input[name=csrfmiddlewaretoken]').first().attr('value');
// Keep-alive connections may be closed by the server; with this header k6 sends a form again, as browsers do.
const form = { redirects: 0, headers: { 'Idempotency-Key': 'any' } };
let token, name, copies = 1;

// A reader of each environment has a number of its own: the virtual users of a scenario follow one another.
const signIn = () => {
  name = `reader-${1 + (exec.vu.idInTest % 4)}`;
  const page = http.get(url('/account/login/'));
  const answer = http.post(url('/account/login/'), { csrfmiddlewaretoken: tokenIn(page), username: name, password: __ENV.PASSWORD }, form);
  check(answer, { 'signed in': (a) => a.status === 302 });
};

export const visit = () => {
  const book = books[__ENV.ENVIRONMENT];
  if (!token) {
    if (__ENV.READER) signIn();
    token = tokenIn(http.get(url(`/book-detail/${book}/`)));
  }
  copies = 1 + (copies % 9);
  const change = { csrfmiddlewaretoken: token, copies: `${copies}` };
  const [changed, account, shelf] = http.batch([
    ['POST', url(`/cart/${book}/change`), change, form],
    ['GET', url(__ENV.READER ? '/account/' : '/cart'), null, { redirects: 0 }],
    ['GET', url('/book-list'), null, { redirects: 0 }],
  ]);
  const cart = http.get(url('/cart'), { redirects: 0 });
  const fine = check(changed, { 'the cart: changed': (a) => a.status === 302 && a.headers.Location === '/cart' })
    & check(account, { 'the visitor: known': (a) => a.status === 200 && (!name || a.body.includes(`signed in as ${name}.`)) })
    & check(shelf, { 'the books: 200': (a) => a.status === 200 })
    & check(cart, { 'the cart: kept': (a) => a.status === 200 && a.body.includes(`value="${copies}"`) });
  if (!fine) console.warn(`${__ENV.ENVIRONMENT} ${name}: ${changed.status} ${account.status} ${shelf.status} ${cart.status} ${cart.error}`);
  sleep(0.5);
};

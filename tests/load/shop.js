// A steady load on both environments until its time ends: pages, and books that a signed-in person adds. Each book whose addition was confirmed is
// printed, so that the databases can be asked for it afterwards. A request that fails fails the run: the thresholds decide.
// RUN names the run, COOKIES holds the sessions, {"prod": {cookie, token}, "dev": ...}.
import http from 'k6/http';
import exec from 'k6/execution';
import { check } from 'k6';

const sessions = JSON.parse(__ENV.SESSIONS);
const ports = { prod: __ENV.HTTP_PORT, dev: __ENV.DEV_PORT };
const arrivals = (name, rate, environment) => ({
  exec: name, executor: 'constant-arrival-rate', rate, timeUnit: '1s', duration: __ENV.DURATION, gracefulStop: '40s',
  preAllocatedVUs: 75, maxVUs: 150, env: { ENVIRONMENT: environment },
});

export const options = {
  noConnectionReuse: __ENV.KEEP_ALIVE === 'off',
  scenarios: {
    read_prod: arrivals('read', 22, 'prod'), read_dev: arrivals('read', 22, 'dev'),
    add_prod: arrivals('add', 3, 'prod'), add_dev: arrivals('add', 3, 'dev'),
  },
  thresholds: {
    http_req_failed: ['rate==0'],
    checks: ['rate==1'],
    dropped_iterations: ['count==0'],
    'http_reqs{scenario:add_prod}': ['count>100'], 'http_reqs{scenario:add_dev}': ['count>100'],
  },
  summaryTrendStats: ['med', 'p(99)', 'max'],
};

const url = (path) => `http://localhost:${ports[__ENV.ENVIRONMENT]}${path}`;

export const read = () => {
  const answer = http.get(url('/book-list'));
  check(answer, { 'a page: 200': (a) => a.status === 200 });
};

export const add = () => {
  const { cookie, token } = sessions[__ENV.ENVIRONMENT];
  const title = `${__ENV.RUN} ${exec.scenario.name} ${exec.scenario.iterationInTest}`;
  const book = { csrfmiddlewaretoken: token, title, author: 'k6', publishing_year: 2026, rating: 5, reviewer: 'k6' };
  const answer = http.post(url('/admin/books/book/add/'), book, { headers: { Cookie: cookie }, redirects: 0 });
  // Django answers what it has saved by leading on to the list; a form with errors, or the login, would be no such answer.
  if (check(answer, { 'a book: saved': (a) => a.status === 302 && a.headers.Location === '/admin/books/book/' })) console.log(title);
};

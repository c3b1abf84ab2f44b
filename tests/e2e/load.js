// A steady load on both environments, 50 requests a second each, until it is stopped or its time ends.
// One request that fails fails the run: the thresholds decide (end_load in road.bash).
import http from 'k6/http';
import exec from 'k6/execution';
import { check } from 'k6';

const arrivals = (name) => ({
  exec: name, executor: 'constant-arrival-rate', rate: 50, timeUnit: '1s', duration: __ENV.DURATION, preAllocatedVUs: 20, maxVUs: 100,
});

export const options = {
  scenarios: { prod: arrivals('prod'), dev: arrivals('dev') },
  thresholds: {
    http_req_failed: ['rate==0'],
    checks: ['rate==1'],
    'http_reqs{scenario:prod}': ['count>50'],
    'http_reqs{scenario:dev}': ['count>50'],
  },
  summaryTrendStats: ['med', 'p(99)', 'max'],
};

// As browsers do: a page, its stylesheet, the covers it shows. The stylesheet stays that of the beginning, as on a page read before a deploy.
export const setup = () => {
  const stylesheet = (port) => http.get(`http://localhost:${port}/`).html('link[rel=stylesheet]').attr('href');
  return { prod: stylesheet(__ENV.HTTP_PORT), dev: stylesheet(__ENV.DEV_PORT) };
};
const pages = ['/', '/book-detail/1/', '/book-list', '/book-detail/2/'];
const ask = (port, stylesheet) => {
  const turn = exec.scenario.iterationInTest;
  const paths = [pages[Math.floor(turn / 6) % pages.length], stylesheet, ...[1, 2, 3, 4].map((book) => `/book-cover/${book}.svg`)];
  const answer = http.get(`http://localhost:${port}${paths[turn % paths.length]}`);
  check(answer, { 'answered 200': (a) => a.status === 200 });
};

export const prod = (stylesheets) => ask(__ENV.HTTP_PORT, stylesheets.prod);
export const dev = (stylesheets) => ask(__ENV.DEV_PORT, stylesheets.dev);

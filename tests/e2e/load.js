// A steady load on both environments, 50 requests a second each, until it is stopped or its time ends.
// One failed request fails the run (thresholds, end_load in e2e.bash).
import http from 'k6/http';
import exec from 'k6/execution';
import { check } from 'k6';
import { part, stylesheet } from '../lib/page.js';

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

const origin = (port) => `http://localhost:${port}`;
export const setup = () => ({ prod: stylesheet(origin(__ENV.DELIVERY_HTTP_PORT)), dev: stylesheet(origin(__ENV.DELIVERY_DEV_PORT)) });
const pages = ['/', '/book-detail/1/', '/book-list', '/book-detail/2/'];
const ask = (port, sheet) => {
  const answer = http.get(`${origin(port)}${part(exec.scenario.iterationInTest, pages, sheet, [1, 2, 3, 4])}`);
  check(answer, { 'answered 200': (a) => a.status === 200 });
};

export const prod = (sheets) => ask(__ENV.DELIVERY_HTTP_PORT, sheets.prod);
export const dev = (sheets) => ask(__ENV.DELIVERY_DEV_PORT, sheets.dev);

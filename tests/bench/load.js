// A load on one address until it is stopped or for SECONDS: RATE requests a second whatever the
// answers, or VISITORS who each send the next request as soon as the last one is answered.
import http from 'k6/http';
import exec from 'k6/execution';

const duration = `${__ENV.SECONDS || 600}s`;
const steady = {
  executor: 'constant-arrival-rate', rate: Number(__ENV.RATE), timeUnit: '1s', duration, preAllocatedVUs: 50, maxVUs: 200,
};
const full = { executor: 'constant-vus', vus: Number(__ENV.VISITORS), duration };

export const options = {
  scenarios: { load: __ENV.RATE ? steady : full },
  summaryTrendStats: ['med', 'p(99)', 'max'],
  discardResponseBodies: true,
};

const pages = __ENV.PAGES.split(' ');
export default () => { http.get(`${__ENV.URL}${pages[exec.scenario.iterationInTest % pages.length]}`); };

// Searches over HTTP by so many clients at once, for so long; each asks again as soon as it is answered.
//
// From the environment: TARGET, KEY, CLIENTS, SECONDS, REPEATED (the share of queries drawn from fifty, all others
// are asked once only), SEED, QUERIES (a file with one query a line), SUMMARY (where the figures go), WINDOWS.
// A query that is asked once is the head of one question and the tail of another: new, and of words that are there.
import { SharedArray } from 'k6/data'
import exec from 'k6/execution'
import http from 'k6/http'
import { Counter, Trend } from 'k6/metrics'

const POPULAR = 50
const { TARGET, KEY, SUMMARY } = __ENV
const SEED = Number(__ENV.SEED)
const REPEATED = Number(__ENV.REPEATED)
const SECONDS = Number(__ENV.SECONDS)
const WINDOWS = Number(__ENV.WINDOWS)

const queries = new SharedArray('queries', () => open(__ENV.QUERIES).split('\n').filter(Boolean))

function fresh(number) {
  const place = number % queries.length
  const other = (SEED + place * 7 + Math.floor(number / queries.length)) % queries.length
  const [head, tail] = [queries[place].split(' '), queries[other].split(' ')]
  return [...head.slice(0, Math.ceil(head.length / 2)), ...tail.slice(Math.floor(tail.length / 2))].join(' ')
}

// A figure for each part of the time shows how far it strays.
const took = Array.from({ length: WINDOWS }, (_, n) => new Trend(`took_${n}`, true))
const answered = Array.from({ length: WINDOWS }, (_, n) => new Counter(`answered_${n}`))

export const options = {
  scenarios: { search: { executor: 'constant-vus', vus: Number(__ENV.CLIENTS), duration: `${SECONDS}s` } },
  thresholds: { http_req_failed: ['rate==0'] },
  summaryTrendStats: ['med', 'p(95)', 'max', 'count'],
  discardResponseBodies: true,
}

const parameters = {
  headers: { 'content-type': 'application/json', ...(KEY ? { authorization: `Bearer ${KEY}` } : {}) },
}

export default function () {
  const number = exec.scenario.iterationInTest
  const query = Math.random() < REPEATED ? queries[Math.floor(Math.random() * POPULAR)] : fresh(number)
  const answer = http.post(`${TARGET}/api/v1/search`, JSON.stringify({ query, limit: 10 }), parameters)
  const window = Math.min(WINDOWS - 1, Math.floor((exec.instance.currentTestRunDuration / 1000 / SECONDS) * WINDOWS))
  took[window].add(answer.timings.duration)
  answered[window].add(1)
}

export function handleSummary(data) {
  return { [SUMMARY]: JSON.stringify(data) }
}

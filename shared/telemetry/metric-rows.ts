import { destinationTypeNames } from '../domain/destinations/destination.js';
import { deliveryErrors, type DeliveryErrorCode } from '../domain/errors.js';
import { requestErrors, type RequestErrorCode } from '../domain/request-errors.js';
import { deadReasons } from '../domain/task/attempt-record.js';
import { taskActions } from '../domain/task/state-actions.js';

/** The process that exports a metric. Numbers of the whole fleet come from the API alone: two processes must not both say them. */
export type MetricSource = 'api' | 'worker';

/** The values of a label: all of them, or a sentence on how many there may be. */
export type LabelValues = readonly string[] | { readonly bounded: string };

/** One metric, once: docs/METRICS.md is generated from these rows. */
export interface MetricRow {
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly from: readonly MetricSource[];
  /** A number of the whole fleet. Each API process exports the same one, so it must never be summed over processes. */
  readonly isOfFleet?: true;
  readonly labels: Readonly<Record<string, LabelValues>>;
  /** Upper bounds of a histogram, the smallest first. */
  readonly buckets?: readonly number[];
  /** One sentence for people. */
  readonly help: string;
}

const phases = ['delivery', 'dead'] as const;
/** What was decided when a send had ended: the kinds of an Outcome. `leave` is missing: the process ends before it is asked again. */
export const sendOutcomes = ['delivered', 'retry', 'dead_letter', 'dead_lettered', 'park', 'release', 'defer'] as const;
export const countedStates = ['waiting', 'due', 'sending', 'dead_lettered', 'parked'] as const;
export const heldReasons = ['paused', 'no_worker', 'circuit_open', 'limit', 'rate_lowered', 'destination_busy'] as const;
export const httpMethods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'other'] as const;
const bulkResults = ['started', 'skipped'] as const;

// Object.keys has no type of its own for the keys of a table.
const errorCodes = Object.keys(deliveryErrors) as DeliveryErrorCode[];
export const refusalCodes = Object.keys(requestErrors) as RequestErrorCode[];
const destinations: LabelValues = { bounded: 'hosts and clusters, such as `https://api.example.com` or `kafka://default`: the 50 with the highest values, and `other` for the rest' };

/** From one answer of a near service to the longest time limit of a send. */
const SEND_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const LATENESS_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600];
/** A delivery may have waited for its first send for a year. */
const LATENCY_BUCKETS = [0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600, 6 * 3_600, 86_400, 7 * 86_400];
const REQUEST_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];
const COMMAND_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/**
 * Every metric of ours. To add one, add a row; then the process that exports it has to set it, which a test sees. The labels of a
 * metric are closed lists, so all of its series exist, with 0, from the first scrape on: rate() does not see a series that begins with 1.
 */
export const metricRows = {
  kafka_retry_tasks_created_total: {
    kind: 'counter',
    from: ['api'],
    labels: { destination_type: destinationTypeNames },
    help: 'Runs that a submission began; a repeated submission begins none.',
  },
  kafka_retry_tasks_processed_total: {
    kind: 'counter',
    from: ['worker'],
    labels: { phase: phases, outcome: sendOutcomes },
    help: 'Attempts that ended, by what was decided: retry, dead_letter and park follow a failure, release and defer put the task back uncounted.',
  },
  kafka_retry_tasks_failed_total: {
    kind: 'counter',
    from: ['worker'],
    labels: { phase: phases, error_code: errorCodes },
    help: 'Attempts that failed, by why; docs/ERRORS.md has the codes.',
  },
  kafka_retry_tasks_dead_lettered_total: {
    kind: 'counter',
    from: ['worker'],
    labels: { dead_reason: deadReasons },
    help: 'Tasks whose dead letter has arrived, by why they could not be delivered.',
  },
  kafka_retry_processing_duration_seconds: {
    kind: 'histogram',
    from: ['worker'],
    labels: { phase: phases, destination_type: destinationTypeNames, outcome: sendOutcomes },
    buckets: SEND_BUCKETS,
    help: 'Duration of an attempt: from the start of the send to its end.',
  },
  kafka_retry_lateness_seconds: {
    kind: 'histogram',
    from: ['worker'],
    labels: {},
    buckets: LATENESS_BUCKETS,
    help: 'Start of a send minus the time at which it was due.',
  },
  kafka_retry_delivery_latency_seconds: {
    kind: 'histogram',
    from: ['worker'],
    labels: {},
    buckets: LATENCY_BUCKETS,
    help: 'From the submission of a task, or its redrive, to its arrival, the waits of its policy included.',
  },
  kafka_retry_attempts_per_delivery: {
    kind: 'histogram',
    from: ['worker'],
    labels: {},
    buckets: [1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 50, 100],
    help: 'Attempts that it took to deliver a task; dead letters do not count.',
  },
  kafka_retry_tasks_stalled_total: {
    kind: 'counter',
    from: ['api', 'worker'],
    labels: {},
    help: 'Tasks that were found in the hands of a worker that had died, and went back.',
  },
  kafka_retry_bulk_action_tasks_total: {
    kind: 'counter',
    from: ['worker'],
    labels: { action: taskActions, result: bulkResults },
    help: 'Tasks whose turn came in a bulk action: started or changed by it, or skipped because they had changed since.',
  },
  kafka_retry_worker_slots: { kind: 'gauge', from: ['worker'], labels: {}, help: 'Sends that this worker may have in flight now (WORKER_CONCURRENCY).' },
  kafka_retry_worker_slots_in_use: { kind: 'gauge', from: ['worker'], labels: {}, help: 'Slots of this worker that are in use.' },
  kafka_retry_destination_in_flight: {
    kind: 'gauge',
    from: ['worker'],
    labels: { destination: destinations },
    help: 'Sends of this worker that are in flight, by host or cluster; none without one.',
  },

  kafka_retry_tasks: { kind: 'gauge', from: ['api'], isOfFleet: true, labels: { state: countedStates }, help: 'Tasks now: waiting for their time or held, due, being sent, kept as dead letters, parked.' },
  kafka_retry_tasks_held: { kind: 'gauge', from: ['api'], isOfFleet: true, labels: { reason: heldReasons }, help: 'Waiting tasks that flow control holds back, by why; of more than 10,000 waiting lists a shard the first ones.' },
  kafka_retry_oldest_due_seconds: { kind: 'gauge', from: ['api'], isOfFleet: true, labels: {}, help: 'For how long the oldest task is due that is not being sent; 0 without one.' },
  kafka_retry_destination_circuit_open: { kind: 'gauge', from: ['api'], isOfFleet: true, labels: { destination: destinations }, help: 'Circuits that are not closed, of a host or cluster and the endpoints in it; none without one.' },
  kafka_retry_redis_used_ratio: { kind: 'gauge', from: ['api'], isOfFleet: true, labels: {}, help: 'Used share of the memory limit of the fullest Redis that answers; none without a limit.' },
  kafka_retry_redis_replicas: { kind: 'gauge', from: ['api'], isOfFleet: true, labels: {}, help: 'Replicas that are in step with their master, of the master that has fewest, of those that answer; 0 where there are none.' },
  kafka_retry_workers: { kind: 'gauge', from: ['api'], isOfFleet: true, labels: {}, help: 'Workers that have reported within the last 5 s. Left out while Redis does not tell it, or takes no reports.' },
  kafka_retry_shards_away: { kind: 'gauge', from: ['api'], isOfFleet: true, labels: {}, help: 'Shards that did not answer; their tasks are missing in the other numbers.' },

  kafka_retry_http_request_duration_seconds: {
    kind: 'histogram',
    from: ['api'],
    labels: {
      method: httpMethods,
      route: { bounded: 'the paths of the route table as docs/API.md writes them, and `other`' },
      status: { bounded: 'the HTTP statuses that were answered; `none`: the client went away before' },
    },
    buckets: REQUEST_BUCKETS,
    help: 'From the headers of a request to the last byte of its answer. A series begins with the first such answer.',
  },
  kafka_retry_requests_refused_total: {
    kind: 'counter',
    from: ['api', 'worker'],
    labels: { code: refusalCodes },
    help: 'Requests that were refused, by the code of the answer; docs/ERRORS.md has the codes. Of a worker: those to WORKER_HTTP_PORT.',
  },
  kafka_retry_redis_command_duration_seconds: {
    kind: 'histogram',
    from: ['api', 'worker'],
    labels: {},
    buckets: COMMAND_BUCKETS,
    help: 'Time to the answer of Redis, of every sixteenth command or script that this process sends over its main connection; those that wait inside Redis are left out.',
  },
  kafka_retry_build_info: {
    kind: 'gauge',
    from: ['api', 'worker'],
    labels: { version: { bounded: 'one' }, revision: { bounded: 'one: what the image was built with, else `unknown`' }, node: { bounded: 'one' } },
    help: 'Always 1; its labels say what runs.',
  },
} as const satisfies Record<string, MetricRow>;

type Rows = typeof metricRows;
export type MetricName = keyof Rows;
export type NameOf<K extends MetricRow['kind']> = { [N in MetricName]: Rows[N]['kind'] extends K ? N : never }[MetricName];
/** The labels of a metric, with the values that are allowed. */
export type LabelsOf<N extends MetricName> = { readonly [L in keyof Rows[N]['labels']]: Rows[N]['labels'][L] extends readonly (infer V)[] ? V : string };

/** A look-up with the row type widened, for code that reads the columns. */
export function metricRow(name: MetricName): MetricRow {
  return metricRows[name];
}

/** The metrics that a process exports. */
export function metricsOf(source: MetricSource): MetricName[] {
  // Object.keys has no type of its own for the keys of a table.
  return (Object.keys(metricRows) as MetricName[]).filter((name) => metricRow(name).from.includes(source));
}

import { destinationTypeNames, type DestinationType } from '../../shared/domain/destinations/destination.js';
import { deliveryErrors, type DeliveryErrorCode } from '../../shared/domain/errors.js';
import { deadReasons, type LogEntry, type Phase } from '../../shared/domain/task/attempt-record.js';
import { taskActions, type TaskAction } from '../../shared/domain/task/state-actions.js';
import { sendOutcomes } from '../../shared/telemetry/metric-rows.js';
import type { Metrics } from '../../shared/telemetry/metrics.js';
import type { Counted, Distribution } from '../../shared/telemetry/series.js';
import { topDestinations } from '../../shared/telemetry/top-destinations.js';
import type { Delivery } from '../delivery/deliver-task.js';
import type { DeliveryMeter } from '../delivery/delivery-worker.js';

type SendOutcome = (typeof sendOutcomes)[number];
type ByPhase<T> = Readonly<Record<Phase, T>>;

/** What a scrape asks the worker for. */
export interface WorkerGauges {
  readonly slots: () => number;
  readonly slotsInUse: () => number;
  /** Sends in flight by host or cluster. */
  readonly inFlight: () => ReadonlyMap<string, number>;
}

/** Counts what this worker does. All series are made at the start, so that an attempt only adds numbers. */
export class WorkerMetrics implements DeliveryMeter {
  readonly #processed: ByPhase<Readonly<Record<SendOutcome, Counted>>>;
  readonly #failed: ByPhase<Readonly<Record<DeliveryErrorCode, Counted>>>;
  readonly #durations: ByPhase<Readonly<Record<DestinationType, Readonly<Record<SendOutcome, Distribution>>>>>;
  readonly #deadLettered;
  readonly #lateness: Distribution;
  readonly #latency: Distribution;
  readonly #attempts: Distribution;
  readonly #stalled: Counted;
  readonly #bulk;

  constructor(private readonly metrics: Metrics) {
    this.#processed = ofPhases((phase) => tableOf(sendOutcomes, (outcome) => metrics.counter('kafka_retry_tasks_processed_total', { phase, outcome })));
    this.#failed = ofPhases((phase) => tableOf(codes, (code) => metrics.counter('kafka_retry_tasks_failed_total', { phase, error_code: code })));
    this.#durations = ofPhases((phase) => tableOf(destinationTypeNames, (type) => tableOf(sendOutcomes, (outcome) => metrics.histogram('kafka_retry_processing_duration_seconds', { phase, destination_type: type, outcome }))));
    this.#deadLettered = tableOf(deadReasons, (reason) => metrics.counter('kafka_retry_tasks_dead_lettered_total', { dead_reason: reason }));
    this.#lateness = metrics.histogram('kafka_retry_lateness_seconds', {});
    this.#latency = metrics.histogram('kafka_retry_delivery_latency_seconds', {});
    this.#attempts = metrics.histogram('kafka_retry_attempts_per_delivery', {});
    this.#stalled = metrics.counter('kafka_retry_tasks_stalled_total', {});
    this.#bulk = tableOf(taskActions, (action) => ({
      started: metrics.counter('kafka_retry_bulk_action_tasks_total', { action, result: 'started' }),
      skipped: metrics.counter('kafka_retry_bulk_action_tasks_total', { action, result: 'skipped' }),
    }));
  }

  /**
   * Counts an attempt that ended. As in count-delivery.ts, one whose worker dies before its outcome is recorded is made again, and counts
   * again.
   * @param log       as it was before the attempt
   * @param createdAt when the task was submitted, ms since the epoch
   */
  ended({ outcome, result, task, progress, startedAt, durationMs, dueAt }: Delivery, log: readonly LogEntry[], createdAt: number): void {
    if (result === undefined || outcome.kind === 'leave' || task === undefined || progress === undefined) return;
    const { phase, attempt } = progress;
    const { kind } = outcome;
    this.#processed[phase][kind].value += 1;
    const { type } = phase === 'delivery' ? task.destination : (task.deadDestination ?? task.destination);
    this.#durations[phase][type][kind].observe(durationMs / 1_000);
    if (dueAt !== undefined) this.#lateness.observe(Math.max(0, startedAt - dueAt) / 1_000);
    if (result.kind === 'failed') {
      this.#failed[phase][result.code].value += 1;
    } else if (kind === 'dead_lettered') {
      this.#deadLettered[outcome.reason].value += 1;
    } else {
      this.#latency.observe(Math.max(0, startedAt + durationMs - runBegan(log, createdAt)) / 1_000);
      this.#attempts.observe(attempt + 1);
    }
  }

  stalled(tasks: number): void {
    this.#stalled.value += tasks;
  }

  /** @param through tasks whose turn it was, those that were started included */
  bulkStep(action: TaskAction, started: number, through: number): void {
    this.#bulk[action].started.value += started;
    this.#bulk[action].skipped.value += through - started;
  }

  /** From now on each scrape asks for these. */
  show({ slots, slotsInUse, inFlight }: WorkerGauges): void {
    const { metrics } = this;
    metrics.onScrape(() => {
      metrics.setGauge('kafka_retry_worker_slots', [[{}, slots()]]);
      metrics.setGauge('kafka_retry_worker_slots_in_use', [[{}, slotsInUse()]]);
      metrics.setGauge('kafka_retry_destination_in_flight', topDestinations(inFlight()).map(([destination, sends]) => [{ destination }, sends]));
    });
  }
}

// Object.keys has no type of its own for the keys of a table.
const codes = Object.keys(deliveryErrors) as DeliveryErrorCode[];

/** When the run began that the attempt belongs to, ms since the epoch. */
function runBegan(log: readonly LogEntry[], createdAt: number): number {
  // Nearly every task has an empty log.
  return log.length === 0 ? createdAt : (log.findLast((entry) => entry.kind === 'redrive')?.at ?? createdAt);
}

function ofPhases<T>(make: (phase: Phase) => T): ByPhase<T> {
  return { delivery: make('delivery'), dead: make('dead') };
}

function tableOf<K extends string, T>(keys: readonly K[], make: (key: K) => T): Readonly<Record<K, T>> {
  // Every key of the list is in it, and fromEntries has no type for that.
  return Object.fromEntries(keys.map((key) => [key, make(key)])) as Record<K, T>;
}

import { flowOfId } from '../../shared/domain/destinations/flow.js';
import { stateOfCircuit, type CircuitRules } from '../../shared/domain/flow/circuit.js';
import { withinLimit } from '../../shared/lifecycle/time-limit.js';
import type { FlowSnapshot } from '../../shared/queue/flow/flow-store.js';
import type { PlainFleetCounts } from '../../shared/queue/tasks/task-counts.js';
import type { TaskQueue } from '../../shared/queue/tasks/task-queue.js';
import { heldReasons } from '../../shared/telemetry/metric-rows.js';
import type { Metrics } from '../../shared/telemetry/metrics.js';
import { topDestinations } from '../../shared/telemetry/top-destinations.js';
import type { FleetSettings } from '../flow/fleet-settings.js';
import { heldByCode } from '../stats/held-codes.js';

/** However many scrapers ask, Redis is asked once in this time, ms. */
const GOOD_FOR_MS = 1_000;
/** A scrape is answered within a second, whatever Redis does. */
const LIMIT_MS = 900;
/** A shard that is frozen must not take the counts of the others along. */
const COUNTS_LIMIT_MS = 700;

export interface FleetGaugesOptions {
  readonly metrics: Metrics;
  readonly queue: Pick<TaskQueue, 'plainCounts' | 'fleet'>;
  readonly fleetSettings: Pick<FleetSettings, 'view'>;
  /** undefined: Redis has no limit, or has not told. */
  readonly usedRatio: () => number | undefined;
  /** Replicas of the master that has fewest. Fails when none tells. */
  readonly countReplicas: () => Promise<number>;
}

/**
 * The numbers of the whole fleet, read from Redis when a scrape comes. What Redis does not tell has no series in that scrape: an old
 * number, or a 0, would be taken for the truth.
 */
export class FleetGauges {
  #reading: Promise<void> | undefined;
  #readAt = 0;

  constructor(private readonly options: FleetGaugesOptions) {}

  /** Sets the gauges; they are at most a second old. It never fails. */
  readonly read = (): Promise<void> => {
    const now = performance.now();
    if (this.#reading === undefined || now - this.#readAt >= GOOD_FOR_MS) {
      this.#readAt = now;
      this.#reading = this.#read();
    }
    return this.#reading;
  };

  async #read(): Promise<void> {
    const { metrics, queue, fleetSettings, countReplicas } = this.options;
    const [counted, snapshot, fleet, replicas] = await Promise.all([
      orNothing(queue.plainCounts(COUNTS_LIMIT_MS)),
      orNothing(queue.fleet.withFlow((store) => store.snapshotOfAll())),
      orNothing(fleetSettings.view()),
      orNothing(countReplicas()),
    ]);
    metrics.setGauge('kafka_retry_redis_replicas', replicas === undefined ? [] : [[{}, replicas]]);
    this.#setCounts(counted);
    this.#setFlow(counted, snapshot, fleet?.circuit);
  }

  #setCounts(counted: PlainFleetCounts | undefined): void {
    const { metrics, usedRatio } = this.options;
    // While Redis is away, the last look at its memory says nothing of now.
    const ratio = counted === undefined ? undefined : usedRatio();
    metrics.setGauge('kafka_retry_redis_used_ratio', ratio === undefined ? [] : [[{}, ratio]]);
    metrics.setGauge('kafka_retry_shards_away', counted === undefined ? [] : [[{}, counted.shardsAway.length]]);
    if (counted === undefined) {
      metrics.setGauge('kafka_retry_tasks', []);
      metrics.setGauge('kafka_retry_oldest_due_seconds', []);
      return;
    }
    const { waiting, due, sending, deadLettered, parked, oldestDueMs = 0 } = counted.counts;
    metrics.setGauge('kafka_retry_tasks', [
      [{ state: 'waiting' }, waiting],
      [{ state: 'due' }, due],
      [{ state: 'sending' }, sending],
      [{ state: 'dead_lettered' }, deadLettered],
      [{ state: 'parked' }, parked],
    ]);
    metrics.setGauge('kafka_retry_oldest_due_seconds', [[{}, oldestDueMs / 1_000]]);
  }

  #setFlow(counted: PlainFleetCounts | undefined, snapshot: FlowSnapshot | undefined, rules: CircuitRules | undefined): void {
    const { metrics } = this.options;
    metrics.setGauge('kafka_retry_workers', snapshot?.workers === undefined ? [] : [[{}, snapshot.workers]]);
    if (snapshot === undefined || rules === undefined) {
      metrics.setGauge('kafka_retry_destination_circuit_open', []);
      metrics.setGauge('kafka_retry_tasks_held', []);
      return;
    }
    metrics.setGauge('kafka_retry_destination_circuit_open', topDestinations(openCircuits(snapshot, rules)).map(([destination, open]) => [{ destination }, open]));
    const held = counted === undefined ? undefined : heldByCode(counted.counts.held, snapshot, rules);
    metrics.setGauge('kafka_retry_tasks_held', held === undefined ? [] : heldReasons.map((reason) => [{ reason }, held[reason]]));
  }
}

/** How many circuits are not closed, by host or cluster. */
function openCircuits({ circuits, now }: FlowSnapshot, rules: CircuitRules): Map<string, number> {
  const open = new Map<string, number>();
  for (const [id, circuit] of circuits) {
    if (stateOfCircuit(circuit, now, rules) === 'closed') continue;
    const { host } = flowOfId(id);
    open.set(host, (open.get(host) ?? 0) + 1);
  }
  return open;
}

async function orNothing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await withinLimit(work, LIMIT_MS, () => new Error(`no answer within ${LIMIT_MS} ms`));
  } catch {
    // The scrape shows that it is missing. The reason is in the log already: see redis-watch.ts and refusal-log.ts.
    return undefined;
  }
}

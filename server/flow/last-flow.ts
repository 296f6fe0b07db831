import type { FlowSnapshot, FlowStore, WorkerReport } from '../../shared/queue/flow/flow-store.js';
import type { FleetStores } from '../../shared/queue/tasks/fleet-stores.js';
import { orSayMissing } from './or-away.js';

const LOOK_EVERY_MS = 5_000;
/** After a look that failed, so that a process that starts knows soon. */
const LOOK_AGAIN_MS = 500;

/** What stood in Redis when it was read last. */
export interface KnownFlow {
  readonly snapshot: FlowSnapshot;
  readonly reports: readonly WorkerReport[];
}

/** What an answer shows, and since when that is known: ms since the epoch by Redis' clock; undefined: it is of now. */
export interface Shown<T> {
  readonly value: T;
  readonly knownAt: number | undefined;
}

/**
 * Limits, pauses, circuits and the reports of workers, as they are or as they were read last. On a cluster they stand in one slot, whose node
 * may be away alone. Nobody can change limits and pauses then, so the last ones still hold, unless a pause has ended by itself, or another
 * API has changed something between the last look and the outage.
 */
export class LastFlow {
  #last: (KnownFlow & { readonly askedAt: number; readonly readAt: number }) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  /** @param onReports is told of each reading of the reports, which may fail */
  constructor(
    private readonly fleet: Pick<FleetStores, 'withFlow' | 'flowIfThere'>,
    private readonly onReports: (reports: Promise<readonly WorkerReport[]>) => void,
  ) {}

  /** Starts to look at regular times. */
  start(): void {
    if (!this.#isStopped && this.#timer === undefined) this.#lookIn(0);
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  #lookIn(ms: number): void {
    if (this.#isStopped) return;
    // What failed is in the log already: see redis-watch.ts and refusal-log.ts.
    this.#timer = setTimeout(() => void this.look().then(() => this.#lookIn(LOOK_EVERY_MS), () => this.#lookIn(LOOK_AGAIN_MS)), ms);
  }

  /** One more look at once: after a change, so that an outage right after it does not hide it. @throws RequestError when Redis does not answer */
  async look(): Promise<void> {
    const askedAt = performance.now();
    const reading = this.fleet.withFlow((store) => store.reports());
    this.onReports(reading);
    const [snapshot, reports] = await Promise.all([this.fleet.withFlow((store) => store.snapshotOfAll()), reading]);
    // Two looks may overlap, and that before a change end last.
    if (askedAt >= (this.#last?.askedAt ?? 0)) this.#last = { snapshot, reports, askedAt, readAt: performance.now() };
  }

  /**
   * @param work   asks Redis
   * @param ofLast takes the same of what was read last
   * @throws RequestError redis_unavailable, redis_refused when nothing was read before; it says what is missing, since Redis' other parts may answer
   */
  async read<T>(work: (store: FlowStore) => Promise<T>, ofLast: (last: KnownFlow) => T): Promise<Shown<T>> {
    if (this.#last !== undefined) {
      const value = await this.fleet.flowIfThere(work);
      const known = value === undefined ? this.asOfLast(ofLast) : { value, knownAt: undefined };
      if (known !== undefined) return known;
    }
    return { value: await orSayMissing('limits, pauses, circuits and reports of workers', this.fleet.withFlow(work)), knownAt: undefined };
  }

  /** Without asking: undefined when nothing was read. */
  asOfLast<T>(ofLast: (last: KnownFlow) => T): Shown<T> | undefined {
    if (this.#last === undefined) return undefined;
    const { snapshot, reports, readAt } = this.#last;
    return { value: ofLast({ snapshot: laterBy(snapshot, performance.now() - readAt), reports }), knownAt: snapshot.now };
  }
}

/** The snapshot so many milliseconds later, as long as nothing was changed: pauses end by themselves. */
export function laterBy(snapshot: FlowSnapshot, ms: number): FlowSnapshot {
  const now = Math.round(snapshot.now + ms);
  const policies = [...snapshot.policies].map(([name, policy]) => [name, (policy.pause?.until ?? Infinity) <= now ? { ...policy, isPaused: false } : policy] as const);
  return { ...snapshot, policies: new Map(policies), now };
}

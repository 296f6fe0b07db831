import type { Flow } from '../../shared/domain/destinations/flow.js';
import { AlignedInterval } from '../../shared/lifecycle/aligned-timer.js';
import { keyIdOfCircuit } from '../../shared/domain/flow/circuit-names.js';
import { namesOver } from '../../shared/domain/flow/flow-policy.js';
import type { ControlChange } from '../../shared/queue/flow/flow-store.js';
import type { CircuitBreaker } from './circuit-breaker.js';
import type { Controls } from './controls.js';
import type { LoweredRates } from './lowered-rates.js';
import type { MisplacedTasks } from './misplaced-tasks.js';
import type { Slots } from './slots.js';
import type { WakeUps } from './wake-ups.js';

/** How often this process looks at what others did: limits, circuits, waiting lists that another process filled. */
const TICK_MS = 200;
const TICKS_PER_REPORT = 5;

export interface TickerParts {
  readonly controls: Controls;
  readonly breaker: CircuitBreaker;
  readonly rates: LoweredRates;
  readonly slots: Slots;
  readonly wakeUps: WakeUps;
  readonly misplaced: MisplacedTasks;
  /** Tells the fleet what this worker sees, and that it is there. Fails when Redis does. */
  readonly report: () => Promise<void>;
}

/** Five times a second: takes over what others changed, forgets what is old, wakes tasks; once a second: reports. */
export class Ticker {
  #timer: AlignedInterval | undefined;
  #ticks = 0;
  #isStopped = false;
  readonly #busy = new Set<string>();

  constructor(private readonly parts: TickerParts) {}

  /** Resolves when limits and circuits are known: before that nothing may be sent. @throws when Redis fails */
  async start(): Promise<void> {
    await this.parts.controls.refresh();
    // A full Redis refuses the report. The worker starts all the same, and the ticks report again.
    await this.parts.report().catch(() => undefined);
    if (!this.#isStopped) this.#timer = new AlignedInterval(TICK_MS, () => this.#tick());
  }

  /** A tick that is under way ends by itself; none comes after it. */
  stop(): void {
    this.#isStopped = true;
    this.#timer?.stop();
  }

  /**
   * Each part goes on by itself: in a Cluster one part of Redis may be away, and a report that does not come makes others take this
   * worker for a dead one. A part that is still busy with its last tick is left out.
   */
  #tick(): void {
    const { controls, breaker, rates, wakeUps, misplaced, report } = this.parts;
    this.#run('controls', async () => this.#heed(await controls.refresh()));
    rates.recover();
    breaker.forgetOld();
    // It asks no shard that has not answered it yet.
    void wakeUps.tick();
    this.#ticks += 1;
    if (this.#ticks % TICKS_PER_REPORT === 0) this.#run('report', report);
    this.#run('misplaced', () => misplaced.tick());
  }

  #run(part: string, work: () => Promise<void>): void {
    if (this.#busy.has(part)) return;
    this.#busy.add(part);
    // Redis is away: redis-watch.ts logs that, and the next tick tries again.
    void work().catch(() => undefined).finally(() => this.#busy.delete(part));
  }

  /**
   * Sends to a destination that was paused or whose circuit was open begin slowly again, in every process. They begin at once: its
   * tasks may stand behind those of thousands of other flows.
   */
  #heed(changes: readonly ControlChange[]): void {
    const { breaker, slots, wakeUps } = this.parts;
    const names = new Set<string>();
    const ids = new Set<string>();
    for (const change of changes) {
      if (change.kind === 'policy' && change.policy?.isPaused !== true) names.add(change.name);
      if (change.kind === 'circuit' && change.circuit === undefined) {
        breaker.restart(change.name);
        ids.add(keyIdOfCircuit(change.name));
      }
    }
    if (names.size === 0 && ids.size === 0) return;
    const hasPolicyChanged = (flow: Flow): boolean => namesOver(flow).some((name) => names.has(name));
    const freed = wakeUps.flowsWhere((flow) => ids.has(flow.keyId) || ids.has(flow.hostId) || hasPolicyChanged(flow));
    for (const flow of freed) if (hasPolicyChanged(flow)) slots.restart(names.has(flow.host) ? flow.hostId : flow.keyId);
    wakeUps.wakeFirst(freed);
  }
}

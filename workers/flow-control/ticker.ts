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
  #timer: NodeJS.Timeout | undefined;
  #ticks = 0;
  #isStopped = false;

  constructor(private readonly parts: TickerParts) {}

  /** Resolves when limits and circuits are known: before that nothing may be sent. @throws when Redis fails */
  async start(): Promise<void> {
    await this.parts.controls.refresh();
    // A full Redis refuses the report. The worker starts all the same, and the ticks report again.
    await this.parts.report().catch(() => undefined);
    this.#schedule();
  }

  /** A tick that is under way ends by itself; none comes after it. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  /** The next tick is scheduled when the last one is over, so two never run at once. */
  #schedule(): void {
    if (!this.#isStopped) this.#timer = setTimeout(() => void this.#tick(), TICK_MS);
  }

  async #tick(): Promise<void> {
    const { controls, breaker, rates, wakeUps, misplaced, report } = this.parts;
    try {
      for (const change of await controls.refresh()) this.#heed(change);
      rates.recover();
      breaker.forgetOld();
      await wakeUps.tick();
      this.#ticks += 1;
      if (this.#ticks % TICKS_PER_REPORT === 0) await report();
      await misplaced.tick();
    } catch {
      // Redis is away. redis-watch.ts logs that, and the next tick tries again.
    }
    this.#schedule();
  }

  /** Sends to a destination that was paused or whose circuit was open begin slowly again, in every process. */
  #heed(change: ControlChange): void {
    const { breaker, slots, wakeUps } = this.parts;
    if (change.kind === 'circuit' && change.circuit === undefined) breaker.restart(change.name);
    if (change.kind === 'policy' && change.policy?.isPaused !== true) {
      for (const { id, host, hostId } of wakeUps.flowsNamed(change.name)) slots.restart(host === change.name ? hostId : id);
    }
  }
}

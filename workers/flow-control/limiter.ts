import type { FlowPolicy } from '../../shared/domain/flow/flow-policy.js';
import type { FlowStore } from '../../shared/queue/flow/flow-store.js';

/** Longest wait in a slot for a permission, milliseconds: as long as the bulkhead holds. */
const HOLD_MS = 250;
/** While no place is free: how soon to look whether another process gave one back, milliseconds. */
const ASK_AGAIN_MS = 25;
const ASKED_AT_ONCE = 100;

interface Waiting {
  readonly jobId: string;
  readonly decide: (mayStart: boolean) => void;
  readonly until: number;
}

/** Those that wait for one limited destination. */
interface Line {
  policy: FlowPolicy;
  readonly waiting: Waiting[];
  claimants: number;
  isAsking: boolean;
  timer: NodeJS.Timeout | undefined;
}

/**
 * Permissions of destinations for which an operator set a limit; only they cost a call of Redis. One call asks for all
 * that wait, and a send starts at once when it is permitted: a permission for later would bunch up behind a late timer
 * and break the rate.
 */
export class Limiter {
  readonly #lines = new Map<string, Line>();
  /** Jobs of this process that hold a place. */
  readonly #placed = new Set<string>();

  constructor(
    private readonly store: FlowStore,
    private readonly worker: string,
    /** A place that is not given back lapses after this: longer than any send takes. */
    private readonly leaseMs: number,
    private readonly now: () => number,
  ) {}

  /** @returns false: not now, the task has to be put back */
  enter(name: string, policy: FlowPolicy, jobId: string): Promise<boolean> {
    const line = this.#line(name, policy);
    if (line.waiting.length >= mostWaiting(policy, line.claimants)) return Promise.resolve(false);
    return new Promise((decide) => {
      line.waiting.push({ jobId, decide, until: this.now() + HOLD_MS });
      if (line.timer === undefined) void this.#ask(name, line);
    });
  }

  /** The send is over. */
  leave(name: string, jobId: string): void {
    if (!this.#placed.delete(jobId)) return;
    this.store.release(name, jobId).then(
      () => {
        const line = this.#lines.get(name);
        if (line !== undefined) void this.#ask(name, line);
      },
      () => undefined, // it lapses
    );
  }

  /** Its worker died, with a place perhaps: whoever waits for its turn again must not keep one. Never fails. */
  recovered(name: string, jobId: string): void {
    this.store.release(name, jobId).catch(() => undefined); // it lapses
  }

  /** How many may start soon, by this process' share of the limit. */
  async room(name: string, policy: FlowPolicy): Promise<number> {
    const room = await this.store.room(name, policy, this.worker, HOLD_MS);
    return room - (this.#lines.get(name)?.waiting.length ?? 0);
  }

  /** All that wait are to be put back. */
  releaseHeld(): void {
    for (const line of this.#lines.values()) {
      clearTimeout(line.timer);
      for (const { decide } of line.waiting.splice(0)) decide(false);
    }
  }

  async #ask(name: string, line: Line): Promise<void> {
    if (line.isAsking) return;
    line.isAsking = true;
    clearTimeout(line.timer);
    line.timer = undefined;
    let askAgainMs = ASK_AGAIN_MS;
    try {
      const asking = line.waiting.slice(0, ASKED_AT_ONCE);
      if (asking.length > 0) {
        const { policy } = line;
        const { granted, waitMs, claimants } = await this.store.acquire(name, policy, this.worker, this.leaseMs, asking.map(({ jobId }) => jobId));
        line.claimants = claimants;
        const stillHere = new Set(line.waiting);
        const served = new Set(asking.slice(0, granted));
        for (const one of served) {
          // By the policy that was asked with: it may have changed since the task came.
          if (policy.maxConcurrency !== undefined) this.#placed.add(one.jobId);
          if (stillHere.has(one)) one.decide(true);
          else this.leave(name, one.jobId); // released meanwhile
        }
        line.waiting.splice(0, line.waiting.length, ...line.waiting.filter((one) => !served.has(one)));
        if (waitMs !== undefined) askAgainMs = waitMs;
      }
    } catch {
      // Redis is away or full: nothing may start that nobody can count. Whoever owns the connection says so.
    }
    line.isAsking = false;
    this.#sendAwayLate(line);
    if (line.waiting.length === 0) this.#lines.delete(name);
    else line.timer = setTimeout(() => void this.#ask(name, line), Math.max(1, askAgainMs));
  }

  #sendAwayLate(line: Line): void {
    const now = this.now();
    while (line.waiting[0] !== undefined && line.waiting[0].until <= now) line.waiting.shift()?.decide(false);
  }

  #line(name: string, policy: FlowPolicy): Line {
    const known = this.#lines.get(name);
    if (known !== undefined) {
      known.policy = policy;
      return known;
    }
    const made: Line = { policy, waiting: [], claimants: 1, isAsking: false, timer: undefined };
    this.#lines.set(name, made);
    return made;
  }
}

/** More than can start within the hold would only take slots from others. */
function mostWaiting({ ratePerSecond, maxConcurrency, burst = 1 }: FlowPolicy, claimants: number): number {
  const byRate = ratePerSecond === undefined ? Infinity : burst + (ratePerSecond * HOLD_MS) / 1_000;
  return Math.ceil(Math.min(byRate, maxConcurrency ?? Infinity) / claimants);
}

import type { FlowPolicy } from '../../shared/domain/flow/flow-policy.js';
import type { FlowStore } from '../../shared/queue/flow/flow-store.js';

/** Longest wait for a permission, ms. The send keeps its slot meanwhile. */
const HOLD_MS = 250;
/** While no place is free: how soon to look whether another process gave one back, ms. */
const ASK_AGAIN_MS = 25;
const ASKED_AT_ONCE = 100;

interface Applicant {
  readonly jobId: string;
  readonly decide: (mayStart: boolean) => void;
  readonly until: number;
}

/** The sends of this process that wait for a permission of one limited destination. */
interface Applications {
  policy: FlowPolicy;
  readonly waiting: Applicant[];
  claimants: number;
  isAsking: boolean;
  /** The next time to ask, or to forget all this. */
  timer: NodeJS.Timeout | undefined;
  /** By the rate no send can start before this time. What cannot wait so long is refused at once: it would only take a slot. */
  noneBefore: number;
}

/**
 * Asks Redis for permission to send to destinations that an operator limited; sends to others cost no call. One call asks for
 * all sends that wait. A permission always means "start now". Redis never grants one for a later moment: when a timer is late,
 * several of those would be due together, and more would be sent at once than the rate allows.
 */
export class Limiter {
  readonly #byName = new Map<string, Applications>();
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
    const applications = this.#applicationsFor(name, policy);
    const until = this.now() + HOLD_MS;
    if (until < applications.noneBefore || applications.waiting.length >= mostWaiting(policy, applications.claimants)) return Promise.resolve(false);
    return new Promise((decide) => {
      applications.waiting.push({ jobId, decide, until });
      if (applications.timer === undefined) void this.#ask(name, applications);
    });
  }

  /** The send is over. */
  leave(name: string, jobId: string): void {
    if (!this.#placed.delete(jobId)) return;
    this.store.release(name, jobId).then(
      () => {
        const applications = this.#byName.get(name);
        if (applications !== undefined) void this.#ask(name, applications);
      },
      () => undefined, // it lapses
    );
  }

  /**
   * The job's worker died, and perhaps the job still holds a place. That place is given back now, because the job may be put
   * back for long before it asks again. It never fails.
   */
  recovered(name: string, jobId: string): void {
    this.store.release(name, jobId).catch(() => undefined); // it lapses
  }

  /** How many more sends of this process may start within HOLD_MS, by its share of the limit. */
  async room(name: string, policy: FlowPolicy): Promise<number> {
    const room = await this.store.room(name, policy, this.worker, HOLD_MS);
    return room - (this.#byName.get(name)?.waiting.length ?? 0);
  }

  /** Refuses all that wait: they are put back. */
  releaseHeld(): void {
    for (const applications of this.#byName.values()) {
      clearTimeout(applications.timer);
      applications.timer = undefined;
      for (const { decide } of applications.waiting.splice(0)) decide(false);
    }
  }

  async #ask(name: string, applications: Applications): Promise<void> {
    if (applications.isAsking) return;
    applications.isAsking = true;
    clearTimeout(applications.timer);
    applications.timer = undefined;
    let askAgainMs = ASK_AGAIN_MS;
    try {
      const asking = applications.waiting.slice(0, ASKED_AT_ONCE);
      if (asking.length > 0) {
        const { policy } = applications;
        const { granted, waitMs, claimants } = await this.store.acquire(name, policy, this.worker, this.leaseMs, asking.map(({ jobId }) => jobId));
        applications.claimants = claimants;
        const stillHere = new Set(applications.waiting);
        const served = new Set(asking.slice(0, granted));
        for (const one of served) {
          // The policy may have changed since the task came. What counts is the one that Redis was asked with.
          if (policy.maxConcurrency !== undefined) this.#placed.add(one.jobId);
          if (stillHere.has(one)) one.decide(true);
          else this.leave(name, one.jobId); // released meanwhile
        }
        applications.waiting.splice(0, applications.waiting.length, ...applications.waiting.filter((one) => !served.has(one)));
        if (waitMs !== undefined) askAgainMs = waitMs;
        // An operator may have set another rate meanwhile.
        if (haveSameLimits(policy, applications.policy)) applications.noneBefore = this.now() + (waitMs ?? 0);
        else askAgainMs = 0;
      }
    } catch {
      // Redis is away or full. A send that cannot be counted may not start; redis-watch.ts logs the trouble.
    }
    applications.isAsking = false;
    this.#refuseLate(applications);
    const pauseMs = applications.waiting.length > 0 ? askAgainMs : applications.noneBefore - this.now();
    if (applications.waiting.length === 0 && pauseMs <= 0) this.#byName.delete(name);
    else applications.timer = setTimeout(() => void this.#ask(name, applications), Math.max(1, pauseMs));
    // A process that ends does not wait only to forget a rate, which may be of one send in minutes.
    if (applications.waiting.length === 0) applications.timer?.unref();
  }

  /** They stand in the order in which they came. */
  #refuseLate({ waiting, noneBefore }: Applications): void {
    const from = Math.max(this.now(), noneBefore);
    while (waiting[0] !== undefined && waiting[0].until <= from) waiting.shift()?.decide(false);
  }

  #applicationsFor(name: string, policy: FlowPolicy): Applications {
    const known = this.#byName.get(name);
    if (known !== undefined) {
      const hasChanged = !haveSameLimits(known.policy, policy);
      known.policy = policy;
      if (!hasChanged) return known;
      known.noneBefore = 0;
      clearTimeout(known.timer);
      known.timer = undefined;
      // At once: what waits may be more than the new limit lets wait, so that the caller does not ask.
      if (known.waiting.length > 0) void this.#ask(name, known);
      return known;
    }
    const made: Applications = { policy, waiting: [], claimants: 1, isAsking: false, timer: undefined, noneBefore: 0 };
    this.#byName.set(name, made);
    return made;
  }
}

function haveSameLimits(a: FlowPolicy, b: FlowPolicy): boolean {
  return a === b || (a.ratePerSecond === b.ratePerSecond && a.maxConcurrency === b.maxConcurrency && a.burst === b.burst);
}

/**
 * How many sends of one process may wait: by a rate, those that can start within HOLD_MS, and never more than may be in flight
 * at once. More would only take slots from other destinations.
 */
function mostWaiting({ ratePerSecond, maxConcurrency, burst = 1 }: FlowPolicy, claimants: number): number {
  const byRate = ratePerSecond === undefined ? Infinity : burst + (ratePerSecond * HOLD_MS) / 1_000;
  return Math.ceil(Math.min(byRate, maxConcurrency ?? Infinity) / claimants);
}

import { withinLimit } from '../../lifecycle/time-limit.js';

/** How often a shard is asked whether it answers, ms. */
const ASK_EVERY_MS = 250;
/**
 * An answer that takes longer than this is late, ms. It is just less than a command's own limit (redis-connection.ts): what a request
 * would still get in time must not be refused.
 */
const LATE_AFTER_MS = 780;
/** After so many late answers in a row a part is refused. One alone is a pause, such as a fork or a long script, and ends by itself. */
const LATE_UNTIL_REFUSED = 2;
/** An answer that shows what there is waits so long for a shard that owes one, ms: from when the shard was asked, so only once for all that it asks of it. */
const PATIENCE_MS = 200;
/** How long a part is asked that an answer can do without, ms. */
const OR_NOTHING_MS = 300;

/** A part of Redis that may be away alone. */
export interface Part {
  /** Such as `deliver-3`. */
  readonly name: string;
  /** A cheap question on the connection that requests use. */
  ask(): Promise<unknown>;
  /** Called behind each question that finds it away. */
  onAway?(): void;
}

class LateAnswer extends Error {}

/** How one part is. */
class PartHealth {
  /** What can do without it does not wait for it. */
  isAway = false;
  /** The question that is not answered yet. It never fails. */
  asked: Promise<void> | undefined;
  #askedAt = 0;
  #lateInARow = 0;
  #isOut = false;

  constructor(
    readonly part: Part,
    private readonly isOutage: (error: unknown) => boolean,
  ) {}

  ask(): void {
    this.asked ??= this.#ask();
  }

  /** What cannot do without it is refused at once. */
  get mustRefuse(): boolean {
    return this.#isOut || this.#lateInARow >= LATE_UNTIL_REFUSED;
  }

  /** How much longer an answer that can do without it waits for it, ms; 0 or less: no longer. */
  get patienceMs(): number {
    if (this.isAway) return 0;
    return this.asked === undefined ? Infinity : this.#askedAt + PATIENCE_MS - performance.now();
  }

  async #ask(): Promise<void> {
    const askedAt = performance.now();
    this.#askedAt = askedAt;
    const wasRefused = this.mustRefuse;
    try {
      await withinLimit(this.part.ask(), LATE_AFTER_MS, () => new LateAnswer());
      this.#isOut = false;
      this.#lateInARow = 0;
    } catch (error) {
      const isFailure = error instanceof LateAnswer || this.isOutage(error);
      // The limit of the connection may be first. It says no more than ours.
      const isLate = error instanceof LateAnswer || (isFailure && performance.now() - askedAt >= LATE_AFTER_MS);
      // A frozen node takes a new connection, too, and answers nothing on it: only an answer says that it is back.
      this.#isOut = isFailure && (wasRefused || !isLate);
      this.#lateInARow = isLate ? this.#lateInARow + 1 : 0;
    } finally {
      this.isAway = this.#isOut || this.#lateInARow > 0;
      this.asked = undefined;
      if (this.isAway) this.part.onAway?.();
    }
  }
}

/**
 * Knows which parts of a Redis Cluster answer now. The node of one shard may be away alone, killed or frozen: what needs that
 * shard is then refused at once, when it is frozen after about 2 s, instead of after the time of a request, and what is about all
 * shards goes on without it. A shard is asked four times a second, on the connection of the requests, so it is back at most that much later than its node.
 */
export class ShardHealth {
  readonly #parts = new Map<string, PartHealth>();
  #timer: NodeJS.Timeout | undefined;

  /** @param isOutage whether an error means that the part cannot be reached: one that refuses is there */
  constructor(private readonly isOutage: (error: unknown) => boolean) {}

  /** Begins to ask. Parts of one server cannot be away alone, and are not watched. */
  watch(parts: readonly Part[]): void {
    for (const part of parts) this.#parts.set(part.name, new PartHealth(part, this.isOutage));
    if (parts.length > 0) this.#timer ??= setInterval(() => this.#askAll(), ASK_EVERY_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  get isWatching(): boolean {
    return this.#parts.size > 0;
  }

  get areAllThere(): boolean {
    return ![...this.#parts.values()].some(({ isAway }) => isAway);
  }

  /** Those that are away, or have owed an answer for longer than what can do without them waits. */
  get late(): readonly string[] {
    return [...this.#parts].flatMap(([name, health]) => (health.patienceMs <= 0 ? [name] : []));
  }

  /** Whether a request about it has to be refused. */
  mustRefuse(name: string): boolean {
    return this.#parts.get(name)?.mustRefuse === true;
  }

  /**
   * Those of the names that answer, for a request that can do without some: it does not wait for one that is late. Where all seem to be
   * away it is all of them: the error of a question says why. It takes at most 0.2 s.
   */
  async answering(names: readonly string[]): Promise<ReadonlySet<string>> {
    const late = await Promise.all(names.map(async (name) => (await this.#isLate(name)) ? [name] : []));
    const away = new Set(late.flat());
    const there = names.filter((name) => !away.has(name));
    return new Set(there.length === 0 ? names : there);
  }

  /** What a part tells, or undefined while it is away. One that is not watched is asked as it is. It takes at most 0.5 s. */
  async orNothing<T>(name: string, ask: () => Promise<T>): Promise<T | undefined> {
    if (!this.#parts.has(name)) return ask();
    if (await this.#isLate(name)) return undefined;
    try {
      return await withinLimit(ask(), OR_NOTHING_MS, () => new LateAnswer());
    } catch (error) {
      if (error instanceof LateAnswer || this.isOutage(error)) return undefined;
      throw error;
    }
  }

  async #isLate(name: string): Promise<boolean> {
    const health = this.#parts.get(name);
    if (health === undefined || health.asked === undefined) return health?.isAway === true;
    const { patienceMs } = health;
    return patienceMs <= 0 || withinLimit(health.asked, patienceMs, () => new LateAnswer()).then(() => health.isAway, () => true);
  }

  #askAll(): void {
    for (const health of this.#parts.values()) health.ask();
  }
}

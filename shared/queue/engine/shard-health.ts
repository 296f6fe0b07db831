import { withinLimit } from '../../lifecycle/time-limit.js';

/** How often a shard is asked whether it answers, ms. */
const ASK_EVERY_MS = 250;
/** A shard whose answer takes longer than this is away, ms. It is less than the time of a request, which would wait in vain. */
const AWAY_AFTER_MS = 600;
/** An answer that shows what there is waits so long for a shard that owes one, ms. */
const PATIENCE_MS = 200;
/** How long a part is asked that an answer can do without, ms. */
const OR_NOTHING_MS = 300;

/** A part of Redis that may be away alone. */
export interface Part {
  /** Such as `deliver-3`. */
  readonly name: string;
  /** A cheap question on the connection that requests use. */
  ask(): Promise<unknown>;
}

class LateAnswer extends Error {}

/** How one part is. */
class PartHealth {
  isAway = false;
  /** The question that is not answered yet. It never fails. */
  asked: Promise<void> | undefined;

  constructor(
    readonly part: Part,
    private readonly isOutage: (error: unknown) => boolean,
  ) {}

  ask(): void {
    this.asked ??= this.#ask();
  }

  async #ask(): Promise<void> {
    try {
      await withinLimit(this.part.ask(), AWAY_AFTER_MS, () => new LateAnswer());
      this.isAway = false;
    } catch (error) {
      this.isAway = error instanceof LateAnswer || this.isOutage(error);
    } finally {
      this.asked = undefined;
    }
  }
}

/**
 * Knows which parts of a Redis Cluster answer now. The node of one shard may be away alone, killed or frozen: what needs that
 * shard is then refused at once, instead of after the time of a request, and what is about all shards goes on without it. A
 * shard is asked four times a second, on the connection of the requests, so it is back at most that much later than its node.
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

  /** Whether a request about it has to be refused. */
  isAway(name: string): boolean {
    return this.#parts.get(name)?.isAway === true;
  }

  /** Those of the names that answer, for a request that can do without some: it does not wait for one that is late. It takes at most 0.2 s. */
  async answering(names: readonly string[]): Promise<ReadonlySet<string>> {
    const late = await Promise.all(names.map(async (name) => (await this.#isLate(name)) ? [name] : []));
    const away = new Set(late.flat());
    return new Set(names.filter((name) => !away.has(name)));
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
    if (health === undefined || health.isAway) return health?.isAway === true;
    if (health.asked === undefined) return false;
    return withinLimit(health.asked, PATIENCE_MS, () => new LateAnswer()).then(() => health.isAway, () => true);
  }

  #askAll(): void {
    for (const health of this.#parts.values()) health.ask();
  }
}

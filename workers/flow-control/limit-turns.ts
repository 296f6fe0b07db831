import type { Flow } from '../../shared/domain/destinations/flow.js';
import type { Limit } from './admission.js';

/** Flows that are woken in one go: each costs a call of Redis. The next go wakes the others. */
const WOKEN_AT_ONCE = 200;
/** Flows that are looked at in one tick, to drop those that do not wait any more. */
const LOOKED_AT_ONCE = 2_000;

/** A flow that has tasks waiting. */
export interface WaitsForLimit {
  readonly flow: Flow;
  /** Some of its tasks are being woken. */
  readonly isWaking: boolean;
  /** More room was found meanwhile. */
  isAskedAgain: boolean;
}

export interface LimitTurnsOptions<Waiting> {
  /** undefined: nobody has limited it. */
  readonly limitOf: (flow: Flow) => Limit | undefined;
  /** How many sends the limit lets start soon, less those that are on their way. @throws when Redis fails */
  readonly roomOf: (limit: Limit) => Promise<number>;
  /** How many of its tasks may start by everything else than the limit. */
  readonly roomFor: (waiting: Waiting) => number;
  readonly isWaiting: (waiting: Waiting) => boolean;
  /** Begins to wake tasks of it; it asks again when that is done. Nothing waits for it: a shard may be slow, and others of the limit wait in other shards. */
  readonly wake: (waiting: Waiting, limit: Limit, wanted: number) => void;
}

/** The flows that wait for one limit. The next one to be woken stands first. */
interface Turns<Waiting> {
  limit: Limit;
  readonly flows: Set<Waiting>;
  isAsking: boolean;
  isAskedAgain: boolean;
  /** The limit is used up, and somebody waits for it. */
  isShort: boolean;
}

/**
 * Whose turn it is to be woken, among all flows that wait for one limit: those of a host, of a flow_key, or all of them for `*`. Each has
 * an equal part of what the limit lets start. Otherwise an endpoint that always has tasks would leave nothing to the others. A flow that
 * cannot be sent for another reason takes no part: it is paused, its circuit is open, or it has no slots.
 */
export class LimitTurns<Waiting extends WaitsForLimit> {
  readonly #byName = new Map<string, Turns<Waiting>>();

  constructor(private readonly options: LimitTurnsOptions<Waiting>) {}

  /** Must a task that comes for the first time wait for its turn? It would overtake those that wait for the same limit. */
  isAwaited(name: string): boolean {
    const turns = this.#byName.get(name);
    return turns?.isShort === true && this.#isWanted(turns);
  }

  /** There is room for the flow, by everything else than the limit, or there may be some for others that the limit is for. */
  ask(limit: Limit, waiting: Waiting): void {
    let turns = this.#byName.get(limit.name);
    if (turns === undefined) this.#byName.set(limit.name, (turns = { limit, flows: new Set(), isAsking: false, isAskedAgain: false, isShort: false }));
    turns.limit = limit;
    turns.flows.add(waiting);
    if (turns.isAsking) turns.isAskedAgain = true;
    else void this.#go(turns);
  }

  /** Drops what does not wait any more; called by each tick. */
  forgetOld(): void {
    let looks = LOOKED_AT_ONCE;
    for (const [name, turns] of this.#byName) {
      for (const waiting of turns.flows) {
        if (looks === 0) return;
        looks -= 1;
        if (!this.#waitsFor(turns.limit, waiting)) turns.flows.delete(waiting);
      }
      if (turns.flows.size === 0 && !turns.isAsking) this.#byName.delete(name);
    }
  }

  /** Never fails. */
  async #go(turns: Turns<Waiting>): Promise<void> {
    turns.isAsking = true;
    do {
      turns.isAskedAgain = false;
      try {
        this.#wakeInTurn(turns, await this.options.roomOf(turns.limit));
      } catch {
        // Redis is away: redis-watch.ts logs that, and the next tick tries again.
      }
      // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- `ask` sets it meanwhile
    } while (turns.isAskedAgain);
    turns.isAsking = false;
  }

  #wakeInTurn(turns: Turns<Waiting>, room: number): void {
    const { limit, flows } = turns;
    let left = room;
    const share = Math.max(1, Math.ceil(room / flows.size));
    let looks = flows.size;
    let wakes = WOKEN_AT_ONCE;
    for (const waiting of flows) {
      if (left <= 0 || looks === 0 || wakes === 0) break;
      looks -= 1;
      flows.delete(waiting);
      const roomOfFlow = this.#waitsFor(limit, waiting) ? this.options.roomFor(waiting) : 0;
      // It asks again when there is room for it.
      if (roomOfFlow <= 0) continue;
      flows.add(waiting);
      if (waiting.isWaking) {
        waiting.isAskedAgain = true;
        continue;
      }
      const wanted = Math.min(share, roomOfFlow, left);
      left -= wanted;
      wakes -= 1;
      this.options.wake(waiting, limit, wanted);
    }
    turns.isShort = left <= 0 && this.#isWanted(turns);
  }

  #waitsFor({ name }: Limit, waiting: Waiting): boolean {
    return this.options.isWaiting(waiting) && this.options.limitOf(waiting.flow)?.name === name;
  }

  /** Is there one that only the limit holds up? Those that cannot be sent anyway are taken out. */
  #isWanted({ limit, flows }: Turns<Waiting>): boolean {
    for (const waiting of flows) {
      if (this.#waitsFor(limit, waiting) && this.options.roomFor(waiting) > 0) return true;
      flows.delete(waiting);
    }
    return false;
  }
}

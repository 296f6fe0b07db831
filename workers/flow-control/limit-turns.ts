import type { Flow } from '../../shared/domain/destinations/flow.js';
import type { Limit } from './admission.js';

/** Flows of one limit that are asked for room in one go. The next go asks the others. */
const FLOWS_PER_GO = 2_000;
/** So many are looked at to find out whether anybody could use more of the limit. */
const LOOKED_AT_ONCE = 10;

export interface LimitTurnsOptions<Waiting> {
  /** undefined: nobody has limited it. */
  readonly limitOf: (flow: Flow) => Limit | undefined;
  /** How many sends the limit lets start soon, less those that are on their way. @throws when Redis fails */
  readonly roomOf: (limit: Limit) => Promise<number>;
  /** The same by everything else than the limit. */
  readonly roomFor: (waiting: Waiting) => number;
  readonly isWaiting: (waiting: Waiting) => boolean;
  /** @returns how many tasks were woken. Never fails */
  readonly wake: (waiting: Waiting, limit: Limit, wanted: number) => Promise<number>;
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
 * an equal part of what the limit lets start. Otherwise an endpoint that always has tasks would leave nothing to the others.
 */
export class LimitTurns<Waiting extends { readonly flow: Flow }> {
  readonly #byName = new Map<string, Turns<Waiting>>();

  constructor(private readonly options: LimitTurnsOptions<Waiting>) {}

  /** Must a task that comes for the first time wait for its turn? It would overtake those that wait for the same limit. */
  isAwaited(name: string): boolean {
    const turns = this.#byName.get(name);
    if (turns?.isShort !== true) return false;
    for (const waiting of turns.flows) {
      if (this.options.isWaiting(waiting)) return true;
      turns.flows.delete(waiting);
    }
    return false;
  }

  /** There may be room for the flow, or for another one that the limit is for. */
  ask(limit: Limit, waiting: Waiting): void {
    let turns = this.#byName.get(limit.name);
    if (turns === undefined) this.#byName.set(limit.name, (turns = { limit, flows: new Set(), isAsking: false, isAskedAgain: false, isShort: false }));
    turns.limit = limit;
    turns.flows.add(waiting);
    if (turns.isAsking) turns.isAskedAgain = true;
    else void this.#go(turns);
  }

  /** Never fails. */
  async #go(turns: Turns<Waiting>): Promise<void> {
    turns.isAsking = true;
    do {
      turns.isAskedAgain = false;
      try {
        await this.#wakeInTurn(turns);
      } catch {
        // Redis is away: redis-watch.ts logs that, and the next tick tries again.
      }
      // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- `ask` sets it meanwhile
    } while (turns.isAskedAgain);
    turns.isAsking = false;
    if (turns.flows.size === 0) this.#byName.delete(turns.limit.name);
  }

  async #wakeInTurn(turns: Turns<Waiting>): Promise<void> {
    const { limit, flows } = turns;
    let left = await this.options.roomOf(limit);
    const share = Math.max(1, Math.ceil(left / flows.size));
    // Twice around: what some do not need is for the others.
    let looks = Math.min(2 * flows.size, FLOWS_PER_GO);
    for (const waiting of flows) {
      if (left <= 0 || looks === 0) break;
      looks -= 1;
      flows.delete(waiting);
      if (!this.#waitsFor(limit, waiting)) continue;
      flows.add(waiting);
      const wanted = Math.min(share, left, this.options.roomFor(waiting));
      if (wanted > 0) left -= await this.options.wake(waiting, limit, wanted);
    }
    turns.isShort = left <= 0 && this.#isWanted(turns);
  }

  #waitsFor({ name }: Limit, waiting: Waiting): boolean {
    return this.options.isWaiting(waiting) && this.options.limitOf(waiting.flow)?.name === name;
  }

  /** A flow that is paused, or whose circuit is open, does not wait for the limit. */
  #isWanted({ limit, flows }: Turns<Waiting>): boolean {
    let looks = LOOKED_AT_ONCE;
    for (const waiting of flows) {
      if (looks === 0) return false;
      looks -= 1;
      if (this.#waitsFor(limit, waiting) && this.options.roomFor(waiting) > 0) return true;
    }
    return false;
  }
}

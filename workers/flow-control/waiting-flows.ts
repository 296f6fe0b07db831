import type { Flow } from '../../shared/domain/destinations/flow.js';
import type { Speed } from '../../shared/domain/flow/bulkhead-rules.js';
import type { WaitingLists } from '../../shared/queue/flow/waiting-lists.js';
import { HostTurns } from './host-turns.js';

/**
 * Waiting lists of one host. Each costs this process some 600 bytes, and to empty it costs a call of its own, so that 100,000 flow_keys
 * with two tasks each would be woken slowly. The tasks of further flows wait together.
 */
const MOST_LISTS_OF_HOST = 5_000;

/** The deferred tasks of one flow, as far as this process knows. */
export interface WaitingFlow {
  readonly flow: Flow;
  /** Jobs in the waiting list of each shard, as far as known. */
  readonly depths: Map<WaitingLists, number>;
  isWaking: boolean;
  /** More room was found while tasks of the flow were being woken: it is looked at once more. */
  isAskedAgain: boolean;
}

/** The flows that have tasks waiting, as far as this process knows, and whose turn it is. */
export class WaitingFlows {
  readonly #flows = new Map<string, WaitingFlow>();
  readonly #turns: HostTurns<WaitingFlow>;
  /** Those of #flows that come before all others in the next turn. */
  readonly #first = new Set<WaitingFlow>();
  /** Those of #flows that are "the others" of a host. */
  readonly #others = new Set<WaitingFlow>();

  /** @param speedOf how soon a flow answers */
  constructor(speedOf: (flow: Flow) => Speed) {
    this.#turns = new HostTurns(speedOf);
  }

  get size(): number {
    return this.#flows.size;
  }

  /** @param id of the flow, or of a host for "the others" of it */
  get(id: string): WaitingFlow | undefined {
    return this.#flows.get(id);
  }

  /** Finds it, or makes one that has nothing waiting yet. */
  of(flow: Flow): WaitingFlow {
    const known = this.#flows.get(flow.id);
    if (known !== undefined) return known;
    const made: WaitingFlow = { flow, depths: new Map(), isWaking: false, isAskedAgain: false };
    this.#flows.set(flow.id, made);
    if (flow.id === flow.hostId) this.#others.add(made);
    this.#turns.add(made);
    return made;
  }

  /** It has nothing waiting any more. */
  drop(waiting: WaitingFlow): void {
    const { id } = waiting.flow;
    // Another one may stand in its place by now.
    if (this.#flows.get(id) === waiting) this.#flows.delete(id);
    this.#first.delete(waiting);
    this.#others.delete(waiting);
    this.#turns.remove(waiting);
  }

  /** May tasks of the flow wait in a list of their own? Not if the host has very many lists already. */
  hasOwnList({ id, hostId }: Flow): boolean {
    return this.#flows.has(id) || this.#turns.count(hostId) < MOST_LISTS_OF_HOST;
  }

  where(isWanted: (flow: Flow) => boolean): Flow[] {
    return [...this.#flows.values()].map(({ flow }) => flow).filter(isWanted);
  }

  /** "The others" of all hosts. */
  get others(): readonly WaitingFlow[] {
    return [...this.#others];
  }

  /** Some flows of the host that answer quickly. */
  someQuick(hostId: string): Iterable<WaitingFlow> {
    return this.#turns.someQuick(hostId);
  }

  /** It may have shown just now that it is quick, or that it is not. */
  speedChanged(waiting: WaitingFlow): void {
    this.#turns.putBySpeed(waiting);
  }

  /** @returns the flow of the host for which `wake` has said yes: those of a host take turns */
  wakeNext(hostId: string, wake: (waiting: WaitingFlow) => boolean): WaitingFlow | undefined {
    return this.#turns.wakeNext(hostId, wake);
  }

  /** These do not wait for their turn behind thousands of others. @returns whether there are such flows */
  putFirst(flows: readonly Flow[]): boolean {
    for (const { id } of flows) {
      const waiting = this.#flows.get(id);
      if (waiting !== undefined) this.#first.add(waiting);
    }
    return this.#first.size > 0;
  }

  /** Each of them once, from where the last call has stopped. @param visit false: stop before this one */
  inTurn(visit: (waiting: WaitingFlow) => boolean): void {
    for (const waiting of this.#first) {
      if (!visit(waiting)) return;
      this.#first.delete(waiting);
    }
    let left = this.#flows.size;
    for (const [id, waiting] of this.#flows) {
      if (left === 0 || !visit(waiting)) return;
      left -= 1;
      // To the end of the map: the next call begins where this one stops.
      this.#flows.delete(id);
      this.#flows.set(id, waiting);
    }
  }
}

import { flowOfId, isOfOthers, type Flow } from '../../shared/domain/destinations/flow.js';
import { remembered } from '../../shared/domain/remembered.js';

/** Flows remembered in one half. Two halves are at most 10,000 names of some 100 bytes. */
const MOST_IN_HALF = 5_000;
/** More than one task has gone there. No task has such an id. */
const KNOWN = '';

/** The flows that were in use lately. */
class Half {
  /** The first task of each flow by its id, or KNOWN. */
  readonly #first = new Map<string, string>();
  /** The ids of those that are known, by their host, the newest at the end. */
  readonly #knownOf = new Map<string, string[]>();

  get size(): number {
    return this.#first.size;
  }

  first(id: string): string | undefined {
    return this.#first.get(id);
  }

  set({ id, hostId }: Flow, first: string): void {
    if (first === KNOWN && this.#first.get(id) !== KNOWN) {
      const known = this.#knownOf.get(hostId);
      if (known === undefined) this.#knownOf.set(hostId, [id]);
      else known.push(id);
    }
    this.#first.set(id, first);
  }

  knownOf(hostId: string): readonly string[] {
    return this.#knownOf.get(hostId) ?? [];
  }
}

/**
 * Tells endpoints from single tasks. Ids in urls make a path for each task, and such a path must not get slots, a waiting list
 * and a turn of its own: 600 of them would take a worker from all other hosts. So a flow is known from its second task on,
 * one with another id. Until then its tasks are counted together, as "the others" of their host. A topic and a flow_key
 * become known in the same way.
 */
export class KnownFlows {
  #now = new Half();
  /** The half before: it is dropped when the newer one is full. */
  #before = new Half();
  readonly #othersOf = remembered(1_000, flowOfId);

  /** @param onKnown is told of a flow that is known from now on, and of its first task, which went to "the others" of the host */
  constructor(private readonly onKnown: (flow: Flow, firstTaskId: string) => void = () => undefined) {}

  /** Flows remembered; bounded. */
  get remembered(): number {
    return this.#now.size + this.#before.size;
  }

  /** @returns the flow itself when it is known by now, or "the others" of its host */
  resolve(flow: Flow, taskId: string): Flow {
    const first = this.#now.first(flow.id) ?? this.#fromBefore(flow, taskId);
    if (first === KNOWN || isOfOthers(flow)) return flow;
    if (first === taskId) return this.#othersOf(flow.hostId);
    this.#now.set(flow, KNOWN);
    this.onKnown(flow, first);
    return flow;
  }

  /** Has more than one task gone there? */
  has({ id }: Flow): boolean {
    return (this.#now.first(id) ?? this.#before.first(id)) === KNOWN;
  }

  /** The flow is known from now on: another worker has found that out. */
  learn(flow: Flow): void {
    this.#fromBefore(flow, KNOWN);
    this.#now.set(flow, KNOWN);
  }

  /**
   * Does a task that waits among "the others" of a host belong to a flow that is known by now? The task counts as in `resolve`, but
   * only while there is room for many more flows: there may be any number of such tasks, and they must not drive out flows that are
   * in use.
   */
  isKnownTo(flow: Flow, taskId: string): boolean {
    const { id } = flow;
    if (this.#now.first(id) === undefined && this.#before.first(id) === undefined && this.#now.size >= MOST_IN_HALF / 2) return false;
    return this.resolve(flow, taskId) === flow;
  }

  /** The flows of a host that are known, at most so many, the newest of them last. */
  of(hostId: string, most: number): string[] {
    const newest = this.#now.knownOf(hostId).slice(-most);
    const seen = new Set(newest);
    const older = newest.length < most ? this.#before.knownOf(hostId).filter((id) => !seen.has(id)) : [];
    return [...older, ...newest].slice(-most);
  }

  #fromBefore(flow: Flow, taskId: string): string {
    if (this.#now.size >= MOST_IN_HALF) {
      this.#before = this.#now;
      this.#now = new Half();
    }
    const first = this.#before.first(flow.id) ?? taskId;
    this.#now.set(flow, first);
    return first;
  }
}

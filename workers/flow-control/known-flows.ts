import { flowOfId, type Flow } from '../../shared/domain/destinations/flow.js';
import { remembered } from '../../shared/domain/remembered.js';

/** Flows remembered in one half. Two halves are at most 10,000 names of some 100 bytes. */
const MOST_IN_HALF = 5_000;
/** More than one task has gone there. No task has such an id. */
const KNOWN = '';

/**
 * Tells endpoints from single tasks. Ids in urls make a path for each task, and such a path must not get slots, a waiting list
 * and a turn of its own: 600 of them would take a worker from all other hosts. So a flow is known from its second task on,
 * one with another id. Until then its tasks are counted together, as "the others" of their host. A topic and a flow_key
 * become known in the same way.
 */
export class KnownFlows {
  /** The first task of each flow by its id, or KNOWN. */
  #now = new Map<string, string>();
  /** The half before: it is dropped when the newer one is full. */
  #before = new Map<string, string>();
  readonly #othersOf = remembered(1_000, flowOfId);

  /** @param onKnown is told of a flow that is known from now on, and of its first task, which went to "the others" of the host */
  constructor(private readonly onKnown: (flow: Flow, firstTaskId: string) => void = () => undefined) {}

  /** Flows remembered; bounded. */
  get remembered(): number {
    return this.#now.size + this.#before.size;
  }

  /** @returns the flow itself when it is known by now, or "the others" of its host */
  resolve(flow: Flow, taskId: string): Flow {
    const { id, hostId } = flow;
    const first = this.#now.get(id) ?? this.#fromBefore(id, taskId);
    if (first === KNOWN || id === hostId) return flow;
    if (first === taskId) return this.#othersOf(hostId);
    this.#now.set(id, KNOWN);
    this.onKnown(flow, first);
    return flow;
  }

  /** The flow is known from now on: another worker has found that out. */
  learn({ id }: Flow): void {
    this.#fromBefore(id, KNOWN);
    this.#now.set(id, KNOWN);
  }

  /**
   * Does a task that waits among "the others" of a host belong to a flow that is known by now? The task counts as in `resolve`, but
   * only while there is room for many more flows: there may be any number of such tasks, and they must not drive out flows that are
   * in use.
   */
  isKnownTo(flow: Flow, taskId: string): boolean {
    const { id } = flow;
    if (!this.#now.has(id) && !this.#before.has(id) && this.#now.size >= MOST_IN_HALF / 2) return false;
    return this.resolve(flow, taskId) === flow;
  }

  /** The flows of a host that are known, at most so many, the newest of them last. */
  of(hostId: string, most: number): string[] {
    const found: string[] = [];
    for (const half of [this.#before, this.#now]) {
      for (const [id, first] of half) if (first === KNOWN && id.includes('\n') && flowOfId(id).hostId === hostId) found.push(id);
    }
    return found.slice(-most);
  }

  #fromBefore(id: string, taskId: string): string {
    if (this.#now.size >= MOST_IN_HALF) {
      this.#before = this.#now;
      this.#now = new Map();
    }
    const first = this.#before.get(id) ?? taskId;
    this.#now.set(id, first);
    return first;
  }
}

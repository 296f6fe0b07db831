import type { Speed } from '../../shared/domain/flow/bulkhead-rules.js';
import type { Flow } from '../../shared/domain/destinations/flow.js';

/** Flows of one host that are asked for room in one go. Many of them may be paused; the next tick asks the others. */
const FLOWS_ASKED = 10;

/** A slot that a slow flow gets is gone for a long time, and one that an unknown flow gets may be. */
const QUICK_FIRST: readonly Speed[] = ['quick', 'unknown', 'slow'];
/** One turn of so many belongs to slow flows first. */
const SLOW_TURN = 4;
const SLOW_FIRST: readonly Speed[] = ['slow', 'unknown', 'quick'];

/** Flows that share the room of a host: its endpoints, its topics, and flow_keys. The next one to be woken stands first. */
interface FlowsOfHost<Waiting> {
  readonly bySpeed: Readonly<Record<Speed, Set<Waiting>>>;
  turns: number;
}

/**
 * Whose turn it is to be woken, among the flows of a host. They take turns. If a freed place belonged to the flow of the ended send
 * alone, a thousand flow_keys with one task each would be woken by ticks only.
 */
export class HostTurns<Waiting extends { readonly flow: Flow }> {
  readonly #hosts = new Map<string, FlowsOfHost<Waiting>>();

  /** @param speedOf how soon a flow answers, as far as this process knows */
  constructor(private readonly speedOf: (flow: Flow) => Speed) {}

  /** How many flows of the host wait. */
  count(hostId: string): number {
    const flows = this.#hosts.get(hostId);
    return flows === undefined ? 0 : countOf(flows);
  }

  add(waiting: Waiting): void {
    const { hostId } = waiting.flow;
    if (!this.#hosts.has(hostId)) this.#hosts.set(hostId, { bySpeed: { quick: new Set(), unknown: new Set(), slow: new Set() }, turns: 0 });
    this.putBySpeed(waiting);
  }

  remove(waiting: Waiting): void {
    const { hostId } = waiting.flow;
    const flows = this.#hosts.get(hostId);
    if (flows === undefined) return;
    for (const some of Object.values(flows.bySpeed)) some.delete(waiting);
    if (countOf(flows) === 0) this.#hosts.delete(hostId);
  }

  /** It becomes the last of those that are as quick. */
  putBySpeed(waiting: Waiting): void {
    const bySpeed = this.#hosts.get(waiting.flow.hostId)?.bySpeed;
    if (bySpeed === undefined) return;
    const itsSet = bySpeed[this.speedOf(waiting.flow)];
    if (itsSet.has(waiting)) return;
    for (const some of Object.values(bySpeed)) some.delete(waiting);
    itsSet.add(waiting);
  }

  /** Some of those that are not slow. */
  *someQuick(hostId: string): Iterable<Waiting> {
    const { quick = [], unknown = [] } = this.#hosts.get(hostId)?.bySpeed ?? {};
    for (const some of [quick, unknown]) {
      let left = FLOWS_ASKED;
      for (const waiting of some) {
        yield waiting;
        left -= 1;
        if (left === 0) break;
      }
    }
  }

  /**
   * @param wake false: there is no room for it
   * @returns the flow that is being woken
   */
  wakeNext(hostId: string, wake: (waiting: Waiting) => boolean): Waiting | undefined {
    const flows = this.#hosts.get(hostId);
    if (flows === undefined) return undefined;
    flows.turns += 1;
    for (const speed of flows.turns % SLOW_TURN === 0 ? SLOW_FIRST : QUICK_FIRST) {
      const woken = this.#wakeNextOf(speed, flows, wake);
      if (woken !== undefined) return woken;
    }
    return undefined;
  }

  #wakeNextOf(speed: Speed, { bySpeed }: FlowsOfHost<Waiting>, wake: (waiting: Waiting) => boolean): Waiting | undefined {
    const some = bySpeed[speed];
    for (let left = Math.min(some.size, FLOWS_ASKED); left > 0; left -= 1) {
      const [waiting] = some;
      if (waiting === undefined) return undefined;
      const speedNow = this.speedOf(waiting.flow);
      some.delete(waiting);
      bySpeed[speedNow].add(waiting);
      // One that has become slower waits for the turn of those.
      if (QUICK_FIRST.indexOf(speedNow) > QUICK_FIRST.indexOf(speed)) continue;
      if (wake(waiting)) return waiting;
    }
    return undefined;
  }
}

function countOf({ bySpeed: { quick, unknown, slow } }: FlowsOfHost<unknown>): number {
  return quick.size + unknown.size + slow.size;
}

import { deferralDelayMs, type DeferralReason } from '../../shared/domain/task/deferral.js';
import { flowOfId, type Flow } from '../../shared/domain/destinations/flow.js';
import type { Clock } from '../../shared/domain/ports.js';
import type { WaitingLists } from '../../shared/queue/flow/waiting-lists.js';
import type { KnownFlows } from './known-flows.js';
import type { WakeUps } from './wake-ups.js';

/** So many deferrals within one span, and the head of the queue is full of tasks that cannot start. */
const DEFERRALS = 20;
const SPAN_MS = 100;
/** What was put back longer ago says nothing of the head of the queue. */
const LONGEST_SPAN_MS = 300;
/**
 * With more flows than one in the queue, it waits until it has seen each of them twice or has seen so many deferrals: with 150
 * flows the first 20 deferrals name 20 of them, and a look for these finds little.
 */
const MOST_AWAITED = 150;
/** Due jobs looked at in one call: about 2 ms of Redis' time. */
const LOOKED_AT_ONCE = 250;
/** Below this share of deferred ones the head is clear enough: the rest is fetched and put back in the usual way. */
const WORTHWHILE = 0.5;
const MOST_FLOWS = 250;
/** Known flows of a host whose jobs are told from "the others" of it. Jobs of further ones are only woken in another turn. */
const MOST_KNOWN = 500;

/**
 * Clears the head of the queue of tasks whose destinations have no room, hundreds in one call, when it is full of them.
 * Only saves time: what it leaves is deferred one by one.
 */
export class BulkDeferral {
  readonly #shards: WaitingLists[] = [];
  readonly #recent = new Map<string, readonly [Flow, DeferralReason]>();
  #since = 0;
  #count = 0;
  #isRunning = false;
  /** The last look found little: not again before this. */
  #restsUntil = 0;
  #isClosed = false;

  constructor(private readonly options: { readonly wakeUps: WakeUps; readonly known: KnownFlows; readonly clock: Clock; /** Monotonic ms. */ readonly now: () => number }) {}

  watch(waitingLists: WaitingLists): void {
    this.#shards.push(waitingLists);
  }

  /** A task of the flow was fetched and put back. */
  deferred(flow: Flow, reason: DeferralReason): void {
    // Bulk deferral leaves dead letters. What it would find under the name of this flow are deliveries.
    if (flow.isDead) return;
    const at = this.options.now();
    const spanMs = at - this.#since;
    if (spanMs > (this.#count < DEFERRALS ? SPAN_MS : LONGEST_SPAN_MS)) this.#begin(at);
    this.#count += 1;
    if (this.#recent.size < MOST_FLOWS) this.#recent.set(flow.id, [flow, reason]);
    // A slow worker does not see each flow twice within the span.
    const wanted = spanMs > SPAN_MS ? DEFERRALS : Math.max(DEFERRALS, Math.min(2 * this.#recent.size, MOST_AWAITED));
    if (this.#count < wanted || at < this.#restsUntil || this.#isRunning || this.#isClosed) return;
    const flows = [...this.#recent.values()];
    this.#begin(at);
    this.#isRunning = true;
    void this.#deferInBulk(flows).finally(() => {
      this.#isRunning = false;
    });
  }

  close(): void {
    this.#isClosed = true;
  }

  #begin(at: number): void {
    this.#since = at;
    this.#count = 0;
    this.#recent.clear();
  }

  async #deferInBulk(flows: readonly (readonly [Flow, DeferralReason])[]): Promise<void> {
    let deferredInAll = 0;
    // Only "the others" of a host have to be told from known flows. Where the host has very many of them, they wait together.
    const known = flows.flatMap(([{ id, hostId }]) => (id === hostId ? this.options.known.of(hostId, MOST_KNOWN) : [])).filter((id) => this.options.wakeUps.hasOwnList(flowOfId(id)));
    for (const waitingLists of this.#shards) {
      let share = 1;
      while (share >= WORTHWHILE && !this.#isClosed && !this.options.wakeUps.isAway(waitingLists)) {
        const now = this.options.clock();
        const waiting = flows.reduce((most, [flow]) => Math.max(most, this.options.wakeUps.waiting(flow)), 0);
        try {
          const { looked, deferred } = await this.options.wakeUps.ask(waitingLists, () => waitingLists.bulkDefer({ flows, known }, LOOKED_AT_ONCE, now, now + deferralDelayMs(waiting)));
          share = looked === 0 ? 0 : deferred / looked;
          deferredInAll += deferred;
          if (deferred > 0) for (const [flow] of flows) this.options.wakeUps.expectDeferred(waitingLists, flow, Math.ceil(deferred / flows.length));
        } catch {
          break; // this part of Redis is away or full: the connection's owner logs it, and the other shards go on
        }
      }
    }
    // Each look costs Redis as much as it finds jobs: one in vain must not follow the other.
    if (deferredInAll < LOOKED_AT_ONCE * WORTHWHILE) this.#restsUntil = this.options.now() + SPAN_MS;
  }
}

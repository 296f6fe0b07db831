import { flowOfId, type Flow } from '../../shared/domain/destinations/flow.js';
import type { Deferral, WaitingLists } from '../../shared/queue/flow/waiting-lists.js';
import { jobIdOf } from '../../shared/queue/names.js';
import type { Speed } from '../../shared/domain/flow/bulkhead-rules.js';
import { AnsweringShards } from './answering-shards.js';
import type { Limit } from './admission.js';
import { LimitTurns } from './limit-turns.js';
import { ShardTurns } from './shard-turns.js';
import type { Room } from './slots.js';
import { WaitingFlows, type WaitingFlow } from './waiting-flows.js';
import { WokenTasks } from './woken-tasks.js';

/** Waiting lists looked at in one tick, a shard, in turn: five ticks a second find 10,000 in 20 s. */
const LISTS_PER_TICK = 100;
/**
 * Flows that are asked for room in one tick, some 2 ms of this process. Those that wake none cost no more: of thousands of flow_keys of a
 * paused destination, none may keep others from their turn.
 */
const FLOWS_PER_TICK = 2_000;
const MOST_WOKEN_AT_ONCE = 100;

export interface WakeUpsOptions {
  /** How many sends may start now, by everything but a limit that a person has set. */
  readonly roomFor: (flow: Flow) => Room;
  /** The limit that a person has set; default: there is none. */
  readonly limitOf?: (flow: Flow) => Limit | undefined;
  /** How many sends a limit lets start soon. @throws when Redis fails */
  readonly roomOfLimit?: (limit: Limit) => Promise<number>;
  /** How soon it answers. */
  readonly speedOf: (flow: Flow) => Speed;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/**
 * Wakes deferred tasks when there is room for them. Its knowledge is only a hint: a task that is missed here comes back by
 * itself, when its time in the delayed set is over.
 */
export class WakeUps {
  readonly #shards = new ShardTurns<WaitingLists>();
  readonly #flows: WaitingFlows;
  readonly #woken: WokenTasks;
  readonly #limitOf: (flow: Flow) => Limit | undefined;
  readonly #limitTurns: LimitTurns<WaitingFlow>;
  readonly #answering = new AnsweringShards();
  #isClosed = false;

  constructor(private readonly options: WakeUpsOptions) {
    this.#flows = new WaitingFlows(options.speedOf);
    this.#woken = new WokenTasks(options.now);
    const { limitOf = () => undefined, roomOfLimit = () => Promise.resolve(Infinity) } = options;
    this.#limitOf = limitOf;
    this.#limitTurns = new LimitTurns<WaitingFlow>({
      limitOf,
      roomOf: async (limit) => (await roomOfLimit(limit)) - this.#woken.ofLimit(limit.name),
      roomFor: ({ flow }) => (this.#isClosed ? 0 : this.#left(flow)),
      isWaiting: (waiting) => this.#flows.get(waiting.flow.id) === waiting,
      wake: (waiting, { name }, wanted) => void this.#wake(waiting, wanted, name),
    });
  }

  /** Flows and hosts that are remembered: those with tasks waiting, and for a second those that had some. */
  get remembered(): number {
    return this.#flows.size + this.#woken.hosts;
  }

  /** Begins to wake tasks of one more shard. */
  watch(waitingLists: WaitingLists): void {
    this.#shards.add(waitingLists);
  }

  /** A task of the flow is here: perhaps one that was woken. */
  arrived(flow: Flow): void {
    this.#woken.arrived(flow, () => this.#limitOf(flow)?.name, () => this.#flows.someQuick(flow.hostId));
  }

  /** Must a task that comes for the first time wait, since others wait for the same limit? */
  isLimitAwaited(name: string): boolean {
    return this.#limitTurns.isAwaited(name);
  }

  /** Tasks that wait for the destination, as far as this process knows. */
  waiting(flow: Flow): number {
    const waiting = this.#flows.get(flow.id);
    return waiting === undefined ? 0 : [...waiting.depths.values()].reduce((sum, depth) => sum + depth, 0);
  }

  /** May tasks of the flow wait in a list of their own? Not if the host has very many lists already. */
  hasOwnList(flow: Flow): boolean {
    return this.#flows.hasOwnList(flow);
  }

  /** Puts a job back, and into the waiting list of its flow. @throws as WaitingLists.defer */
  async defer(waitingLists: WaitingLists, flow: Flow, deferral: Deferral): Promise<void> {
    // Noted before the call: a wake-up that is asked for meanwhile reaches Redis after it.
    this.expectDeferred(waitingLists, flow, 1);
    const depth = await waitingLists.defer(flow.id, deferral);
    // Looked up again: a wake-up that found nothing may have dropped the flow meanwhile.
    this.#flows.of(flow).depths.set(waitingLists, depth);
  }

  /** Jobs of the flow were deferred in bulk; the next tick finds out how many there are. */
  expectDeferred(waitingLists: WaitingLists, flow: Flow, jobs: number): void {
    const { depths } = this.#flows.of(flow);
    depths.set(waitingLists, (depths.get(waitingLists) ?? 0) + jobs);
  }

  /** Has the flow a waiting list of its own, as far as this process knows? */
  hasList({ id }: Flow): boolean {
    return this.#flows.get(id) !== undefined;
  }

  /**
   * The first task of an endpoint may wait among "the others" of its host, and now a second one has come: the first one waits
   * no longer behind those of other endpoints.
   */
  takeFirst(flow: Flow, taskId: string): void {
    const waiting = this.#flows.get(flow.hostId);
    if (waiting === undefined) return;
    // Its shard is not known here. If Redis fails, the task is found by misplaced-tasks.ts.
    for (const waitingLists of waiting.depths.keys()) {
      if (!this.isAway(waitingLists)) this.takeFromOthers(waitingLists, flow, [jobIdOf(taskId)]).catch(() => undefined);
    }
  }

  /**
   * Jobs of the flow that wait among "the others" of its host wait in its own list from now on, unless the host has very many lists already.
   * @throws when Redis fails
   */
  async takeFromOthers(waitingLists: WaitingLists, flow: Flow, jobIds: readonly string[]): Promise<void> {
    if (!this.hasOwnList(flow)) return;
    const moved = await this.ask(waitingLists, () => waitingLists.move(flow.hostId, flow.id, jobIds));
    if (moved === 0) return;
    this.expectDeferred(waitingLists, flow, moved);
    this.#wakeSoon(this.#flows.of(flow));
  }

  /** Does a shard give no answer? Then it is not worth a question. */
  isAway(waitingLists: WaitingLists): boolean {
    return this.#answering.isAway(waitingLists);
  }

  /** Asks one shard, and waits no longer than others can wait. @throws what the question throws, or when it takes too long */
  ask<T>(waitingLists: WaitingLists, question: () => Promise<T>): Promise<T> {
    return this.#answering.call(waitingLists, question);
  }

  /** The waiting lists of "the others" of all hosts, in all shards that answer. */
  listsOfOthers(): { readonly others: string; readonly waitingLists: WaitingLists }[] {
    return this.#flows.others.flatMap(({ flow, depths }) => [...depths.keys()].filter((waitingLists) => !this.isAway(waitingLists)).map((waitingLists) => ({ others: flow.id, waitingLists })));
  }

  /** A send of the flow is over: another one may start. */
  leave(flow: Flow): void {
    if (this.#flows.size === 0) return;
    const own = this.#flows.get(flow.id);
    // It may have shown just now that it is quick.
    if (own !== undefined) this.#flows.speedChanged(own);
    const woken = this.#wakeNext(flow.hostId);
    // The freed place may be one that only this flow can use: one of its own limit.
    if (own !== undefined && own !== woken) this.#wakeSoon(own);
  }

  /** There is more room for an endpoint, or for its host, though no send is over. */
  roomGrew({ keyId, hostId }: Pick<Flow, 'keyId' | 'hostId'>): void {
    if (this.#flows.size === 0) return;
    const own = this.#flows.get(keyId);
    if (own === undefined || !this.#wakeSoon(own)) this.#wakeNext(hostId);
  }

  /**
   * Looks for waiting lists that others filled, and for room that came without one of our sends ending. Never fails.
   * @returns when each shard has answered, or has taken too long for it
   */
  async tick(): Promise<void> {
    const looks = this.#shards.inTurn().map((waitingLists) => this.#lookAt(waitingLists));
    this.#woken.forgetLate();
    this.#limitTurns.forgetOld();
    this.#wakeInTurn();
    await Promise.all(looks);
  }

  /**
   * What held these flows is over: they do not wait for their turn behind thousands of others. Those that cannot be woken at once are
   * the first of the next tick.
   */
  wakeFirst(freed: readonly Flow[]): void {
    if (this.#flows.putFirst(freed)) this.#wakeInTurn();
  }

  #wakeInTurn(): void {
    let looked = 0;
    let woken = 0;
    this.#flows.inTurn((waiting) => {
      if (looked >= FLOWS_PER_TICK || woken >= 2 * LISTS_PER_TICK) return false;
      looked += 1;
      if (this.#wakeSoon(waiting)) woken += 1;
      return true;
    });
  }

  async #lookAt(waitingLists: WaitingLists): Promise<void> {
    const found = await this.#answering.look(waitingLists, () => waitingLists.next(LISTS_PER_TICK));
    if (found?.length === 0) this.#shards.foundEmpty(waitingLists);
    for (const waitingList of found ?? []) {
      const waiting = this.#flows.of(flowOfId(waitingList));
      if (waiting.depths.has(waitingLists)) continue;
      waiting.depths.set(waitingLists, 1);
      this.#wakeSoon(waiting);
    }
  }

  /** Flows that have tasks waiting, as far as this process knows. */
  flowsWhere(isWanted: (flow: Flow) => boolean): Flow[] {
    return this.#flows.where(isWanted);
  }

  /** Wakes no more. Tasks that wait are woken by other workers, or by the next one that starts. */
  close(): void {
    this.#isClosed = true;
  }

  /** @returns the flow of the host that is being woken */
  #wakeNext(hostId: string): WaitingFlow | undefined {
    return this.#flows.wakeNext(hostId, (waiting) => this.#wakeSoon(waiting));
  }

  /** @returns false: there is no room for it, or it waits for its turn among all that a limit is for */
  #wakeSoon(waiting: WaitingFlow): boolean {
    if (this.#isClosed) return false;
    const limit = this.#limitOf(waiting.flow);
    if (waiting.isWaking && limit === undefined) {
      waiting.isAskedAgain = true;
      return true;
    }
    // Nothing is awaited before the room is taken: meanwhile another flow of the host could use the same room.
    const room = this.#left(waiting.flow);
    if (room <= 0) return false;
    if (limit !== undefined) {
      this.#limitTurns.ask(limit, waiting);
      return false;
    }
    void this.#wake(waiting, room);
    return true;
  }

  /** Wakes tasks of the flow in all shards, as many as there is room for, and then those whose turn it is. Never fails. */
  async #wake(waiting: WaitingFlow, room: number, limit?: string): Promise<void> {
    waiting.isWaking = true;
    const { woken, haveAllAnswered } = await this.#wakeInShards(waiting, room, limit);
    const { isAskedAgain } = waiting;
    waiting.isWaking = false;
    waiting.isAskedAgain = false;
    const isWaiting = this.#flows.get(waiting.flow.id) === waiting;
    // What a limit lets start is for all hosts that it stands for: then the flow asks limit-turns.ts whose turn it is.
    if (isWaiting && (isAskedAgain || (limit !== undefined && haveAllAnswered))) this.#wakeSoon(waiting);
    // Room that is left because a shard did not answer would be given from flow to flow without end: the next tick tries again.
    else if (limit === undefined && (isAskedAgain || (woken < room && haveAllAnswered))) this.#wakeNext(waiting.flow.hostId);
  }

  async #wakeInShards(waiting: WaitingFlow, room: number, limit: string | undefined): Promise<{ readonly woken: number; readonly haveAllAnswered: boolean }> {
    const { depths } = waiting;
    let woken = 0;
    let haveAllAnswered = true;
    for (const waitingLists of [...depths.keys()]) {
      if (woken >= room || this.#isClosed) break;
      const wokenThere = await this.#wakeIn(waitingLists, waiting, Math.min(room - woken, MOST_WOKEN_AT_ONCE), limit);
      if (wokenThere === undefined) haveAllAnswered = false;
      else woken += wokenThere;
    }
    if (depths.size === 0) this.#flows.drop(waiting);
    return { woken, haveAllAnswered };
  }

  /** @returns how many were woken; undefined when the shard did not do it. Never fails. */
  async #wakeIn(waitingLists: WaitingLists, { flow, depths }: WaitingFlow, wanted: number, limit: string | undefined): Promise<number | undefined> {
    if (this.isAway(waitingLists)) return undefined;
    const wereMissing = this.#woken.expect(flow, limit, wanted);
    let woken: number | undefined;
    try {
      const reply = await this.#answering.call(waitingLists, () => waitingLists.wake(flow.id, wanted));
      ({ woken } = reply);
      // To the end: the next room belongs to another shard. Where tasks keep coming, a shard that was always first would never end.
      depths.delete(waitingLists);
      if (reply.left > 0) depths.set(waitingLists, reply.left);
    } catch {
      // The next tick tries again.
    } finally {
      wereMissing(wanted - (woken ?? 0));
    }
    return woken;
  }

  /** Room that is not taken by woken tasks that are on their way. */
  #left(flow: Flow): number {
    return this.#woken.left(flow, this.options.roomFor(flow));
  }
}

import { expect } from 'chai';

import { eventually } from '../support/eventually.js';
import type { Behaviour, ReceivedRequest, Receiver, Script } from '../support/receiver.js';
import { call, getTaskAnswer, httpTask, uniqueId, type WireTask } from '../support/tasks.js';
import { inParallel } from './in-parallel.js';
import { profile } from './profile.js';

/** One POST /tasks, as its client saw it. */
export interface Post {
  readonly id: string;
  /** When it was sent, milliseconds since the epoch. */
  readonly at: number;
  readonly ms: number;
  /** undefined: the connection broke before the answer. */
  readonly status: number | undefined;
  /** Then, what the system said, such as ECONNREFUSED. */
  readonly error?: unknown;
  readonly code: unknown;
  readonly retryAfter: string | null;
}

/** What became of the tasks that were acknowledged. */
export interface Reckoning {
  readonly acked: number;
  readonly refused: number;
  readonly delivered: number;
  readonly dead: number;
  readonly parked: number;
  readonly cancelled: number;
  readonly lost: number;
  /** Messages that a receiver accepted more than once, counted beyond the first. */
  readonly duplicates: number;
  /** From the end of the fault until every acknowledged task had ended. */
  readonly recoveryMs: number;
}

/** Tasks that startLoad posts in one turn, when it is behind. */
const MOST_AT_ONCE = 20;

interface Accepted {
  delivered: number;
  dead: number;
}

type End = 'delivered' | 'dead' | 'parked' | 'cancelled';

const endOfState: ReadonlyMap<unknown, End> = new Map<unknown, End>([
  ['delivered', 'delivered'],
  ['dead_lettered', 'dead'],
  ['parked', 'parked'],
  ['cancelled', 'cancelled'],
]);

/**
 * The test's own book: which tasks were acknowledged, and what the receivers accepted. It does not believe the service
 * that something was delivered: it looks whether the receiver has it.
 */
export class Ledger {
  readonly posts: Post[] = [];
  readonly #acked = new Set<string>();
  readonly #accepted = new Map<string, Accepted>();
  #faultOverAt = performance.now();

  constructor(
    readonly receiver: Receiver,
    private readonly service: { readonly baseUrl: string },
  ) {
    this.on('/hook', { kind: 'answer' });
    this.on('/dead', { kind: 'answer' });
  }

  /** Scripts a path of the receiver, and books what is accepted there. */
  on(path: string, behaviour: Behaviour | Script): void {
    this.receiver.on(path, (request, nth) => {
      const chosen = typeof behaviour === 'function' ? behaviour(request, nth) : behaviour;
      if (isAcceptance(chosen)) this.book(request.taskId, path.startsWith('/dead') ? 'dead' : 'delivered');
      return chosen;
    });
  }

  /** A receiver reports that it got the task. */
  book(id: string, as: keyof Accepted): void {
    const seen = this.#accepted.get(id) ?? { delivered: 0, dead: 0 };
    seen[as] += 1;
    this.#accepted.set(id, seen);
  }

  /** To /hook, with /dead as its dead destination; due at once. */
  task(changes: Partial<WireTask> = {}): WireTask {
    return httpTask(this.receiver.url('/hook'), { id: uniqueId('chaos'), dead_destination: { url: this.receiver.url('/dead') }, ...changes });
  }

  tasks(count: number, changes: Partial<WireTask> = {}): WireTask[] {
    return Array.from({ length: count }, () => this.task(changes));
  }

  /** Posts it once, whatever comes of it. */
  async submit(task: WireTask): Promise<Post> {
    const at = Date.now();
    const startedAt = performance.now();
    const post = await this.#post(task).then(
      ({ status, headers, body }) => ({ status, code: body['code'], retryAfter: headers.get('retry-after') }),
      (error: unknown) => ({ status: undefined, error: codeOf(error), code: undefined, retryAfter: null }),
    );
    if (post.status === 201 || post.status === 200) this.#acked.add(task.id);
    const done = { id: task.id, at, ms: performance.now() - startedAt, ...post };
    this.posts.push(done);
    return done;
  }

  /** Posts all of them, and fails the test when one is not accepted. */
  async submitAll(tasks: readonly WireTask[]): Promise<void> {
    await inParallel(tasks, 32, async (task) => {
      const post = await this.submit(task);
      expect(post.status, JSON.stringify(post)).to.equal(201);
    });
  }

  /** It was answered with 2xx by a process that this test has not seen. */
  acknowledgedBefore(id: string): void {
    this.#acked.add(id);
  }

  /** Posts a new task again and again at about this rate, also while there is no answer. @returns what stops it */
  startLoad(perSecond: number, make: () => WireTask = () => this.task()): () => Promise<void> {
    const underWay = new Set<Promise<unknown>>();
    const startedAt = performance.now();
    let begun = 0;
    const timer = setInterval(() => {
      // A timer of a busy machine is late. The long form posts what is due by now, so that the load is what it says; the short one has other tests
      // beside it, and does with less.
      const due = profile.name === 'long' ? Math.min(Math.ceil(((performance.now() - startedAt) / 1_000) * perSecond), begun + MOST_AT_ONCE) : begun + 1;
      for (; begun < due; begun += 1) {
        const posting: Promise<unknown> = this.submit(make()).finally(() => underWay.delete(posting));
        underWay.add(posting);
      }
    }, 1_000 / perSecond);
    return async () => {
      clearInterval(timer);
      await Promise.all(underWay);
    };
  }

  get acked(): ReadonlySet<string> {
    return this.#acked;
  }

  /** How often receivers accepted it. */
  accepted(id: string): Readonly<Accepted> {
    return this.#accepted.get(id) ?? { delivered: 0, dead: 0 };
  }

  get acceptedTasks(): number {
    return this.#accepted.size;
  }

  /** What is measured as recovery begins now. */
  faultIsOver(): void {
    this.#faultOverAt = performance.now();
  }

  /** Of the acknowledged tasks those of which the service knows nothing. */
  async unknown(): Promise<ReadonlySet<string>> {
    const found = new Set<string>();
    await inParallel([...this.#acked], 16, async (id) => {
      const { status } = await getTaskAnswer(this.service.baseUrl, id);
      if (status === 404) found.add(id);
    });
    return found;
  }

  /**
   * Waits until every acknowledged task has ended, by the service's word and the receiver's, and counts.
   * @param gone tasks that were seen to be lost, where that is allowed; no receiver may have them
   */
  async settle({ withinMs = 30_000, everyMs = 50, gone = new Set() }: { readonly withinMs?: number; readonly everyMs?: number; readonly gone?: ReadonlySet<string> } = {}): Promise<Reckoning> {
    const open = new Map<string, string>([...this.#acked].filter((id) => !gone.has(id)).map((id) => [id, 'not looked at']));
    const ends: Record<End, number> = { delivered: 0, dead: 0, parked: 0, cancelled: 0 };
    const look = async (): Promise<void> => {
      await inParallel([...open.keys()], 16, async (id) => {
        const found = await this.#look(id);
        if (found.end === undefined) {
          open.set(id, found.why);
          return;
        }
        ends[found.end] += 1;
        open.delete(id);
      });
      if (open.size > 0) throw new Error(`${open.size} of ${this.#acked.size} acknowledged tasks have no end: ${JSON.stringify([...open].slice(0, 3))}`);
    };
    await eventually(look, { withinMs, everyMs });
    expect([...gone].filter((id) => this.#accepted.has(id)), 'lost, and received all the same').to.deep.equal([]);
    return {
      acked: this.#acked.size,
      refused: this.posts.filter(({ status }) => status !== undefined && status > 299).length,
      ...ends,
      lost: gone.size,
      duplicates: this.#duplicates(),
      recoveryMs: Math.round(performance.now() - this.#faultOverAt),
    };
  }

  /** Requests of all tasks whose sends must have cost no attempt. */
  requestsWithAttempts(path = '/hook'): readonly ReceivedRequest[] {
    return this.receiver.requestsTo(path).filter(({ headers }) => headers['x-retry-attempt'] !== '0');
  }

  async #look(id: string): Promise<{ end: End; why?: never } | { end?: never; why: string }> {
    const { status, body } = await getTaskAnswer(this.service.baseUrl, id);
    if (status !== 200) return { why: `GET answered ${status}` };
    const end = endOfState.get(body['state']);
    if (end === undefined) return { why: JSON.stringify({ state: body['state'], waiting_for: body['waiting_for'] }) };
    const { delivered, dead } = this.accepted(id);
    if ((end === 'delivered' && delivered === 0) || (end === 'dead' && dead === 0)) return { why: `${end}, says the service, but the receiver has not got it` };
    // One end: the dead destination gets it only when the delivery has been given up for good.
    if (end !== 'dead' && dead > 0) return { why: `${end}, says the service, but the dead destination has got it` };
    return { end };
  }

  #duplicates(): number {
    return [...this.#accepted.values()].reduce((sum, { delivered, dead }) => sum + delivered + dead - 1, 0);
  }

  #post(task: WireTask): ReturnType<typeof call> {
    return call(this.service.baseUrl, '/tasks', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(task),
      signal: AbortSignal.timeout(10_000),
    });
  }
}

/** fetch wraps what the system said. */
function codeOf(error: unknown): unknown {
  const cause: unknown = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && 'code' in cause ? cause.code : undefined;
}

function isAcceptance(behaviour: Behaviour): boolean {
  if (behaviour.kind !== 'answer' && behaviour.kind !== 'big') return false;
  const { status = 200 } = behaviour;
  return status >= 200 && status <= 299;
}

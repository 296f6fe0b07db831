import { ApiCalls, type ClientOptions } from './api-calls.js';
import { ApiError } from './api-error.js';
import type { Accepted, AccessKey, AuditEntry, BulkAction, BulkActionRequest, ChangedDestination, Counts, Destination, DryRun, Failures, History, KeyChange, Limits, MadeKey, NewKey, Removed, Retried, ShownDestination, Stats, Status, Submission, SubmitResult, Task, TaskPatch, TaskSummary, TaskView, TestSend, TestSendAttempt } from './answers.js';
import { destinationId } from './destination-id.js';
import { pause } from './linked-signal.js';
import { readPages, type ReadOptions, type ReadPage } from './read-pages.js';
import type { Answer, Query, Schemas } from './routes.js';
import { checkFilter, type TaskFilter } from './task-filter.js';
import { submitLines, type SubmitLinesOptions } from './task-lines.js';
import { waitForTask, type WaitOptions } from './wait-for-task.js';
import { added, missingIn, mostFirst } from './sum-of-parts.js';

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface ChangeOptions extends CallOptions {
  /** Why the change is made; it is recorded. 1 to 500 characters. */
  readonly reason?: string | undefined;
}

export interface SubmitOptions extends CallOptions {
  /**
   * What makes a repeat recognizable, also when the task has ended meanwhile. Default: a new one for each call of `submit`, and for
   * each request with which `submitMany` hands over tasks. With one of your own, an id that a stream holds twice is sent once.
   */
  readonly idempotencyKey?: string;
}

export interface ListOptions extends CallOptions, ReadOptions {
  /** Default newest. */
  readonly order?: 'newest' | 'oldest' | undefined;
}

export interface CountOptions {
  /** Called behind each part. @param part how many tasks were looked at until then */
  readonly onPage?: ((part: Pick<ReadPage, 'scanned'>) => void) | undefined;
}

/** One request of a scan works for two seconds at most, and waits for its turn. */
const SCAN_LIMIT_MS = 30_000;
/** A test send may take as long as a delivery (DELIVERY_TIMEOUT), and is not made again. fetch itself waits for no more than 300 s. */
const TEST_SEND_LIMIT_MS = 290_000;

/**
 * The API of the service, typed. Each method makes its calls again when they got 429, 503 or no answer: with the same id and the same
 * Idempotency-Key, so nothing is done twice. A call of which that is not certain (`retry`) is made again only when nothing was done.
 * All methods throw ApiError, NoAnswerError, or the reason of the signal.
 *
 * ```ts
 * const retry = new RetryClient({ url: 'http://127.0.0.1:8080', operator: 'Anna' });
 * await retry.submit(task);
 * const { state, run } = await retry.waitFor(task.id, { timeoutMs: 30_000 });
 * for await (const { id } of retry.list({ state: 'parked', client_id: 'shop' })) console.log(id);
 * ```
 */
export class RetryClient {
  readonly #calls: ApiCalls;

  constructor(options: ClientOptions) {
    this.#calls = new ApiCalls(options);
  }

  /** Hands over a task. When it resolves, the service has it. */
  async submit(task: Task, { signal, idempotencyKey = crypto.randomUUID() }: SubmitOptions = {}): Promise<Accepted> {
    return this.#calls.call('POST /tasks', { body: task, headers: { 'idempotency-key': idempotencyKey }, signal });
  }

  /**
   * Hands over any number of tasks as they come, some hundreds a request, and gives a result for each, in order. Look at `status`:
   * a task that is refused stops no other.
   */
  async *submitMany(tasks: AsyncIterable<Task> | Iterable<Task>, options: SubmitOptions = {}): AsyncGenerator<SubmitResult, void, undefined> {
    yield* this.submitLines(printed(tasks), options);
  }

  /** The same for tasks that are JSON already, each a text without line breaks. They are sent as they are. */
  async *submitLines(lines: AsyncIterable<string> | Iterable<string>, options: SubmitLinesOptions = {}): AsyncGenerator<SubmitResult, void, undefined> {
    yield* submitLines(this.#calls, lines, options);
  }

  async get(id: string, { includeMessage = false, signal }: CallOptions & { readonly includeMessage?: boolean } = {}): Promise<TaskView> {
    return this.#calls.call('GET /tasks/{id}', { path: { id }, query: { include: includeMessage ? ['message_data'] : undefined }, signal });
  }

  /** The task as it could be submitted; what is secret is `***`. */
  async submission(id: string, { signal }: CallOptions = {}): Promise<Submission> {
    return this.#calls.call('GET /tasks/{id}/submission', { path: { id }, signal });
  }

  /** Waits until a task has ended: see waitForTask. */
  async waitFor(id: string, options: WaitOptions = {}): Promise<TaskView> {
    return waitForTask(this.#calls, id, options);
  }

  /** All tasks that match, page by page until nothing is left. */
  async *list(filter: TaskFilter = {}, { order, signal, ...options }: ListOptions = {}): AsyncGenerator<TaskSummary, void, undefined> {
    checkFilter(filter);
    yield* readPages(options, async (part) => {
      const { tasks, ...page } = await this.#calls.call('GET /tasks', { query: { ...filter, order, ...part }, signal, atLeastMs: SCAN_LIMIT_MS });
      return { items: tasks, ...page };
    });
  }

  /** How many tasks match, in groups where `by` names a field. It goes on until all of them were looked at. */
  async count(filter: TaskFilter = {}, { by, signal, onPage }: CallOptions & CountOptions & { readonly by?: Query<'GET /counts'>['by'] } = {}): Promise<Counts> {
    checkFilter(filter);
    let sum: Counts = { count: 0, is_exact: false, scanned: 0, not_read: 0 };
    const groups = new Map<string | number | null, number>();
    for (let cursor: string | undefined; ; ) {
      const part: Answer<'GET /counts'> = await this.#calls.call('GET /counts', { query: { ...filter, by, cursor }, signal, atLeastMs: SCAN_LIMIT_MS });
      const notRead = sum.not_read + part.not_read;
      // The last part says it of all of them. Services of older versions left out there what earlier parts could not read.
      sum = { count: sum.count + part.count, is_exact: part.is_exact && notRead === 0, scanned: sum.scanned + part.scanned, not_read: notRead, ...missingIn(sum, part) };
      for (const { value, count } of part.groups ?? []) groups.set(value, (groups.get(value) ?? 0) + count);
      onPage?.({ scanned: sum.scanned });
      if (part.next_cursor === null) break;
      cursor = part.next_cursor;
    }
    return by === undefined ? sum : { ...sum, groups: mostFirst(groups) };
  }

  /** What failed lately, by destination and error. @param since `1h`, `24h`, or a time */
  async failures({ since, signal }: CallOptions & { readonly since?: string | undefined } = {}): Promise<Failures> {
    return this.#calls.call('GET /failures', { query: { since }, signal });
  }

  /**
   * Cancels a task that waits. A parked one stays: it is the only copy of its message. A call whose answer was lost is made again, and
   * what its first try has cancelled is no error then.
   * @throws ApiError parked, being_sent, finished, task_not_found
   */
  async cancel(id: string, { reason, signal }: ChangeOptions = {}): Promise<Removed> {
    const tries = { count: 0 };
    try {
      return await this.#calls.call('DELETE /tasks/{id}', { path: { id }, query: { reason, action: 'cancel' }, signal, tries });
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 'finished' || tries.count < 2) throw error;
      const { state } = await this.get(id, { signal });
      if (state !== 'cancelled') throw error;
      return { message: `Task ${id} cancelled`, id, state };
    }
  }

  /**
   * Removes a parked task for good: it is the only copy of its message. No other task is touched.
   * @throws ApiError conflict, being_sent, finished, task_not_found
   */
  async delete(id: string, { reason, signal }: ChangeOptions = {}): Promise<Removed> {
    const tries = { count: 0 };
    try {
      return await this.#calls.call('DELETE /tasks/{id}', { path: { id }, query: { reason, action: 'delete' }, signal, tries });
    } catch (error) {
      // A try before may have deleted it, and its answer was lost.
      if (!(error instanceof ApiError) || error.code !== 'task_not_found' || tries.count < 2) throw error;
      return { message: `Task ${id} deleted`, id, state: 'deleted' };
    }
  }

  /** Sends a task now; starts a dead letter or a parked task again as a new run. */
  async retry(id: string, { reason, signal }: ChangeOptions = {}): Promise<Retried> {
    return this.#calls.call('POST /tasks/{id}/retry', { path: { id }, query: { reason }, signal, isRepeatable: false });
  }

  /** Changes fields of a task that waits, or that is dead-lettered or parked: a JSON merge patch (RFC 7396). It sends nothing. */
  async edit(id: string, changes: TaskPatch, { reason, signal }: ChangeOptions = {}): Promise<TaskView> {
    return this.#calls.call('PATCH /tasks/{id}', { path: { id }, query: { reason }, body: changes, signal });
  }

  /**
   * Starts a bulk action. Its id is made once, before the first try, so a repeat starts no second one.
   * @throws ApiError count_differs when `expected` is not the number of tasks that match
   */
  async createBulkAction(request: BulkActionRequest, { signal }: CallOptions = {}): Promise<BulkAction> {
    checkFilter(request.filter ?? {});
    return this.#calls.call<'POST /bulk-actions', BulkAction>('POST /bulk-actions', { body: { id: `ba_${crypto.randomUUID()}`, ...request }, signal, atLeastMs: SCAN_LIMIT_MS });
  }

  /** What a bulk action would do. It goes on until all tasks were looked at. */
  async dryRun(request: BulkActionRequest, { signal, onPage }: CallOptions & CountOptions = {}): Promise<DryRun> {
    checkFilter(request.filter ?? {});
    let sum: DryRun = { matched: 0, is_exact: false, scanned: 0, by_error_code: [], by_destination_key: [], samples: [] };
    for (let cursor: string | undefined; ; ) {
      const { next_cursor: next, ...part }: Schemas['DryRun'] = await this.#calls.call<'POST /bulk-actions', Schemas['DryRun']>('POST /bulk-actions', { body: { ...request, dry_run: true, ...(cursor === undefined ? {} : { cursor }) }, signal, atLeastMs: SCAN_LIMIT_MS });
      sum = {
        matched: sum.matched + part.matched,
        is_exact: part.is_exact,
        ...missingIn(sum, part),
        scanned: sum.scanned + part.scanned,
        by_error_code: added(sum.by_error_code, part.by_error_code),
        by_destination_key: added(sum.by_destination_key, part.by_destination_key),
        samples: [...sum.samples, ...part.samples].slice(0, 10),
      };
      onPage?.({ scanned: sum.scanned });
      if (next === null) return sum;
      cursor = next;
    }
  }

  async bulkAction(id: string, { signal }: CallOptions = {}): Promise<BulkAction> {
    return this.#calls.call('GET /bulk-actions/{id}', { path: { id }, signal });
  }

  async *bulkActions({ signal, ...options }: CallOptions & ReadOptions = {}): AsyncGenerator<BulkAction, void, undefined> {
    yield* readPages(options, async (part) => {
      const { bulk_actions: items, ...page } = await this.#calls.call('GET /bulk-actions', { query: part, signal });
      return { items, ...page };
    });
  }

  async pauseBulkAction(id: string, { reason, signal }: ChangeOptions = {}): Promise<BulkAction> {
    return this.#calls.call('POST /bulk-actions/{id}/pause', { path: { id }, query: { reason }, signal });
  }

  async resumeBulkAction(id: string, { reason, signal }: ChangeOptions = {}): Promise<BulkAction> {
    return this.#calls.call('POST /bulk-actions/{id}/resume', { path: { id }, query: { reason }, signal });
  }

  async cancelBulkAction(id: string, { reason, signal }: ChangeOptions = {}): Promise<BulkAction> {
    return this.#calls.call('POST /bulk-actions/{id}/cancel', { path: { id }, query: { reason }, signal });
  }

  /** @param rate tasks a second, all workers together; null: no limit */
  async setBulkActionRate(id: string, rate: number | null, { reason, signal }: ChangeOptions = {}): Promise<BulkAction> {
    return this.#calls.call('PATCH /bulk-actions/{id}', { path: { id }, query: { reason }, body: { rate }, signal });
  }

  /** The object each time it was read, until nothing is left to start. */
  async *watchBulkAction(id: string, { everyMs = 500, signal }: CallOptions & { readonly everyMs?: number } = {}): AsyncGenerator<BulkAction, void, undefined> {
    for (;;) {
      const action = await this.bulkAction(id, { signal });
      yield action;
      if (action.state !== 'matching' && action.state !== 'running') return;
      await pause(everyMs, signal);
    }
  }

  async *destinations({ group, signal, ...options }: CallOptions & ReadOptions & { readonly group?: string | undefined } = {}): AsyncGenerator<Destination, void, undefined> {
    yield* readPages(options, async (part) => {
      const { destinations: items, ...page } = await this.#calls.call('GET /destinations', { query: { group, ...part }, signal });
      return { items, ...page };
    });
  }

  /** @param key a host, an endpoint, a cluster, a topic, a flow_key, its id, or `*` for everything */
  async destination(key: string, { signal }: CallOptions = {}): Promise<ShownDestination> {
    return this.#calls.call('GET /destinations/{key}', { path: { key: idOf(key) }, signal });
  }

  /** @param until when it is over by itself: a time, or `+30m` */
  async pause(key: string, { until, reason, signal }: ChangeOptions & { readonly until?: string | undefined } = {}): Promise<ChangedDestination> {
    return this.#calls.call('POST /destinations/{key}/pause', { path: { key: idOf(key) }, body: { ...given({ until }), ...given({ reason }) }, signal });
  }

  async resume(key: string, { reason, signal }: ChangeOptions = {}): Promise<ChangedDestination> {
    return this.#calls.call('POST /destinations/{key}/resume', { path: { key: idOf(key) }, body: given({ reason }), signal });
  }

  /** Replaces the limits. Without any, there are none. */
  async setLimits(key: string, limits: Limits, { reason, signal }: ChangeOptions = {}): Promise<ChangedDestination> {
    return this.#calls.call('PUT /destinations/{key}', { path: { key: idOf(key) }, body: { ...limits, ...given({ reason }) }, signal });
  }

  /** Sends one message now, past pauses, limits and circuits. It resolves whatever the receiver says: look at `outcome`. */
  async testSend(request: TestSend, { reason, signal }: ChangeOptions = {}): Promise<TestSendAttempt> {
    return this.#calls.call('POST /test-sends', { query: { reason }, body: request, signal, isRepeatable: false, defaultMs: TEST_SEND_LIMIT_MS });
  }

  /** Who changed what, the newest first. */
  async audit(query: Omit<Query<'GET /audit'>, 'limit' | 'cursor'> = {}, { signal, ...options }: CallOptions & ReadOptions = {}): Promise<readonly AuditEntry[]> {
    const entries: AuditEntry[] = [];
    const read = async (part: Pick<Query<'GET /audit'>, 'limit' | 'cursor'>) => {
      const { entries: items, ...page } = await this.#calls.call('GET /audit', { query: { ...query, ...part }, signal });
      return { items, ...page };
    };
    for await (const entry of readPages(options, read)) entries.push(entry);
    return entries;
  }

  /** Makes an access key. Its answer is the only one that has the key. It is not made again when no answer came: there would be two. */
  async createKey(settings: NewKey, { signal }: CallOptions = {}): Promise<MadeKey> {
    return this.#calls.call('POST /keys', { body: settings, signal, isRepeatable: false });
  }

  /** All access keys, without their secrets, the newest first. */
  async *keys({ signal, ...options }: CallOptions & ReadOptions = {}): AsyncGenerator<AccessKey, void, undefined> {
    yield* readPages(options, async (part) => {
      const { keys: items, ...page } = await this.#calls.call('GET /keys', { query: part, signal });
      return { items, ...page };
    });
  }

  async changeKey(id: string, changes: KeyChange, { reason, signal }: ChangeOptions = {}): Promise<AccessKey> {
    return this.#calls.call('PATCH /keys/{id}', { path: { id }, query: { reason }, body: changes, signal });
  }

  /** Revokes a key. */
  async deleteKey(id: string, { reason, signal }: ChangeOptions = {}): Promise<Answer<'DELETE /keys/{id}'>> {
    return this.#calls.call('DELETE /keys/{id}', { path: { id }, query: { reason }, signal, isRepeatable: false });
  }

  /** @param overlap seconds for which the old secret holds as well; 0: it has leaked. Default a day */
  async rotateKey(id: string, { overlap, reason, signal }: ChangeOptions & { readonly overlap?: number | undefined } = {}): Promise<MadeKey> {
    return this.#calls.call('POST /keys/{id}/rotate', { path: { id }, query: { reason }, body: overlap === undefined ? {} : { overlap }, signal, isRepeatable: false });
  }

  async stats({ signal }: CallOptions = {}): Promise<Stats> {
    return this.#calls.call('GET /stats', { signal });
  }

  async status({ signal }: CallOptions = {}): Promise<Status> {
    return this.#calls.call('GET /status', { signal });
  }

  /** Numbers a minute. @param since `1h` (default), at most `24h`, or a time */
  async history({ since, signal }: CallOptions & { readonly since?: string | undefined } = {}): Promise<History> {
    return this.#calls.call('GET /history', { query: { since }, signal });
  }
}

async function* printed(tasks: AsyncIterable<Task> | Iterable<Task>): AsyncGenerator<string, void, undefined> {
  for await (const task of tasks) yield JSON.stringify(task);
}

function idOf(key: string): string {
  if (key === '') throw new RangeError('the key of a destination must not be empty');
  return destinationId(key);
}

/** Without the members that are undefined. */
function given<Name extends string>(members: Readonly<Record<Name, string | undefined>>): Partial<Record<Name, string>> {
  // Those that are left have a text.
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as Partial<Record<Name, string>>;
}

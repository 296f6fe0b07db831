import type { IncomingMessage } from 'node:http';
import { setImmediate as otherWork } from 'node:timers/promises';
import { RequestError } from '../../shared/domain/errors.js';
import type { Logger } from '../../shared/logging/logger.js';
import { jsonTextAnswer, type Answer } from '../http/answer.js';
import { answerToError, refusalOf } from '../http/error-response.js';
import { checkBodyHeaders, isJson, parseJson, readBody } from '../http/json-body.js';
import type { RequestContext } from '../http/request-context.js';
import { splitArray } from './batch-array.js';
import { readLines } from './batch-lines.js';
import { BatchResults } from './batch-results.js';
import { BatchWindow } from './batch-window.js';
import type { ParseTask } from './schema.js';
import type { SubmitTask } from './submit-task.js';

export const MAX_BATCH_TASKS = 10_000;
export const MAX_BATCH_BYTES = 32 * 1_048_576;
/** Tasks that are checked in a row before other requests get their turn. At most this many share a MULTI. */
const TASKS_IN_A_ROW = 200;
const MAX_ID_LENGTH = 510;
/**
 * After a failure of Redis, the next tasks of a batch are refused without being tried for this long, ms. The Retry-After of a
 * 503 gives the same time to senders of one task. After it the upload goes on, if Redis is back.
 */
const ASK_AGAIN_AFTER_MS = 1_000;

export interface BatchDeps {
  readonly parseTask: ParseTask;
  readonly submitTask: SubmitTask;
  /** The size limit of one task: the same as for a task that comes alone. */
  readonly maxBodyBytes: number;
  readonly logger: Logger;
}

/**
 * `POST /tasks/batch` does what `POST /tasks` does, for many tasks, one after the other. Each is answered as it would
 * have been alone, and none stops another.
 */
export async function submitBatch(context: RequestContext, deps: BatchDeps): Promise<Answer> {
  const { request } = context;
  const batch = new Batch(context, deps);
  const truncation = await batch.submitAll(await textsOf(request, deps.maxBodyBytes));
  // The bytes behind the limit must be taken off the connection, or the sender never reads the answer.
  request.resume();
  const { results } = batch;
  const unavailable = results.whyNothingIsStored;
  const { status, headers } = unavailable === undefined ? { status: 207, headers: {} } : answerToError(unavailable);
  return jsonTextAnswer(status, results.print(truncation, context.requestId), headers);
}

/** The texts of the tasks, a few at a time. An array is read whole, so that nothing of one that is too large is stored. */
async function textsOf(request: IncomingMessage, maxTaskBytes: number): Promise<AsyncIterable<readonly BatchText[]> | Iterable<readonly BatchText[]>> {
  const mediaType = checkBodyHeaders(request, MAX_BATCH_BYTES, isBatchType, 'application/json (an array) or application/x-ndjson (a task a line)');
  if (!isJson(mediaType)) return readLines(request, maxTaskBytes, MAX_BATCH_BYTES);
  const elements = splitArray(await readBody(request, MAX_BATCH_BYTES), MAX_BATCH_TASKS);
  return [elements.map((element) => (element.length <= maxTaskBytes ? element : new RequestError('too_large', `a task must not be larger than ${maxTaskBytes} bytes`)))];
}

/** The JSON of one task, not yet parsed, or why it will not be read. */
type BatchText = Buffer | RequestError;

function isBatchType(mediaType: string): boolean {
  return isJson(mediaType) || mediaType === 'application/x-ndjson' || mediaType === 'application/jsonl';
}

/** The tasks of one request that are under way. */
class Batch {
  readonly results = new BatchResults();
  readonly #window = new BatchWindow();
  /** Redis did not answer one of the tasks, or refused it. Those right behind it get the same answer without being tried. */
  #away: { readonly refusal: RequestError; readonly untilMs: number } | undefined;

  constructor(
    private readonly context: RequestContext,
    private readonly deps: BatchDeps,
  ) {}

  /**
   * Resolves when every task that was read has its result.
   * @returns why the rest was not read: too many tasks, or too many bytes
   */
  async submitAll(texts: AsyncIterable<readonly BatchText[]> | Iterable<readonly BatchText[]>): Promise<RequestError | undefined> {
    let truncation: RequestError | undefined;
    try {
      await this.#startAll(texts);
    } catch (error) {
      if (!(error instanceof RequestError && error.code === 'too_large')) throw error;
      truncation = error;
    }
    await this.#window.whenEmpty();
    return truncation;
  }

  async #startAll(texts: AsyncIterable<readonly BatchText[]> | Iterable<readonly BatchText[]>): Promise<void> {
    let index = 0;
    for await (const some of texts) {
      for (const text of some) {
        if (index === MAX_BATCH_TASKS) throw new RequestError('too_large', `a batch must not have more than ${MAX_BATCH_TASKS} tasks`);
        if (index > 0 && index % TASKS_IN_A_ROW === 0) await otherWork();
        if (!this.#window.hasRoom) await this.#window.whenRoom();
        void this.#submitOne(text, index);
        index += 1;
      }
    }
  }

  /** It never rejects. It reaches the queue before it returns, so tasks are stored in the order in which they came. */
  async #submitOne(text: BatchText, index: number): Promise<void> {
    const bytes = text instanceof RequestError ? 0 : text.length;
    this.#window.enter(bytes);
    let id: string | undefined;
    try {
      if (text instanceof RequestError) throw text;
      const input = parseJson(text, 'the task');
      id = readId(input);
      const task = this.deps.parseTask(input);
      if (this.#away !== undefined && performance.now() < this.#away.untilMs) throw this.#away.refusal;
      this.results.accept(index, await this.deps.submitTask(task));
    } catch (thrown) {
      const refusal = refusalOf(thrown, this.context, this.deps.logger);
      // Tasks that were not sent do not start the time anew, or it would never end.
      if ((refusal.code === 'redis_unavailable' || refusal.code === 'redis_refused') && thrown !== this.#away?.refusal) this.#away = { refusal, untilMs: performance.now() + ASK_AGAIN_AFTER_MS };
      this.results.refuse(index, id, refusal);
    } finally {
      this.#window.leave(bytes);
    }
  }
}

/** The id is for the answer only: it helps a client to find the faulty task. */
function readId(input: unknown): string | undefined {
  if (typeof input !== 'object' || input === null || !('id' in input)) return undefined;
  return typeof input.id === 'string' && input.id.length <= MAX_ID_LENGTH ? input.id : undefined;
}

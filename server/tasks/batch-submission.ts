import { RequestError } from '../../shared/domain/errors.js';
import type { SubmissionSpan } from '../../shared/telemetry/tracing/tracing.js';
import type { SubmittedTrace } from '../../shared/domain/trace-context.js';
import type { SecretBox } from '../../shared/domain/secrets/secret-box.js';
import type { Logger } from '../../shared/logging/logger.js';
import type { RateLimiter } from '../access/rate-limiter.js';
import { showRateLimit } from '../access/with-rate-limit.js';
import { jsonTextAnswer, type Answer } from '../http/answer.js';
import type { BodyBudget, HeldBytes } from '../http/body-budget.js';
import { answerToError, refusalOf } from '../http/error-response.js';
import { idempotencyKeyOf } from '../http/idempotency-key.js';
import { checkBodyHeaders, isJson, LARGE_BYTES, parseJson, parseLargeJson, readBody } from '../http/json-body.js';
import type { JsonThing } from '../http/json-scan.js';
import { reasonFor } from '../http/reason-for.js';
import type { RequestContext } from '../http/request-context.js';
import { TextPlaces } from '../http/text-places.js';
import type { WorkTurns } from '../http/work-turns.js';
import { AwayShards } from './away-shards.js';
import { splitArray, tooManyTasks } from './batch-array.js';
import { readLines, type LinePart } from './batch-lines.js';
import { BatchResults } from './batch-results.js';
import { BatchWindow } from './batch-window.js';
import { contentInTurns } from './large-task.js';
import { aTask, type ParseTask } from './schema.js';
import type { Acceptance, SubmitTask } from './submit-task.js';
import { submittedTraceOf } from './submitted-trace.js';

/** A turn of short tasks: so many share a call of Redis, and smaller groups cost more. It takes 6 ms. */
const TASKS_IN_A_ROW = 200;
/** The clock is looked at once for so many short tasks: they take 0.3 ms. */
const TASKS_BY_CLOCK = 8;
const LONG_BYTES = 4_096;
const MAX_ID_LENGTH = 510;

export interface BatchDeps {
  readonly parseTask: ParseTask;
  readonly submitTask: SubmitTask;
  /** The size limit of one task: the same as for a task that comes alone. */
  readonly maxBodyBytes: number;
  /** MAX_BATCH_TASKS, MAX_BATCH_BYTES */
  readonly batch: { readonly maxTasks: number; readonly maxBytes: number };
  readonly bodyBudget: BodyBudget;
  readonly turns: WorkTurns;
  readonly secrets: SecretBox;
  readonly logger: Logger;
  /** Logs and counts a refusal. The request that the task came with is answered 207. */
  readonly noteRefusal: (refusal: RequestError, context: RequestContext) => void;
  /** Each task behind the first takes one of what the key may send. */
  readonly rateLimiter: RateLimiter;
  /** The shard of an id: what one shard does says nothing of the others. */
  readonly shardOf: (taskId: string) => number;
}

/**
 * `POST /tasks/batch` does what `POST /tasks` does, for many tasks, one after the other. Each is answered as it would
 * have been alone, and none stops another.
 */
export async function submitBatch(context: RequestContext, deps: BatchDeps): Promise<Answer> {
  const idempotencyKey = idempotencyKeyOf(context.request);
  const held = deps.bodyBudget.open(context.request);
  try {
    const batch = new Batch(context, deps, held, idempotencyKey);
    const truncation = await batch.submitAll().finally(() => showWhatIsLeft(context, deps));
    const { results } = batch;
    if (results.length >= LARGE_BYTES) await deps.turns.next();
    const unavailable = results.whyNothingIsStored;
    const { status, headers } = unavailable === undefined ? { status: 207, headers: {} } : answerToError(unavailable);
    return jsonTextAnswer(status, results.print(truncation, context.requestId), headers);
  } finally {
    held.release();
  }
}

function showWhatIsLeft(context: RequestContext, { rateLimiter }: BatchDeps): void {
  const { rateLimit } = context.caller;
  if (rateLimit !== undefined) showRateLimit(context, rateLimiter, rateLimit);
}

/** The JSON of one task, not yet parsed, or why it will not be read. */
type BatchText = Buffer | RequestError;
/** A few at a time. Only lines say where they stand; elements of an array are parts of the body. */
type BatchPart = LinePart | { readonly texts: readonly BatchText[]; readonly lines?: never; readonly columns?: never };
type BatchTexts = AsyncIterable<BatchPart> | Iterable<BatchPart>;

function isLong(text: BatchText): boolean {
  return text instanceof Buffer && text.length > LONG_BYTES;
}

function isBatchType(mediaType: string): boolean {
  return isJson(mediaType) || mediaType === 'application/x-ndjson' || mediaType === 'application/jsonl';
}

/** The tasks of one request that are under way. */
class Batch {
  readonly results = new BatchResults();
  readonly #window = new BatchWindow();
  readonly #away: AwayShards;
  /** A line is in memory until its task has its result. An array is so until the end of the batch. */
  #isOfLines = false;
  /** The text that is being parsed is one of these. */
  #part: BatchPart = { texts: [] };
  #nthOfPart = 0;
  /** That of the request, for every task in it. */
  readonly #trace: SubmittedTrace | undefined;
  /** One for all of its tasks. */
  readonly #span: SubmissionSpan | undefined;
  #array: { readonly body: Buffer; readonly places: TextPlaces } | undefined;
  readonly #aTask: JsonThing = { ...aTask, placeOf: (text, offset) => this.#placeOf(text, offset) };

  constructor(
    private readonly context: RequestContext,
    private readonly deps: BatchDeps,
    private readonly held: HeldBytes,
    /** It counts for each task together with the task's id, as if each had been sent alone with it. '' for none. */
    private readonly idempotencyKey: string,
  ) {
    this.#away = new AwayShards(deps.shardOf);
    this.#span = context.span?.beginSubmission();
    this.#trace = submittedTraceOf(context.request, this.#span);
  }

  /**
   * Resolves when every task that was read has its result.
   * @returns why the rest was not read: too many tasks, or too many bytes
   */
  async submitAll(): Promise<RequestError | undefined> {
    if (this.#span === undefined) return this.#submitAll();
    try {
      return await this.#submitAll();
    } finally {
      this.#span.end(this.results.total, this.results.whyNothingIsStored?.code);
    }
  }

  async #submitAll(): Promise<RequestError | undefined> {
    const texts = await this.#texts();
    let truncation: RequestError | undefined;
    try {
      truncation = await this.#startAll(texts);
    } catch (error) {
      if (!(error instanceof RequestError && error.code === 'too_large')) throw error;
      truncation = error;
    }
    await this.#window.whenEmpty();
    return truncation;
  }

  /** The texts of the tasks. An array is read whole, so that nothing of one that is too large is stored. */
  async #texts(): Promise<BatchTexts> {
    const { context, held } = this;
    const { maxBodyBytes, batch } = this.deps;
    const size = { maxBytes: batch.maxBytes, limit: 'MAX_BATCH_BYTES' };
    const mediaType = checkBodyHeaders(context.request, size, isBatchType, 'application/json (an array) or application/x-ndjson (a task a line)');
    this.#isOfLines = !isJson(mediaType);
    if (this.#isOfLines) return readLines(context.request, { maxLineBytes: maxBodyBytes, maxBytes: batch.maxBytes, held, whenHandled: () => this.#window.whenEmpty() });
    const body = await readBody(context.request, size, { held, turns: this.deps.turns });
    if (context.isAccessOld) await context.renewAccess();
    const texts = await splitArray(body, { maxElements: batch.maxTasks, maxElementBytes: maxBodyBytes }, this.deps.turns);
    this.#array = { body, places: new TextPlaces(body) };
    return [{ texts }];
  }

  /** In the whole body, so that an editor finds it. */
  #placeOf(text: Buffer, offset: number): string {
    if (this.#array === undefined) return new TextPlaces(text, { line: this.#part.lines?.[this.#nthOfPart], column: this.#part.columns?.[this.#nthOfPart] }).at(offset);
    const { body, places } = this.#array;
    // Elements are views of the body's memory, and come in their order.
    return places.at(text.byteOffset - body.byteOffset + offset);
  }

  /** @returns why the access has ended before the tasks did; undefined: it has not. @throws RequestError too_large, and that, before any task */
  async #startAll(texts: BatchTexts): Promise<RequestError | undefined> {
    const { turns, batch } = this.deps;
    let index = 0;
    for await (const part of texts) {
      this.#part = part;
      this.#nthOfPart = -1;
      for (const text of part.texts) {
        this.#nthOfPart += 1;
        if (this.context.isAccessOld) {
          const refusal = await this.#whyNoAccess();
          // What was stored until then has to be told.
          if (refusal !== undefined && index > 0) return refusal;
          if (refusal !== undefined) throw refusal;
        }
        if (index === batch.maxTasks) throw tooManyTasks(batch.maxTasks);
        if (index > 0 && index % TASKS_IN_A_ROW === 0) await turns.next();
        else if ((index % TASKS_BY_CLOCK === 0 || isLong(text)) && turns.isUsedUp) await turns.next();
        if (!this.#window.hasRoom) await this.#window.whenRoom();
        if (text instanceof Buffer && text.length >= LARGE_BYTES) await this.#submitLarge(text, index);
        else this.#submitOne(text, index);
        index += 1;
      }
    }
    return undefined;
  }

  /** The key may have been revoked since the upload began. */
  async #whyNoAccess(): Promise<RequestError | undefined> {
    try {
      await this.context.renewAccess();
      return undefined;
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      this.deps.noteRefusal(error, this.context);
      return error;
    }
  }

  /** The task reaches the queue before this returns, so tasks are stored in the order in which they came. */
  #submitOne(text: BatchText, index: number): void {
    const { parseTask, submitTask } = this.deps;
    const bytes = text instanceof RequestError ? 0 : text.length;
    this.#window.enter(bytes);
    let id: string | undefined;
    const tooFast = this.#takeOne(index);
    try {
      if (text instanceof RequestError) throw text;
      const input = parseJson(text, this.#aTask);
      id = readId(input);
      if (tooFast !== undefined) throw tooFast;
      const task = parseTask(input);
      this.#away.check(task.id);
      void this.#settle(submitTask(task, this.context.caller, this.idempotencyKey, this.#trace), { index, id, bytes });
    } catch (thrown) {
      this.#refuse(index, id, thrown);
      this.#leave(bytes);
    }
  }

  /** Resolves when the task has reached the queue or was refused: the one behind it must not be stored before it. */
  async #submitLarge(text: Buffer, index: number): Promise<void> {
    const { parseTask, submitTask, turns, secrets } = this.deps;
    this.#window.enter(text.length);
    let id: string | undefined;
    const tooFast = this.#takeOne(index);
    try {
      const input = await parseLargeJson(text, this.#aTask, turns);
      id = readId(input);
      if (tooFast !== undefined) throw tooFast;
      const task = parseTask(input);
      const content = await contentInTurns(task, turns, secrets);
      this.#away.check(task.id);
      void this.#settle(submitTask(task, this.context.caller, this.idempotencyKey, this.#trace, content), { index, id, bytes: text.length });
    } catch (thrown) {
      this.#refuse(index, id, thrown);
      this.#leave(text.length);
    }
  }

  /** @returns why the task comes too early for its key. It is parsed all the same, for its id: the client finds it by that. */
  #takeOne(index: number): RequestError | undefined {
    const { rateLimit } = this.context.caller;
    // The call itself has taken one: see with-rate-limit.ts.
    if (rateLimit === undefined || index === 0) return undefined;
    try {
      this.deps.rateLimiter.take(rateLimit);
      return undefined;
    } catch (refusal) {
      if (refusal instanceof RequestError) return refusal;
      throw refusal;
    }
  }

  /** It never rejects. */
  async #settle(accepted: Promise<Acceptance>, { index, id, bytes }: { index: number; id: string | undefined; bytes: number }): Promise<void> {
    try {
      this.results.accept(index, await accepted);
    } catch (thrown) {
      this.#refuse(index, id, thrown);
    } finally {
      this.#leave(bytes);
    }
  }

  #refuse(index: number, id: string | undefined, thrown: unknown): void {
    const refusal = refusalOf(thrown, this.context, this.deps.logger);
    if (id !== undefined && (refusal.code === 'redis_unavailable' || refusal.code === 'redis_refused')) this.#away.note(id, refusal);
    // A key that tries the clients, ids or addresses of others has to be seen, also when it tries them in batches.
    if (reasonFor(refusal) !== undefined) this.deps.noteRefusal(refusal, this.context);
    this.results.refuse(index, id, refusal);
  }

  #leave(bytes: number): void {
    if (this.#isOfLines) this.held.giveBack(bytes);
    this.#window.leave(bytes);
  }
}

/** The id is for the answer only: it helps a client to find the faulty task. */
function readId(input: unknown): string | undefined {
  if (typeof input !== 'object' || input === null || !('id' in input)) return undefined;
  return typeof input.id === 'string' && input.id.length <= MAX_ID_LENGTH ? input.id : undefined;
}

import type { ApiCalls } from './api-calls.js';
import { ApiError } from './api-error.js';
import type { SubmitResult } from './answers.js';
import { pause } from './linked-signal.js';
import { asksForTooLong } from './repeat-policy.js';

/** One request has at most so many tasks and characters: it is answered within a second, and held in memory by both sides. */
const MAX_TASKS = 500;
const MAX_CHARACTERS = 2 * 1_048_576;
/** Tasks that come slowly are sent when no further one has come for this long. */
const FLUSH_AFTER_MS = 50;
/** A batch of large tasks takes longer than one call. */
const BATCH_LIMIT_MS = 60_000;
/** So often in a row what the service did not take (5xx, or beyond the rate of the key) is sent once more, while none of it is taken. */
const ROUNDS = 6;
const FIRST_WAIT_MS = 200;
/** The rate of a key is one a second, so waiting for less is of no use. */
const RATE_WAIT_MS = 1_000;

/** A task as JSON, without a line break, and its place in what was handed over. */
interface SubmittedLine {
  readonly index: number;
  readonly text: string;
}

export interface SubmitLinesOptions {
  readonly signal?: AbortSignal | undefined;
  /**
   * Sent with every request. With the same key an id that is repeated starts no new run. undefined: each batch has its own, so that an
   * id which comes again after its task has ended is a new run.
   */
  readonly idempotencyKey?: string | undefined;
}

/**
 * Hands over tasks that come one after the other, some hundreds a request, and gives one result for each, in order. Nothing
 * but one request is held in memory.
 * @param texts each a task as JSON; line breaks between its parts are taken out
 * @throws NoAnswerError, or ApiError for a request that was refused as a whole; what came before has its results
 */
export async function* submitLines(calls: ApiCalls, texts: AsyncIterable<string> | Iterable<string>, options: SubmitLinesOptions): AsyncGenerator<SubmitResult, void, undefined> {
  for await (const batch of batches(texts, options)) yield* await submitBatch(calls, batch, options);
}

/** All tries of a batch have one key, which is made here. */
async function submitBatch(calls: ApiCalls, lines: readonly SubmittedLine[], { signal, idempotencyKey = crypto.randomUUID() }: SubmitLinesOptions): Promise<SubmitResult[]> {
  const results = new Map<number, SubmitResult>();
  let left = lines;
  for (let round = 1; left.length > 0; ) {
    const sent = left;
    const found = await resultsOf(calls, sent, { signal, idempotencyKey });
    for (const result of found) {
      const line = sent[result.index];
      if (line !== undefined) results.set(line.index, { ...result, index: line.index });
    }
    // A line without a result was behind the end of what the service looked at.
    left = sent.filter(({ index }) => isWorthSendingAgain(results.get(index)));
    // A key with a low rate gets a large batch through in many rounds.
    round = left.length < sent.length ? 1 : round + 1;
    if (left.length === 0 || round > ROUNDS) break;
    const isTooFast = left.some(({ index }) => results.get(index)?.code === 'rate_limited');
    await pause(Math.max(FIRST_WAIT_MS * 2 ** (round - 1), isTooFast ? RATE_WAIT_MS : 0), signal);
  }
  return lines.map(({ index }) => results.get(index) ?? { index, status: 503, code: 'unknown', error: 'the service gave no result for this task' });
}

/** A client that has used up its quota has to wait for as long as its tasks take: that is its own decision. */
function isWorthSendingAgain(result: SubmitResult | undefined): boolean {
  return result === undefined || result.status >= 500 || result.code === 'rate_limited';
}

async function resultsOf(calls: ApiCalls, lines: readonly SubmittedLine[], { signal, idempotencyKey }: { readonly signal: AbortSignal | undefined; readonly idempotencyKey: string }): Promise<readonly SubmitResult[]> {
  const text = `${lines.map((line) => line.text).join('\n')}\n`;
  try {
    const { results } = await calls.call('POST /tasks/batch', {
      content: { type: 'application/x-ndjson', text },
      headers: { 'idempotency-key': idempotencyKey },
      signal,
      atLeastMs: BATCH_LIMIT_MS,
    });
    return results;
  } catch (error) {
    // None was confirmed, and each has a result that says so. They would be sent again sooner than an answer wants that asks for a long wait.
    if (error instanceof ApiError && (error.status === 503 || error.status === 429) && !asksForTooLong(error)) {
      const { status, code, message } = error;
      return partsOf(error.body) ?? lines.map((_, index) => ({ index, status, code, error: message }));
    }
    throw error;
  }
}

function partsOf(body: unknown): readonly SubmitResult[] | undefined {
  const results: unknown = typeof body === 'object' && body !== null && 'results' in body ? body.results : undefined;
  // The contract says what it holds: BatchUnavailable in docs/openapi.yaml.
  return Array.isArray(results) ? (results as SubmitResult[]) : undefined;
}

async function* batches(texts: AsyncIterable<string> | Iterable<string>, { signal }: SubmitLinesOptions): AsyncGenerator<SubmittedLine[], void, undefined> {
  const source = iteratorOf(texts);
  let index = 0;
  let batch: SubmittedLine[] = [];
  let characters = 0;
  let next: Promise<IteratorResult<string>> | undefined;
  try {
    for (;;) {
      signal?.throwIfAborted();
      next ??= Promise.resolve(source.next());
      const found = await orNothing(next, batch.length === 0 ? undefined : FLUSH_AFTER_MS, signal);
      if (found === 'nothing yet') {
        yield batch;
        [batch, characters] = [[], 0];
        continue;
      }
      next = undefined;
      if (found.done === true) break;
      const text = inOneLine(found.value);
      if (batch.length > 0 && (batch.length === MAX_TASKS || characters + text.length > MAX_CHARACTERS)) {
        yield batch;
        [batch, characters] = [[], 0];
      }
      batch.push({ index, text });
      characters += text.length;
      index += 1;
    }
    if (batch.length > 0) yield batch;
  } finally {
    // The results may not be read to their end: then nothing more is taken from the source. It is not waited for, because a
    // generator that is waiting for its own source answers only when that has given something.
    void Promise.resolve(source.return?.()).catch(() => undefined);
  }
}

/**
 * White space between the parts of JSON means nothing, and inside a text a line break cannot stand. The service passes empty lines
 * over, and then its results would have other places than ours, so an empty text is sent as one that is refused.
 */
function inOneLine(text: string): string {
  const line = /[\r\n]/.test(text) ? text.replaceAll(/[\r\n]+/g, ' ') : text;
  return line.trim() === '' ? 'null' : line;
}

function iteratorOf(texts: AsyncIterable<string> | Iterable<string>): AsyncIterator<string> | Iterator<string> {
  return Symbol.asyncIterator in texts ? texts[Symbol.asyncIterator]() : texts[Symbol.iterator]();
}

/** @param ms undefined: it waits for as long as it takes. @throws the reason of the signal */
async function orNothing<T>(promise: Promise<T>, ms: number | undefined, signal: AbortSignal | undefined): Promise<T | 'nothing yet'> {
  let end: () => void = () => undefined;
  const other = new Promise<'nothing yet'>((resolve, reject) => {
    const timer = ms === undefined ? undefined : setTimeout(() => resolve('nothing yet'), ms);
    const abort = (): void => reject(signal?.reason instanceof Error ? signal.reason : new DOMException('the call was aborted', 'AbortError'));
    signal?.addEventListener('abort', abort, { once: true });
    end = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    };
  });
  try {
    return await Promise.race([promise, other]);
  } finally {
    end();
  }
}

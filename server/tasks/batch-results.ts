import type { RequestError } from '../../shared/domain/errors.js';
import { answerToError } from '../http/error-response.js';
import type { Acceptance } from './submit-task.js';

/**
 * The largest size of all refusals in one answer, in characters. A refusal names every fault, with keys of any length.
 * Without a limit the answer to a batch could need more memory than the batch.
 */
const MAX_DETAILS_LENGTH = 8 * 1_048_576;
const SHORT_ERROR_LENGTH = 200;

/** The results of the tasks of a batch, in the order in which they came. They are kept as text, ready to be sent. */
export class BatchResults {
  readonly #texts: string[] = [];
  readonly #counts = { total: 0, created: 0, already_scheduled: 0, refused: 0, failed: 0 };
  #detailsLeft = MAX_DETAILS_LENGTH;
  #length = 0;
  /** The last refusal with 503. It answers the whole batch when nothing could be stored. */
  #unavailable: RequestError | undefined;

  /** Of all results so far, in characters. */
  get length(): number {
    return this.#length;
  }

  get total(): number {
    return this.#counts.total;
  }

  accept(index: number, { status, body }: Acceptance): void {
    this.#put(index, JSON.stringify({ index, status, ...body }), status === 201 ? 'created' : 'already_scheduled');
  }

  /** @param id if it is known */
  refuse(index: number, id: string | undefined, error: RequestError): void {
    const { status, body } = answerToError(error);
    const whole = JSON.stringify({ index, status, id, ...body });
    const isWhole = whole.length <= this.#detailsLeft;
    if (isWhole) this.#detailsLeft -= whole.length;
    const text = isWhole ? whole : JSON.stringify({ index, status, id, error: body.error.slice(0, SHORT_ERROR_LENGTH).toWellFormed(), code: body.code });
    // Failed tasks are worth sending again; refused ones are not.
    this.#put(index, text, status < 500 ? 'refused' : 'failed');
    if (status === 503) this.#unavailable = error;
  }

  /** Set when no task that was sent is stored, because of Redis. */
  get whyNothingIsStored(): RequestError | undefined {
    return this.#counts.created + this.#counts.already_scheduled === 0 ? this.#unavailable : undefined;
  }

  /**
   * The body of the answer.
   * @param truncation why reading stopped; the tasks behind the last result were not looked at
   * @param requestId  of an answer that is an error as a whole
   */
  print(truncation: RequestError | undefined, requestId: string): string {
    const head: Record<string, unknown> = { counts: this.#counts };
    if (this.whyNothingIsStored !== undefined) Object.assign(head, answerToError(this.whyNothingIsStored).body, { request_id: requestId });
    if (truncation !== undefined) {
      const { status, body } = answerToError(truncation);
      head['truncated'] = { index: this.#texts.length, status, ...body };
    }
    return `${JSON.stringify(head).slice(0, -1)},"results":[${this.#texts.join(',\n')}]}`;
  }

  #put(index: number, text: string, count: 'created' | 'already_scheduled' | 'refused' | 'failed'): void {
    this.#texts[index] = text;
    this.#length += text.length;
    this.#counts.total += 1;
    this.#counts[count] += 1;
  }
}

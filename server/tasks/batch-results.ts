import type { RequestError } from '../../shared/domain/errors.js';
import { answerToError } from '../http/error-response.js';
import type { Acceptance } from './submit-task.js';

/**
 * What all refusals of one answer may weigh together, in characters. A refusal names every fault, keys of any length
 * among them: without a limit a batch could make us remember more than it weighs.
 */
const MAX_DETAILS_LENGTH = 8 * 1_048_576;
const SHORT_ERROR_LENGTH = 200;

/** What became of the tasks of a batch, in the order in which they came. Kept as text, ready to be sent. */
export class BatchResults {
  readonly #texts: string[] = [];
  readonly #counts = { total: 0, created: 0, already_scheduled: 0, refused: 0, failed: 0 };
  #detailsLeft = MAX_DETAILS_LENGTH;
  /** The last refusal with 503: what the whole is answered with when nothing could be stored. */
  #unavailable: RequestError | undefined;

  accept(index: number, { status, body }: Acceptance): void {
    this.#put(index, JSON.stringify({ index, status, ...body }), status === 201 ? 'created' : 'already_scheduled');
  }

  /** @param id as far as it is known */
  refuse(index: number, id: string | undefined, error: RequestError): void {
    const { status, body } = answerToError(error);
    const whole = JSON.stringify({ index, status, id, ...body });
    const isWhole = whole.length <= this.#detailsLeft;
    if (isWhole) this.#detailsLeft -= whole.length;
    const text = isWhole ? whole : JSON.stringify({ index, status, id, error: body.error.slice(0, SHORT_ERROR_LENGTH).toWellFormed(), code: body.code });
    // Those of the second kind are worth sending again.
    this.#put(index, text, status < 500 ? 'refused' : 'failed');
    if (status === 503) this.#unavailable = error;
  }

  /** Set when nothing is stored that was sent, and Redis is why. */
  get whyNothingIsStored(): RequestError | undefined {
    return this.#counts.created + this.#counts.already_scheduled === 0 ? this.#unavailable : undefined;
  }

  /**
   * The body of the answer.
   * @param truncation why reading stopped: no task behind the last result was looked at
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
    this.#counts.total += 1;
    this.#counts[count] += 1;
  }
}

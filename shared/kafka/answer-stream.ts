import { checkAnswer, checkBeginningOfVersions, largestAnswer, type AnswerFindings } from './answer-check.js';
import { apiKey } from './api-keys.js';
import { NoKafkaBroker } from './no-kafka-broker.js';
import type { Question } from './request-reader.js';

const LENGTH_BYTES = 4;
const CORRELATION_BYTES = 4;
const HEAD_BYTES = LENGTH_BYTES + CORRELATION_BYTES;
const NOTHING = Buffer.alloc(0);

/**
 * Cuts what a broker sends into whole answers, and lets only those pass that were asked for and are sound. A broker
 * answers the requests of one connection in their order, each once.
 */
export class AnswerStream {
  /** Requests that have not been answered yet. */
  readonly #questions: Question[] = [];
  /** Beginning of an answer that has not come as a whole. */
  #held: Buffer = NOTHING;
  #heldBytes = 0;

  /** To be called for each request, in the order in which they are written. */
  ask(question: Question): void {
    this.#questions.push(question);
  }

  /**
   * @param hand called with each whole answer, length included, and with what it says
   * @throws  NoKafkaBroker or NoCommonVersion at the first answer that is none, and what `hand` throws. The stream is of no
   *          more use then
   */
  take(chunk: Buffer, hand: (answer: Buffer, findings: AnswerFindings) => void): void {
    let rest = this.#heldBytes === 0 ? chunk : this.#append(chunk);
    let hasHanded = false;
    while (rest.length > 0) {
      const bytes = this.#lengthOfNext(rest);
      if (bytes === undefined || rest.length < bytes) break;
      const isLast = rest.length === bytes;
      const answer = isLast ? rest : rest.subarray(0, bytes);
      rest = isLast ? NOTHING : rest.subarray(bytes);
      hasHanded = true;
      const question = this.#questions.shift();
      const findings = question === undefined ? nothingFound : checkAnswerTo(question, answer);
      hand(findings.body === undefined ? answer : withBody(answer, findings.body), findings);
    }
    this.#hold(rest, hasHanded);
  }

  /** @returns bytes of the next answer with its length; undefined: too little of it is here to tell */
  #lengthOfNext(rest: Buffer): number | undefined {
    const question = this.#questions[0];
    if (question === undefined) throw new NoKafkaBroker('it speaks unasked');
    const isToken = question.kind === 'token';
    // Also by one byte of four: telnet may send no more than three. A negative length is a very long one here.
    if (leastLength(rest) > (isToken ? largestAnswer[apiKey.saslAuthenticate] : largestAnswer[question.key])) throw new NoKafkaBroker('an answer is too long');
    if (rest.length < LENGTH_BYTES) return undefined;
    const length = rest.readInt32BE(0);
    if (length < (isToken ? 0 : CORRELATION_BYTES)) throw new NoKafkaBroker('an answer is too short');
    if (!isToken && rest.length >= HEAD_BYTES) {
      if (rest.readInt32BE(LENGTH_BYTES) !== question.correlationId) throw new NoKafkaBroker('it answers what was not asked');
      if (question.key === apiKey.apiVersions) checkBeginningOfVersions(rest.subarray(HEAD_BYTES), length - CORRELATION_BYTES);
    }
    return LENGTH_BYTES + length;
  }

  /** Grows by doubling: an answer that comes byte by byte must not cost the square of its length. */
  #append(chunk: Buffer): Buffer {
    const bytes = this.#heldBytes + chunk.length;
    if (bytes > this.#held.length) {
      const larger = Buffer.allocUnsafe(Math.max(bytes, 2 * this.#held.length));
      this.#held.copy(larger, 0, 0, this.#heldBytes);
      this.#held = larger;
    }
    chunk.copy(this.#held, this.#heldBytes);
    this.#heldBytes = bytes;
    return this.#held.subarray(0, bytes);
  }

  #hold(rest: Buffer, hasHanded: boolean): void {
    // What is held already stays where it is. An answer that was handed on is read later: its bytes are not written to again.
    if (this.#heldBytes > 0 && !hasHanded) return;
    this.#held = rest.length === 0 ? NOTHING : Buffer.from(rest);
    this.#heldBytes = rest.length;
  }
}

/** The smallest length, 0..2^32-1, that the bytes so far can be the beginning of. */
function leastLength(bytes: Buffer): number {
  return (bytes[0] ?? 0) * 2 ** 24 + (bytes[1] ?? 0) * 2 ** 16 + (bytes[2] ?? 0) * 2 ** 8 + (bytes[3] ?? 0);
}

const nothingFound: AnswerFindings = { throttleMs: 0 };

function checkAnswerTo(question: Question, answer: Buffer): AnswerFindings {
  // What stands in a token is judged by the login (sasl-login.ts).
  return question.kind === 'token' ? nothingFound : checkAnswer(question.key, question.version, answer.subarray(HEAD_BYTES), question);
}

/** @returns the answer to the same request, with another body */
function withBody(answer: Buffer, body: Buffer): Buffer {
  const head = Buffer.from(answer.subarray(0, HEAD_BYTES));
  head.writeInt32BE(CORRELATION_BYTES + body.length, 0);
  return Buffer.concat([head, body]);
}

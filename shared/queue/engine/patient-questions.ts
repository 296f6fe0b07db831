import { withinLimit } from '../../lifecycle/time-limit.js';

/** @param value undefined: it has not answered yet, or with `error` */
export interface Answered<T> {
  readonly value: T | undefined;
  readonly error?: unknown;
}

/**
 * Asks Redis about keys, of whose servers some may be away. A question that has no answer yet is not asked again: the client of a worker
 * keeps each one until the server is back.
 */
export class PatientQuestions<T> {
  readonly #open = new Map<string, Promise<Answered<T>>>();

  constructor(private readonly question: (key: string) => Promise<T>, private readonly limitMs: number) {}

  /** @returns what is known after the limit at the latest, in the order of the keys */
  async ask(keys: readonly string[]): Promise<readonly Answered<T>[]> {
    const questions = keys.map((key) => this.#ask(key));
    await withinLimit(Promise.all(questions), this.limitMs, () => new Error('no answer')).catch(() => undefined);
    const none = Promise.resolve({ value: undefined });
    // What has been answered comes first.
    return Promise.all(questions.map((question) => Promise.race([question, none])));
  }

  #ask(key: string): Promise<Answered<T>> {
    const open = this.#open.get(key);
    if (open !== undefined) return open;
    const question = this.question(key).then((value) => ({ value }), (error: unknown) => ({ value: undefined, error })).finally(() => this.#open.delete(key));
    this.#open.set(key, question);
    return question;
  }
}

import type { DeliveryResult } from '../../../shared/domain/ports.js';
import type { TopicMessage } from '../../../shared/kafka/topic-message.js';

/** One message and the caller who waits for its result. Answered once; later answers are ignored. */
export class PendingSend {
  readonly message: TopicMessage;
  /** It has had its second send within this attempt; a third there is not. */
  wasSentAgain = false;
  #answer: ((result: DeliveryResult) => void) | undefined;

  constructor(message: TopicMessage, answer: (result: DeliveryResult) => void) {
    this.message = message;
    this.#answer = answer;
  }

  get bytes(): number {
    return this.message.bytes;
  }

  get isAnswered(): boolean {
    return this.#answer === undefined;
  }

  answer(result: DeliveryResult): void {
    const answer = this.#answer;
    this.#answer = undefined;
    answer?.(result);
  }
}

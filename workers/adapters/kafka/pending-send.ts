import type { DeliveryResult } from '../../../shared/domain/ports.js';
import type { KafkaFailure } from '../../../shared/kafka/classify-error.js';
import type { TopicConnection } from '../../../shared/kafka/topic-connection.js';
import type { TopicMessage } from '../../../shared/kafka/topic-message.js';

/** One message, and the caller that waits for its result. Answered once; later answers are ignored. */
export class PendingSend {
  readonly message: TopicMessage;
  /** It has had its second send within this attempt. There is no third. */
  wasSentAgain = false;
  /** It waited for a broker that then failed, was not sent, and has had its second chance. There is no third. */
  wasPutBack = false;
  /** It is in a batch on its way. */
  isUnderWay = false;
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

/** @returns the failure of a batch, as those behind it see it: they were not sent */
export function withoutSending(failure: KafkaFailure): KafkaFailure {
  if (failure.isUnsent === true) return failure;
  const detail = `not sent, because what was before it failed: ${failure.detail}`;
  return { ...failure, detail: detail.slice(0, 500), isUnsent: true };
}

/** @returns the failure of one partition, with a note when no other one of the topic can be sent to */
export function ofWholeTopic(failure: KafkaFailure, connection: TopicConnection, partition: number): KafkaFailure {
  return failure.culprit === 'endpoint' && connection.partitions.isLastOne(partition) ? { ...failure, isOfWholeTopic: true } : failure;
}

/** @returns those that still wait for their result, in their order */
export function takeUnanswered(sends: readonly PendingSend[]): PendingSend[] {
  return sends.filter((send) => !send.isAnswered);
}

export function answerAll(sends: readonly PendingSend[], { code, detail, culprit, isOfWholeTopic, retryAfterMs }: KafkaFailure): void {
  const result: DeliveryResult = {
    kind: 'failed',
    code,
    detail,
    ...(culprit !== 'host' && { isHostWell: true }),
    ...(isOfWholeTopic === true && { isOfWholeEndpoint: true }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  };
  for (const send of sends) send.answer(result);
}

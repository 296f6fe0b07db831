/** The limits of one batch. A broker's limit (message.max.bytes, 1 MiB by default) is per batch, not per message. */
export interface BatchLimits {
  /** Keys, values and headers of all its messages together. A message larger than this goes alone. */
  readonly maxBatchBytes: number;
  readonly maxBatchMessages: number;
}

/**
 * Batches of one partition that may be on their way at once. For a broker next door one would do (measured on
 * loopback with 100 and 1,000 messages in flight: no difference beyond noise). For one that takes 100 ms to answer,
 * five make 5,000 messages a second out of 1,000. Kafka's own Java producer allows five, too.
 */
export const maxBatchesInFlight = 5;

/**
 * How many of the oldest waiting messages leave now, as one batch.
 * A full batch leaves at once. A partial one leaves only when no other is on its way: messages that arrive meanwhile
 * join it, so that batches grow by themselves under load and a lone message never waits for company.
 *
 * With limits of 100 bytes and 3 messages, nothing on its way: [40, 40] -> 2, [40, 40, 40] -> 2, [10 x 4] -> 3,
 * [400] -> 1. One batch on its way: [40, 40] -> 0, [40, 40, 40] -> 2. Five on their way: always 0.
 *
 * @param waiting  oldest first
 * @param inFlight batches of the same partition that are on their way
 * @returns 0 (wait) .. maxBatchMessages
 */
export function nextBatchLength(
  waiting: readonly { readonly bytes: number }[],
  inFlight: number,
  { maxBatchBytes, maxBatchMessages }: BatchLimits,
): number {
  if (inFlight >= maxBatchesInFlight) return 0;
  let bytes = 0;
  let length = 0;
  for (const message of waiting) {
    const isFull = length === maxBatchMessages || (length > 0 && bytes + message.bytes > maxBatchBytes);
    if (isFull) return length;
    bytes += message.bytes;
    length += 1;
  }
  const hasReachedLimit = length === maxBatchMessages || bytes >= maxBatchBytes;
  return hasReachedLimit || inFlight === 0 ? length : 0;
}

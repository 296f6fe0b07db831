/** Largest answer that can be meant: a topic of 100,000 partitions with 3 replicas each is described in 4 MiB. */
export const maxAnswerBytes = 16 * 1024 * 1024;

const lengthPrefixBytes = 4;

/**
 * Follows the length prefixes of a broker's answers. kafkajs collects an answer in memory until it is as long as its
 * prefix says, and a host that is no broker says anything: `HTTP` read as a length is 1.2 GB.
 *
 * @returns a function that takes the bytes as they come and tells whether all prefixes so far are within the limit
 */
export function createAnswerSizeGuard(limitBytes = maxAnswerBytes): (chunk: Uint8Array) => boolean {
  let prefix = 0;
  let prefixBytesSeen = 0;
  let answerBytesLeft = 0;

  return function staysWithinLimit(chunk) {
    let at = 0;
    while (at < chunk.length) {
      if (answerBytesLeft > 0) {
        const skipped = Math.min(answerBytesLeft, chunk.length - at);
        answerBytesLeft -= skipped;
        at += skipped;
        continue;
      }
      prefix = prefix * 256 + (chunk[at] ?? 0);
      prefixBytesSeen += 1;
      at += 1;
      if (prefixBytesSeen < lengthPrefixBytes) continue;
      if (prefix > limitBytes) return false;
      answerBytesLeft = prefix;
      prefix = 0;
      prefixBytesSeen = 0;
    }
    return true;
  };
}

import type { DeliveryResult } from '../../shared/domain/ports.js';

/**
 * What the log says of a failed attempt beside its code. What a receiver has said stays out of it, because receivers often quote the message
 * that they refuse:
 *
 * | failure | in the log |
 * |---|---|
 * | it has an HTTP status | nothing: the status is logged |
 * | `response_invalid`: `The answer is not HTTP. It begins with "{...}"` | `The answer is not HTTP. It begins with ...` |
 * | any other: the text is ours, or of Node or Kafka | the text |
 */
export function loggedDetail({ code, detail, httpStatus }: Extract<DeliveryResult, { kind: 'failed' }>): string | undefined {
  if (httpStatus !== undefined) return undefined;
  // Up to the first quotation mark the text is ours, whatever a receiver sends.
  return code === 'response_invalid' ? detail.replace(/"[^]*$/, '...') : detail;
}

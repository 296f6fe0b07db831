import { ShuttingDown, TimeLimitReached, type DeliveryResult } from '../../../shared/domain/ports.js';

/** @param reason with which the signal of an attempt was aborted */
export function judgeAbort(reason: unknown): DeliveryResult {
  if (reason instanceof TimeLimitReached) return { kind: 'failed', code: 'timed_out', detail: reason.message };
  if (reason instanceof ShuttingDown) return { kind: 'failed', code: 'shutting_down', detail: reason.message };
  throw new Error('the signal of an attempt was aborted for a reason that ports.ts does not know', { cause: reason });
}

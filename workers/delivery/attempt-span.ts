import type { Destination, Receipt } from '../../shared/domain/destinations/destination.js';
import type { PathMask } from '../../shared/domain/destinations/path-mask.js';
import { flowOf, type DefaultBrokers } from '../../shared/domain/flow/flow-key.js';
import type { DeliveryResult } from '../../shared/domain/ports.js';
import type { TaskProgress } from '../../shared/domain/task/attempt-record.js';
import { shownPhase } from '../../shared/domain/task/shown-phase.js';
import type { Task } from '../../shared/domain/task/task.js';
import type { SubmittedTrace } from '../../shared/domain/trace-context.js';
import type { AttemptSpan, SentFacts, Tracing } from '../../shared/telemetry/tracing/tracing.js';

interface Attempt {
  readonly task: Task;
  readonly progress: TaskProgress;
  readonly trace: SubmittedTrace | undefined;
}

/** What a span says of an attempt. The destination stands there as its key, without secrets. */
export function beginAttemptSpan(tracing: Tracing, { task, progress, trace }: Attempt, destination: Destination, { defaultBrokers, mask }: { readonly defaultBrokers: DefaultBrokers; readonly mask: PathMask }): AttemptSpan {
  const { endpoint, host } = flowOf(destination, undefined, defaultBrokers, mask);
  const { run, phase, attempt } = progress;
  return tracing.beginAttempt({
    taskId: task.id,
    clientId: task.clientId,
    run,
    phase: shownPhase(phase),
    attempt,
    isHttp: destination.type === 'http',
    method: destination.type === 'http' ? (destination.method ?? 'POST') : '',
    endpoint,
    host,
    messageBytes: Buffer.byteLength(task.messageData),
    submitted: trace,
  });
}

export function sentFacts(result: DeliveryResult | undefined): SentFacts | undefined {
  if (result === undefined) return undefined;
  if (result.kind === 'failed') return { errorCode: result.code, httpStatus: result.httpStatus, partition: undefined, offset: undefined };
  const receipt: Partial<Record<'httpStatus' | 'partition' | 'offset', unknown>> & Receipt = result.receipt;
  const { httpStatus, partition, offset } = receipt;
  return { errorCode: undefined, httpStatus: numberOr(httpStatus), partition: numberOr(partition), offset: typeof offset === 'string' ? offset : undefined };
}

function numberOr(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

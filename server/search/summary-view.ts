import { shownFlowKey } from '../../shared/domain/destinations/http.js';
import { flowNamed, type Flow } from '../../shared/domain/destinations/flow.js';
import type { PathMask } from '../../shared/domain/destinations/path-mask.js';
import type { CircuitRules } from '../../shared/domain/flow/circuit.js';
import { canonicalName, type DefaultBrokers } from '../../shared/domain/flow/flow-key.js';
import type { DeliveryErrorCode } from '../../shared/domain/errors.js';
import { deferralReasons, type DeferralReason } from '../../shared/domain/task/deferral.js';
import type { FlowSnapshot } from '../../shared/queue/flow/flow-store.js';
import type { FoundTask } from '../../shared/queue/scan/found-task.js';
import { printTime } from '../http/print-time.js';
import { waitingFor, type WaitingView } from '../tasks/waiting-for.js';

export interface SummaryFacts {
  readonly defaultBrokers: DefaultBrokers;
  readonly mask: PathMask;
  readonly rules: CircuitRules;
  /** undefined where no task waits, and where Redis does not tell it now. */
  readonly snapshot: FlowSnapshot | undefined;
  /** See waiting-for.ts. */
  readonly now: number;
}

/** A task in a list: what short fields tell about it. */
export function toWireSummary(task: FoundTask, facts: SummaryFacts): object {
  return {
    id: task.id,
    state: task.state,
    source: task.source,
    client_id: task.clientId,
    flow_key: task.flowKey === undefined ? null : shownFlowKey(task.flowKey, facts.mask),
    run: task.run,
    phase: task.phase === 'dead' ? 'dead_letter' : 'delivery',
    attempts: task.attempts,
    created_at: printTime(task.createdAt),
    updated_at: printTime(task.updatedAt),
    next_attempt_at: printTimeOrNull(task.nextAttemptAt),
    finished_at: printTimeOrNull(task.finishedAt),
    waiting_for: waitingCode(task, facts),
    dead_reason: task.deadReason ?? null,
    destination_type: task.destinationType,
    destination_key: endpointOf(task, facts),
    error_code: task.code ?? null,
    http_status: task.httpStatus ?? null,
    is_priority: task.isPriority,
    message_bytes: task.messageBytes,
    bulk_action_id: task.bulkActionId ?? null,
    edits: task.edits,
  };
}

function endpointOf({ host, path }: FoundTask, { defaultBrokers, mask }: SummaryFacts): string {
  return canonicalName(host, defaultBrokers, mask) + path;
}

/** The code of `waiting_for`. Where dead letters go is not among the short facts, so their destination's circuit is not known here. */
function waitingCode(task: FoundTask, facts: SummaryFacts): string | null {
  const { rules, snapshot, now } = facts;
  if (task.nextAttemptAt === undefined) return null;
  const flow = task.phase === 'dead' ? undefined : flowOfTask(task, facts);
  const { code } = waitingFor(waitingView(task, task.nextAttemptAt), { flow, snapshot, rules, now }) ?? { code: null };
  return code === 'destination_busy' && flow === undefined && task.deferral !== undefined ? reasonOf(task.deferral) : code;
}

function flowOfTask(task: FoundTask, facts: SummaryFacts): Flow {
  const { defaultBrokers, mask } = facts;
  const endpoint = endpointOf(task, facts);
  const named = task.flowName ?? task.flowKey;
  return flowNamed(named === undefined ? endpoint : canonicalName(named, defaultBrokers, mask), canonicalName(task.host, defaultBrokers, mask), { endpoint });
}

function waitingView({ state, attempts, isReleased, deferral, code }: FoundTask, nextAttemptAt: number): WaitingView {
  const hasFailed = state === 'retrying';
  return {
    state,
    nextAttemptAt,
    progress: {
      attempt: attempts,
      lastDeferral: deferral === undefined ? undefined : { kind: 'deferral', reason: reasonOf(deferral), since: nextAttemptAt, until: nextAttemptAt, count: 1 },
      lastRelease: isReleased ? { count: 1, code: 'internal' } : undefined,
      // A code of a newer version is only printed.
      lastFailure: hasFailed ? { attempt: attempts - 1, code: code as DeliveryErrorCode | undefined } : undefined,
    },
    task: { retryPolicy: { maxRetries: 0 } },
  };
}

function reasonOf(deferral: string): DeferralReason {
  return deferralReasons.find((known) => known === deferral) ?? 'destination_busy';
}

function printTimeOrNull(ms: number | undefined): string | null {
  return ms === undefined ? null : printTime(ms);
}

import type { Flow } from '../../shared/domain/destinations/flow.js';
import type { CircuitRules } from '../../shared/domain/flow/circuit.js';
import { flowOfEndpoint, type NameRules } from '../../shared/domain/flow/flow-key.js';
import type { DeliveryErrorCode } from '../../shared/domain/errors.js';
import { deferralReasons, type DeferralReason } from '../../shared/domain/task/deferral.js';
import type { FlowSnapshot } from '../../shared/queue/flow/flow-store.js';
import type { FoundTask } from '../../shared/queue/scan/found-task.js';
import { summaryFields } from '../tasks/task-summary.js';
import { waitingFor, type WaitingView } from '../tasks/waiting-for.js';

export interface SummaryFacts extends NameRules {
  readonly rules: CircuitRules;
  /** undefined where no task waits, and where Redis does not tell it now. */
  readonly snapshot: FlowSnapshot | undefined;
  /** See waiting-for.ts. */
  readonly now: number;
}

/** A task in a list: what short fields tell about it. */
export function toWireSummary(task: FoundTask, facts: SummaryFacts): object {
  return summaryFields(task, waitingCode(task, facts), facts);
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
  return flowOfEndpoint(task, task.flowName ?? task.flowKey, facts);
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

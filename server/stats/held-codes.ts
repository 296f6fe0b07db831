import { flowOfId } from '../../shared/domain/destinations/flow.js';
import type { CircuitRules } from '../../shared/domain/flow/circuit.js';
import { isLimited, policyOf } from '../../shared/domain/flow/flow-policy.js';
import { deferralReasons } from '../../shared/domain/task/deferral.js';
import type { FlowSnapshot } from '../../shared/queue/flow/flow-store.js';
import type { HeldTasks } from '../../shared/queue/tasks/task-counts.js';
import { obstacleNow, type WaitingCode } from '../tasks/waiting-for.js';

/** The codes of `waiting_for` that a deferred task may have. */
const heldCodes = ['paused', 'no_worker', 'circuit_open', 'limit', 'rate_lowered', 'destination_busy'] as const satisfies readonly WaitingCode[];
export type HeldCode = (typeof heldCodes)[number];

/** Tasks in waiting lists by the code of their `waiting_for`. */
export type HeldByCode = Readonly<Record<HeldCode, number>>;

/**
 * Sums the waiting lists by why their tasks wait now. The rule is that of waiting-for.ts: the present state of the destination
 * counts more than the reason for which they were put back.
 */
export function heldByCode(held: readonly HeldTasks[], snapshot: FlowSnapshot, rules: CircuitRules): HeldByCode {
  const sums: Record<HeldCode, number> = { paused: 0, no_worker: 0, circuit_open: 0, limit: 0, rate_lowered: 0, destination_busy: 0 };
  for (const each of held) sums[codeOf(each, snapshot, rules)] += each.length;
  return sums;
}

/** Why the tasks of one waiting list wait now. */
export function codeOf({ waitingList, reason }: HeldTasks, snapshot: FlowSnapshot, rules: CircuitRules): HeldCode {
  const flow = flowOfId(waitingList);
  const obstacle = obstacleNow({ flow, snapshot, rules })?.code;
  const code = heldCodes.find((known) => known === obstacle);
  if (code !== undefined) return code;
  switch (deferralReasons.find((known) => known === reason)) {
    case 'limit':
      return isLimited(policyOf(snapshot.policies, flow)?.policy) ? 'limit' : 'destination_busy';
    case 'rate_lowered':
      return 'rate_lowered';
    // What stopped its destination is over, or its head could not be read: it comes when there is room.
    case 'paused':
    case 'circuit_open':
    case 'destination_busy':
    case undefined:
      return 'destination_busy';
  }
}

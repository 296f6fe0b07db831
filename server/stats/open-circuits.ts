import { flowOfId } from '../../shared/domain/destinations/flow.js';
import { keyIdOfCircuit, stateOfCircuit, type Circuit, type CircuitRules } from '../../shared/domain/flow/circuit.js';
import type { FlowSnapshot } from '../../shared/queue/flow/flow-store.js';
import type { HeldTasks } from '../../shared/queue/tasks/task-counts.js';

/** A probe is sent as soon as there is a task for it, and ends within DELIVERY_TIMEOUT, ms. */
const PROBED_WITHIN_MS = 120_000;

/**
 * Destinations that are in trouble because of an open circuit. The circuit of a destination that gets no tasks any more is never probed, and
 * so never closed; it is forgotten after an hour. It holds nothing up meanwhile.
 * @param held the waiting lists; undefined: not all of them are known, and any circuit may hold tasks
 * @returns each key once: deliveries and dead letters to one destination have a circuit each
 */
export function openCircuits({ circuits, now }: FlowSnapshot, held: readonly HeldTasks[] | undefined, rules: CircuitRules): string[] {
  const waiting = held === undefined ? undefined : new Set(held.flatMap(({ waitingList }) => idsOf(waitingList)));
  const isInUse = (name: string, { until }: Circuit): boolean => now - until < PROBED_WITHIN_MS || waiting === undefined || waiting.has(keyIdOfCircuit(name));
  const open = [...circuits].filter(([name, circuit]) => stateOfCircuit(circuit, now, rules) !== 'closed' && isInUse(name, circuit));
  return [...new Set(open.map(([name]) => flowOfId(name).key))];
}

function idsOf(waitingList: string): string[] {
  const { keyId, hostId } = flowOfId(waitingList);
  return [keyId, hostId];
}

import { flowOfId } from '../../shared/domain/destinations/flow.js';
import { stateOfCircuit, worstCircuit, type Circuit, type CircuitRules, type CircuitState } from '../../shared/domain/flow/circuit.js';
import { isCircuitOfHost, keyIdOfCircuit, placeOfCircuit } from '../../shared/domain/flow/circuit-names.js';
import type { FlowSnapshot } from '../../shared/queue/flow/flow-store.js';
import type { HeldTasks } from '../../shared/queue/tasks/task-counts.js';

/** A probe is sent as soon as there is a task for it, and ends within DELIVERY_TIMEOUT, ms. */
const PROBED_WITHIN_MS = 120_000;

/**
 * Destinations that are in trouble because of an open circuit. The circuit of a destination that gets no tasks any more is never probed, and
 * so never closed; it is forgotten after an hour. It holds nothing up meanwhile.
 * @param held the waiting lists; undefined: not all of them are known, and any circuit may hold tasks
 * @returns for each key one name, as people read it: `https://a/x`, `the rest of https://a`, `dead letters to https://a/x`. Deliveries and
 *          dead letters to one destination have a circuit each; the one that says most is named
 */
export function openCircuits({ circuits, now }: FlowSnapshot, held: readonly HeldTasks[] | undefined, rules: CircuitRules): string[] {
  const waiting = held === undefined ? undefined : new Set(held.flatMap(({ waitingList }) => idsOf(waitingList)));
  const isInUse = (name: string, { until }: Circuit): boolean => now - until < PROBED_WITHIN_MS || waiting === undefined || waiting.has(keyIdOfCircuit(name));
  const stateOf = (name: string): CircuitState => stateOfCircuit(circuits.get(name), now, rules);
  const open = [...circuits].filter(([name, circuit]) => stateOf(name) !== 'closed' && isInUse(name, circuit)).map(([name]) => name);
  // The circuit of a host says more than that of the rest of it.
  const hostsFirst = [...open.filter(isCircuitOfHost), ...open.filter((name) => !isCircuitOfHost(name))];
  const byKey = new Map<string, string[]>();
  for (const name of open) byKey.set(placeOfCircuit(name).key, []);
  for (const name of hostsFirst) byKey.get(placeOfCircuit(name).key)?.push(name);
  return [...byKey.values()].map((names) => printCircuit(worstCircuit(names, stateOf) ?? ''));
}

function printCircuit(name: string): string {
  const { of, phase, key } = placeOfCircuit(name);
  return `${phase === 'dead' ? 'dead letters to ' : ''}${of === 'others' ? 'the rest of ' : ''}${key}`;
}

function idsOf(waitingList: string): string[] {
  const { keyId, hostId } = flowOfId(waitingList);
  return [keyId, hostId];
}

import type { Flow } from '../destinations/flow.js';
import { stateOfCircuit, type Circuit, type CircuitRules } from '../flow/circuit.js';
import { endpointCircuitOf } from '../flow/circuit-names.js';

/**
 * The names of the circuits of a flow's destination. That of "the others" of its host is none of them: other paths open it, and what an
 * action starts there and fails is counted by the action itself.
 */
export function circuitsOver(flow: Flow): readonly string[] {
  return [...new Set([flow.hostId, endpointCircuitOf(flow)])];
}

/**
 * Has one of the circuits opened while the action ran? One that was open before does not count: a person has started or resumed the
 * action all the same.
 * @param since ms since the epoch
 * @param now   ms since the epoch
 */
export function hasOpenedSince(circuits: Iterable<Circuit>, since: number, now: number, rules: CircuitRules): boolean {
  for (const circuit of circuits) {
    const state = stateOfCircuit(circuit, now, rules);
    if (circuit.openedAt > since && (state === 'open' || state === 'probe')) return true;
  }
  return false;
}

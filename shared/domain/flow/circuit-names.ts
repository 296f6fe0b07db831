import { flowOfId, isOfOthers, type Flow } from '../destinations/flow.js';
import type { Phase } from '../task/attempt-record.js';

/**
 * Name of the circuit of a flow's endpoint at its host. The circuit of the host has the name `hostId`. "The others" of a host have
 * that id themselves, so here they get another name.
 */
export function endpointCircuitOf(flow: Flow): string {
  return isOfOthers(flow) ? circuitOfOthers(flow) : flow.keyId;
}

/**
 * Name of the circuit that a Retry-After opens, or the quota of a broker. A path that is known by one task alone is one of "the
 * others" of its host. It speaks for itself alone, so only its own task waits for it, by its own policy.
 * @returns undefined for an answer of such a path
 */
export function circuitThatWaits(flow: Flow, of: 'host' | 'endpoint'): string | undefined {
  if (of === 'host') return flow.hostId;
  return isOfOthers(flow) ? undefined : endpointCircuitOf(flow);
}

/** The name of the circuit of "the others" of a flow's host, in the same phase. */
export function circuitOfOthers({ host, isDead }: Flow): string {
  return isDead ? `${host}\n${host}\n${host}\ndead` : `${host}\n${host}`;
}

/** The `keyId` of the flow that a circuit's name belongs to, or the `hostId` of the host. */
export function keyIdOfCircuit(circuit: string): string {
  const flow = flowOfId(circuit);
  return circuit === circuitOfOthers(flow) ? flow.hostId : circuit;
}

/** true: the name of a host's circuit. false: that of an endpoint's. */
export function isCircuitOfHost(circuit: string): boolean {
  return circuit === flowOfId(circuit).hostId;
}

/** Which tasks a circuit holds: those of a phase, to a whole host, to one endpoint, or to all endpoints of a host that have no circuit of their own. */
export interface CircuitPlace {
  readonly of: 'host' | 'endpoint' | 'others';
  readonly phase: Phase;
  /** The endpoint, topic or flow_key; of the other two the host. */
  readonly key: string;
  readonly host: string;
}

export function placeOfCircuit(circuit: string): CircuitPlace {
  const flow = flowOfId(circuit);
  const of = isCircuitOfHost(circuit) ? 'host' : circuit === circuitOfOthers(flow) ? 'others' : 'endpoint';
  return { of, phase: flow.isDead ? 'dead' : 'delivery', key: of === 'endpoint' ? flow.key : flow.host, host: flow.host };
}

import type { Flow } from '../../shared/domain/destinations/flow.js';
import { Health, type CircuitRules, type SendVerdict } from '../../shared/domain/flow/circuit.js';
import { keyIdOfCircuit, isCircuitOfHost } from '../../shared/domain/flow/circuit-names.js';
import { HostHealth } from '../../shared/domain/flow/host-health.js';

/** How many endpoints, and how many hosts, are remembered: one costs some 400 bytes. */
const MAX_REMEMBERED = 10_000;
const FORGOTTEN_AT_ONCE = 1_000;

/** Do the failures so far have to open the circuits of a send's endpoint and host? */
export interface TooMuch {
  readonly endpoint: boolean;
  readonly host: boolean;
}

const NOT_TOO_MUCH: TooMuch = { endpoint: false, host: false };

export interface FlowHealthOptions {
  readonly rules: CircuitRules;
  /** Number of workers in the fleet, this one included. */
  readonly workers: () => number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/** What this process saw lately of endpoints and of hosts. The rules are pure and stand in shared/domain/flow. */
export class FlowHealth {
  readonly #endpoints = new Map<string, Health>();
  readonly #hosts = new Map<string, HostHealth>();

  constructor(private readonly options: FlowHealthOptions) {}

  /** Endpoints and hosts remembered; bounded. */
  get remembered(): number {
    return this.#endpoints.size + this.#hosts.size;
  }

  /** @param at monotonic ms */
  note(flow: Flow, verdict: Exclude<SendVerdict, { kind: 'nothing' }>, taskId: string, at = this.options.now()): TooMuch {
    const { rules, workers } = this.options;
    if (verdict.kind === 'answered') {
      this.#endpoint(flow).note(0, taskId, at, rules);
      this.#host(flow).noteAnswer(at, rules);
      return NOT_TOO_MUCH;
    }
    const { weight, refusal } = verdict;
    if (verdict.of === 'host') return { endpoint: false, host: this.#host(flow).noteHostFailure(weight, taskId, at, rules, workers()) };
    const endpoint = this.#endpoint(flow).note(weight, taskId, at, rules, workers(), refusal);
    if (!verdict.isHostWell) return { endpoint, host: this.#host(flow).noteEndpointFailure(flow.keyId, weight, taskId, at, rules, workers(), refusal) };
    this.#host(flow).noteAnswer(at, rules);
    return { endpoint, host: false };
  }

  /** Has the endpoint failed since it was last well? One that is not known has not. */
  isFailing(flow: Flow): boolean {
    return this.#endpoints.get(flow.keyId)?.isFailing(this.options.now(), this.options.rules) === true;
  }

  /** Failures in a row of the endpoint, 0 when it was well. */
  failuresOfEndpoint(flow: Flow): number {
    return this.#endpoint(flow).failuresInARow;
  }

  /** Failures in a row that blame the host, 0 when it has answered. */
  failuresOfHost(flow: Flow): number {
    return this.#host(flow).failuresInARow;
  }

  /** Begins afresh with an endpoint or a host whose circuit was opened or closed. A host leaves its endpoints as they are. */
  forget(circuit: string): void {
    const id = keyIdOfCircuit(circuit);
    if (isCircuitOfHost(circuit)) this.#hosts.get(id)?.forget();
    else this.#endpoints.get(id)?.forget();
  }

  #endpoint({ keyId }: Flow): Health {
    const known = this.#endpoints.get(keyId);
    if (known !== undefined) return known;
    forgetSome(this.#endpoints);
    const made = new Health();
    this.#endpoints.set(keyId, made);
    return made;
  }

  #host({ hostId }: Flow): HostHealth {
    const known = this.#hosts.get(hostId);
    if (known !== undefined) return known;
    forgetSome(this.#hosts);
    const made = new HostHealth();
    this.#hosts.set(hostId, made);
    return made;
  }
}

/** Many at once, oldest first: the search for the oldest entry of a Map gets slower with each one deleted before it. */
function forgetSome(remembered: Map<string, unknown>): void {
  if (remembered.size < MAX_REMEMBERED) return;
  let left = FORGOTTEN_AT_ONCE;
  for (const id of remembered.keys()) {
    if (left === 0) return;
    left -= 1;
    remembered.delete(id);
  }
}

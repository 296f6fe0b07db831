import { stateOfCircuit, type Circuit, type CircuitRules, type CircuitState } from '../../shared/domain/flow/circuit.js';
import { flowOfId, type Flow } from '../../shared/domain/destinations/flow.js';
import { hostOfName } from '../../shared/domain/flow/flow-key.js';
import { isLimited, policyOf, type FlowPolicy } from '../../shared/domain/flow/flow-policy.js';
import type { FlowSample } from '../../shared/domain/flow/flow-report.js';
import { LatencyHistogram } from '../../shared/domain/flow/latency-histogram.js';
import type { FlowSnapshot } from '../../shared/queue/flow/flow-store.js';
import type { WaitingListDepth } from '../../shared/queue/flow/waiting-lists.js';
import { printTime } from '../http/print-time.js';

/** The depth of a flow_key's waiting list; Redis is asked about all of them at once. */
const MOST_GROUPS = 1_000;

/** What all workers send to one name: to the key of a flow as well as to its host. */
interface Traffic {
  inFlight: number;
  deferred: number;
  /** Sends that ended within about the last minute. */
  delivered: number;
  failed: number;
  readonly latency: LatencyHistogram;
}

/** The reports of workers and the depths of waiting lists, by name. */
export class TrafficByName {
  readonly #traffic = new Map<string, Traffic>();
  /** The depths by key, because a flow_key may go to several destinations. */
  readonly #hosts = new Map<string, Set<string>>();

  /** @param samples one for each worker and flow. @param depths one for each shard and flow */
  constructor(samples: readonly FlowSample[], depths: readonly WaitingListDepth[]) {
    for (const { key, host, inFlight, delivered, failed, latency } of samples) {
      for (const traffic of this.#of({ key, host })) {
        traffic.inFlight += inFlight;
        traffic.delivered += delivered;
        traffic.failed += failed;
        traffic.latency.add(latency);
      }
    }
    for (const { flow, waiting } of depths) for (const traffic of this.#of(flow)) traffic.deferred += waiting;
  }

  /** Keys that something is sent to, or waits for. Hosts are among them only where they are keys, too. */
  keys(): Iterable<string> {
    return this.#hosts.keys();
  }

  /** At most 1,000. It is empty for a flow_key that has had no traffic lately. */
  hostsOf(name: string): readonly string[] {
    const seen = this.#hosts.get(name);
    if (seen !== undefined) return [...seen].slice(0, MOST_GROUPS);
    const host = hostOfName(name);
    return host === undefined ? [] : [host];
  }

  get(name: string): Traffic {
    return this.#traffic.get(name) ?? noTraffic();
  }

  #of({ key, host }: Pick<Flow, 'key' | 'host'>): Traffic[] {
    const hosts = this.#hosts.get(key);
    if (hosts === undefined) this.#hosts.set(key, new Set([host]));
    else hosts.add(host);
    return key === host ? [this.#made(key)] : [this.#made(key), this.#made(host)];
  }

  #made(name: string): Traffic {
    const known = this.#traffic.get(name);
    if (known !== undefined) return known;
    const made = noTraffic();
    this.#traffic.set(name, made);
    return made;
  }
}

function noTraffic(): Traffic {
  return { inFlight: 0, deferred: 0, delivered: 0, failed: 0, latency: new LatencyHistogram() };
}

/** The busiest come first: by what is sent or waits now, then by what was sent lately. */
export function toWireDestinations(traffic: TrafficByName, snapshot: FlowSnapshot, rules: CircuitRules, limit: number): object {
  const open = [...snapshot.circuits].filter(([, circuit]) => stateOfCircuit(circuit, snapshot.now, rules) !== 'closed').map(([id]) => flowOfId(id).key);
  const names = [...new Set([...traffic.keys(), ...snapshot.policies.keys(), ...open])];
  const hottest = names
    .map((name) => {
      const { inFlight, deferred, delivered, failed } = traffic.get(name);
      return { name, now: inFlight + deferred, lately: delivered + failed };
    })
    .sort((a, b) => b.now - a.now || b.lately - a.lately || (a.name < b.name ? -1 : 1))
    .slice(0, limit);
  return {
    destinations: hottest.map(({ name }) => toWireDestination(name, traffic, snapshot, rules)),
    total: names.length,
    workers: snapshot.workers,
  };
}

/** Shows one destination to clients: our names become wire names here. */
export function toWireDestination(name: string, traffic: TrafficByName, { policies, circuits, now }: FlowSnapshot, rules: CircuitRules): object {
  const hosts = traffic.hostsOf(name);
  // If one of several circuits is not closed, that one is shown: a reader is looking for the trouble.
  const host = hosts.find((one) => stateOfCircuit(circuits.get(one), now, rules) !== 'closed') ?? hosts[0];
  const { inFlight, deferred, delivered, failed, latency } = traffic.get(name);
  const holding = policyOf(policies, { key: name, endpoint: name, host: host ?? name });
  const ended = delivered + failed;
  return {
    key: name,
    group: host ?? null,
    in_flight: inFlight,
    deferred,
    delivered,
    failed,
    failure_share: ended === 0 ? 0 : Number((failed / ended).toFixed(4)),
    latency_ms: { p50: latency.percentile(0.5) ?? null, p99: latency.percentile(0.99) ?? null },
    circuit: toWireCircuit(circuits.get(host ?? name), now, rules),
    limits: isLimited(holding?.policy) ? toWireLimits(holding.policy) : null,
    limited_by: isLimited(holding?.policy) ? holding.name : null,
    paused: holding?.policy.isPaused === true,
    paused_by: [name, host].find((one) => one !== undefined && policies.get(one)?.isPaused === true) ?? null,
  };
}

const circuitWords = { closed: 'closed', open: 'open', probe: 'probing', given_up: 'given_up' } as const satisfies Record<CircuitState, string>;

function toWireCircuit(circuit: Circuit | undefined, now: number, rules: CircuitRules): object {
  const state = stateOfCircuit(circuit, now, rules);
  if (circuit === undefined || state === 'closed') return { state: circuitWords.closed, since: null, until: null, reason: null };
  return { state: circuitWords[state], since: printTime(circuit.openedAt), until: printTime(circuit.until), reason: circuit.reason };
}

/** Limits in the form that PUT takes. */
function toWireLimits({ maxConcurrency, ratePerSecond, burst }: FlowPolicy): object {
  return { max_concurrency: maxConcurrency, rate: ratePerSecond, burst };
}

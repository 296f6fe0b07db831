import { stateOfCircuit, type Circuit, type CircuitRules, type CircuitState } from '../../shared/domain/flow/circuit.js';
import { groupOfName, type Flow } from '../../shared/domain/flow/flow-key.js';
import { isLimited, policyOf, type FlowPolicy } from '../../shared/domain/flow/flow-policy.js';
import type { FlowSample } from '../../shared/domain/flow/flow-report.js';
import { LatencyHistogram } from '../../shared/domain/flow/latency-histogram.js';
import type { Standing } from '../../shared/queue/flow/flow-store.js';
import type { LaneDepth } from '../../shared/queue/flow/waiting-lists.js';
import { printTime } from '../http/print-time.js';

/** Of a flow_key; Redis is asked about all of them at once. */
const MOST_GROUPS = 1_000;

/** What is sent to one name, by all workers: to a flow's key as well as to its group. */
interface Traffic {
  inFlight: number;
  deferred: number;
  /** Sends of about the last minute that ended. */
  delivered: number;
  failed: number;
  readonly latency: LatencyHistogram;
}

/** What workers report and what waits, by name. */
export class TrafficByName {
  readonly #traffic = new Map<string, Traffic>();
  /** By key: a flow_key may go to several destinations. */
  readonly #groups = new Map<string, Set<string>>();

  /** @param samples one for each worker and flow. @param depths one for each shard and flow */
  constructor(samples: readonly FlowSample[], depths: readonly LaneDepth[]) {
    for (const { key, group, inFlight, delivered, failed, latency } of samples) {
      for (const traffic of this.#of({ key, group })) {
        traffic.inFlight += inFlight;
        traffic.delivered += delivered;
        traffic.failed += failed;
        traffic.latency.add(latency);
      }
    }
    for (const { flow, waiting } of depths) for (const traffic of this.#of(flow)) traffic.deferred += waiting;
  }

  /** Keys that something is sent to, or waits for. Groups are among them only where they are keys, too. */
  keys(): Iterable<string> {
    return this.#groups.keys();
  }

  /** At most 1,000. Empty: a flow_key that nobody has seen lately. */
  groupsOf(name: string): readonly string[] {
    const seen = this.#groups.get(name);
    if (seen !== undefined) return [...seen].slice(0, MOST_GROUPS);
    const group = groupOfName(name);
    return group === undefined ? [] : [group];
  }

  get(name: string): Traffic {
    return this.#traffic.get(name) ?? noTraffic();
  }

  #of({ key, group }: Flow): Traffic[] {
    const groups = this.#groups.get(key);
    if (groups === undefined) this.#groups.set(key, new Set([group]));
    else groups.add(group);
    return key === group ? [this.#made(key)] : [this.#made(key), this.#made(group)];
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

/** The hottest first: what is sent or waits now, then what was sent lately. */
export function printDestinations(traffic: TrafficByName, standing: Standing, rules: CircuitRules, limit: number): object {
  const open = [...standing.circuits].filter(([, circuit]) => stateOfCircuit(circuit, standing.now, rules) !== 'closed').map(([group]) => group);
  const names = [...new Set([...traffic.keys(), ...standing.policies.keys(), ...open])];
  const hottest = names
    .map((name) => {
      const { inFlight, deferred, delivered, failed } = traffic.get(name);
      return { name, now: inFlight + deferred, lately: delivered + failed };
    })
    .sort((a, b) => b.now - a.now || b.lately - a.lately || (a.name < b.name ? -1 : 1))
    .slice(0, limit);
  return {
    destinations: hottest.map(({ name }) => printOne(name, traffic, standing, rules)),
    total: names.length,
    workers: standing.workers,
  };
}

/** How one destination is shown to clients: our names become wire names here. */
export function printOne(name: string, traffic: TrafficByName, { policies, circuits, now }: Standing, rules: CircuitRules): object {
  const groups = traffic.groupsOf(name);
  // Of several the one in trouble: it is what somebody who looks wants to know.
  const group = groups.find((one) => stateOfCircuit(circuits.get(one), now, rules) !== 'closed') ?? groups[0];
  const { inFlight, deferred, delivered, failed, latency } = traffic.get(name);
  const holding = policyOf(policies, name, group ?? name);
  const ended = delivered + failed;
  return {
    key: name,
    group: group ?? null,
    in_flight: inFlight,
    deferred,
    delivered,
    failed,
    failure_share: ended === 0 ? 0 : Number((failed / ended).toFixed(4)),
    latency_ms: { p50: latency.percentile(0.5) ?? null, p99: latency.percentile(0.99) ?? null },
    circuit: printCircuit(circuits.get(group ?? name), now, rules),
    limits: isLimited(holding?.policy) ? printLimits(holding.policy) : null,
    limited_by: isLimited(holding?.policy) ? holding.name : null,
    paused: holding?.policy.isPaused === true,
    paused_by: [name, group].find((one) => one !== undefined && policies.get(one)?.isPaused === true) ?? null,
  };
}

const circuitWords = { closed: 'closed', open: 'open', probe: 'probing', given_up: 'given_up' } as const satisfies Record<CircuitState, string>;

function printCircuit(circuit: Circuit | undefined, now: number, rules: CircuitRules): object {
  const state = stateOfCircuit(circuit, now, rules);
  if (circuit === undefined || state === 'closed') return { state: circuitWords.closed, since: null, until: null, reason: null };
  return { state: circuitWords[state], since: printTime(circuit.openedAt), until: printTime(circuit.until), reason: circuit.reason };
}

/** As PUT takes them. */
function printLimits({ maxConcurrency, ratePerSecond, burst }: FlowPolicy): object {
  return { max_concurrency: maxConcurrency, rate: ratePerSecond, burst };
}

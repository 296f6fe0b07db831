import { deadFlowOf, flowNamed, flowOfId, type Flow } from '../../shared/domain/destinations/flow.js';
import { KAFKA_SCHEME } from '../../shared/domain/destinations/kafka.js';
import { stateOfCircuit, worstCircuit, type Circuit, type CircuitRules, type CircuitState, type LastProbe } from '../../shared/domain/flow/circuit.js';
import { endpointCircuitOf, placeOfCircuit } from '../../shared/domain/flow/circuit-names.js';
import { hostOfName } from '../../shared/domain/flow/flow-key.js';
import { EVERYTHING, limitsOver, pauseOver, type FlowLimits, type FlowPolicy } from '../../shared/domain/flow/flow-policy.js';
import type { FlowSample } from '../../shared/domain/flow/flow-report.js';
import { LatencyHistogram } from '../../shared/domain/flow/latency-histogram.js';
import { shownPhase } from '../../shared/domain/task/shown-phase.js';
import type { FlowSnapshot } from '../../shared/queue/flow/flow-store.js';
import type { WaitingListDepth } from '../../shared/queue/flow/waiting-lists.js';
import { idOfKey } from '../../shared/wire/destination-id.js';
import { printTime } from '../http/print-time.js';
import { byBusiest, printCursor, type Rank } from './list-cursor.js';
import { hintForName } from './name-hint.js';

/** The depth of a flow_key's waiting list; Redis is asked about all of them at once. */
const MOST_GROUPS = 1_000;

/** Endpoints and topics of one host that are listed. What is beyond counts under their host. */
const MOST_IN_A_HOST = 1_000;

/** What all workers send to one name: to the key of a flow as well as to its host. */
interface Traffic {
  inFlight: number;
  deferred: number;
  /** Sends that ended within about the last minute. */
  delivered: number;
  failed: number;
  readonly latency: LatencyHistogram;
}

/** What is left out of the numbers. */
export interface MissingTraffic {
  /** Queues of the shards that have told no depths. */
  readonly shardsAway: readonly string[];
  /** false: a shard has so many waiting lists that not all of them were looked at. */
  readonly isDeferredExact: boolean;
}

/** The reports of workers and the depths of waiting lists, by name. */
export class TrafficByName {
  readonly #traffic = new Map<string, Traffic>();
  /** The depths by key, because a flow_key may go to several destinations. */
  readonly #hosts = new Map<string, Set<string>>();
  /** Endpoints and topics that tasks of a flow_key wait for, as far as the names of its waiting lists tell. */
  readonly #endpoints = new Map<string, Set<string>>();

  /**
   * @param samples one for each worker and flow; that of a host holds what has none of its own there
   * @param depths  one for each shard and flow
   */
  constructor(
    samples: readonly FlowSample[],
    depths: readonly WaitingListDepth[],
    readonly missing: MissingTraffic = { shardsAway: [], isDeferredExact: true },
  ) {
    for (const { key, host, inFlight, delivered, failed, latency } of samples) {
      for (const traffic of this.#of({ key, host })) {
        traffic.inFlight += inFlight;
        traffic.delivered += delivered;
        traffic.failed += failed;
        traffic.latency.add(latency);
      }
    }
    for (const { flow, waiting } of depths) {
      for (const traffic of this.#of(flow)) traffic.deferred += waiting;
      if (flow.endpoint === flow.key) continue;
      const endpoints = this.#endpoints.get(flow.key);
      if (endpoints === undefined) this.#endpoints.set(flow.key, new Set([flow.endpoint]));
      else if (endpoints.size < MOST_GROUPS) endpoints.add(flow.endpoint);
    }
  }

  /** Keys and hosts that something is sent to, or waits for. */
  names(): Iterable<string> {
    return [...this.#traffic.keys()].filter((name) => name !== EVERYTHING);
  }

  /** The hosts of open circuits count as well: all tasks of a flow_key may wait for their time, and then nothing else tells of them. */
  noteHosts(flows: Iterable<Pick<Flow, 'key' | 'host'>>): void {
    for (const flow of flows) this.#noteHost(flow);
  }

  /** At most 1,000. It is empty for `*`, and for a flow_key that has had no traffic lately and has no open circuit. */
  hostsOf(name: string): readonly string[] {
    if (name === EVERYTHING) return [];
    const seen = this.#hosts.get(name);
    if (seen !== undefined) return [...seen].slice(0, MOST_GROUPS);
    const host = hostOfName(name);
    return host === undefined ? [] : [host];
  }

  /** At most 1,000. Empty but for a flow_key whose tasks wait for what was set for their endpoint. */
  endpointsOf(name: string): readonly string[] {
    return [...(this.#endpoints.get(name) ?? [])];
  }

  get(name: string): Traffic {
    return this.#traffic.get(name) ?? noTraffic();
  }

  #of({ key, host }: Pick<Flow, 'key' | 'host'>): Traffic[] {
    this.#noteHost({ key, host });
    return [...new Set([key, host, EVERYTHING])].map((name) => this.#made(name));
  }

  #noteHost({ key, host }: Pick<Flow, 'key' | 'host'>): void {
    const hosts = this.#hosts.get(key);
    if (hosts === undefined) this.#hosts.set(key, new Set([host]));
    else hosts.add(host);
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

/** Which destinations are listed. */
export interface ListedDestinations {
  readonly limit: number;
  /** A host or cluster: its endpoints or topics alone. */
  readonly group: string | undefined;
  /** They are listed, too. */
  readonly withFailedTasks: readonly string[];
  /** The page begins behind it. */
  readonly after: Rank | undefined;
}

/** The busiest come first: by what is sent or waits now, then by what was sent lately. What is set for `*` comes before all. */
export function toWireDestinations(traffic: TrafficByName, snapshot: FlowSnapshot, rules: CircuitRules, { limit, after, ...which }: ListedDestinations, knownAt?: number): object {
  const open = openFlows(snapshot, rules);
  traffic.noteHosts(open);
  const all = listed(traffic, snapshot, open, which);
  const from = after === undefined ? 0 : all.findIndex((rank) => byBusiest(rank, after) > 0);
  const page = from < 0 ? [] : all.slice(from, from + limit);
  const last = page.at(-1);
  return {
    destinations: page.map(({ name }) => toWireRow(name, traffic, snapshot, rules)),
    total: all.length,
    workers: snapshot.workers ?? null,
    ...toWireMissing(traffic.missing, knownAt),
    next_cursor: last === undefined || last === all.at(-1) ? null : printCursor(last, which.group),
  };
}

/** @param knownAt when settings and reports were read, ms since the epoch; undefined: now */
export function toWireMissing({ shardsAway, isDeferredExact }: MissingTraffic, knownAt?: number): object {
  return { is_deferred_exact: isDeferredExact, is_complete: shardsAway.length === 0 && knownAt === undefined, shards_away: shardsAway, known_at: knownAt === undefined ? null : printTime(knownAt) };
}

/** Whose circuits are open. */
export function openFlows({ circuits, now }: Pick<FlowSnapshot, 'circuits' | 'now'>, rules: CircuitRules): readonly Flow[] {
  return [...circuits].filter(([, circuit]) => stateOfCircuit(circuit, now, rules) !== 'closed').map(([id]) => flowOfId(id));
}

function listed(traffic: TrafficByName, { policies }: FlowSnapshot, open: readonly Flow[], { group, withFailedTasks }: Pick<ListedDestinations, 'group' | 'withFailedTasks'>): readonly Rank[] {
  const names = new Set<string>();
  for (const name of [...traffic.names(), ...policies.keys(), ...open.map(({ key }) => key), ...withFailedTasks]) {
    const host = hostOfName(name);
    if (group !== undefined && (host !== group || name === group)) continue;
    names.add(name);
    if (group === undefined && host !== undefined) names.add(host);
  }
  const sorted = [...names].map((name) => rankOf(name, traffic)).sort(byBusiest);
  const countOf = new Map<string, number>();
  return sorted.filter(({ name }) => {
    const host = hostOfName(name);
    if (host === undefined || host === name) return true;
    const count = (countOf.get(host) ?? 0) + 1;
    countOf.set(host, count);
    return count <= MOST_IN_A_HOST;
  });
}

function rankOf(name: string, traffic: TrafficByName): Rank {
  const { inFlight, deferred, delivered, failed } = traffic.get(name);
  return { name, now: name === EVERYTHING ? Number.MAX_SAFE_INTEGER : inFlight + deferred, lately: delivered + failed };
}

/**
 * Names of the circuits that hold its tasks, the nearest first: those of the endpoint, and those of its hosts, each also for
 * dead letters. A host has one more, for "the others" in it.
 */
export function circuitsOf(name: string, hosts: readonly string[]): readonly string[] {
  const flows = (hosts.length === 0 ? [name] : hosts).map((host) => flowNamed(name, host));
  const both = [...flows, ...flows.map(deadFlowOf)];
  const [own, ofHosts] = [both.map(endpointCircuitOf), both.map(({ hostId }) => hostId)];
  return [...new Set(ofHosts.includes(name) ? [...ofHosts, ...own] : [...own, ...ofHosts])];
}

/** Shows one destination to clients. @param snapshot for a flow_key that of all names: its circuits are at any host */
export function toWireDestination(name: string, traffic: TrafficByName, snapshot: FlowSnapshot, rules: CircuitRules): object {
  traffic.noteHosts(openFlows(snapshot, rules));
  return toWireRow(name, traffic, snapshot, rules);
}

/** Our names become wire names here. */
function toWireRow(name: string, traffic: TrafficByName, { policies, circuits, now }: FlowSnapshot, rules: CircuitRules): object {
  const hosts = traffic.hostsOf(name);
  // If one of several circuits is not closed, or one of the hosts is paused, that one is shown: a reader is looking for the trouble.
  const trouble = worstCircuit(circuitsOf(name, hosts), (id) => stateOfCircuit(circuits.get(id), now, rules));
  const host = trouble === undefined || hosts.length === 0 ? (hosts.find((one) => policies.get(one)?.isPaused === true) ?? hosts[0]) : flowOfId(trouble).host;
  const { inFlight, deferred, delivered, failed, latency } = traffic.get(name);
  const around = [...(host === undefined ? [] : [host]), EVERYTHING];
  const limited = limitsOver(policies, [name, ...traffic.endpointsOf(name), ...around]);
  const ended = delivered + failed;
  return {
    key: name,
    kind: kindOf(name),
    id: idOfKey(name),
    group: host ?? null,
    in_flight: inFlight,
    deferred,
    delivered,
    failed,
    failure_share: ended === 0 ? 0 : Number((failed / ended).toFixed(4)),
    latency_ms: { p50: latency.percentile(0.5) ?? null, p99: latency.percentile(0.99) ?? null },
    circuit: toWireCircuit(trouble, trouble === undefined ? undefined : circuits.get(trouble), now, rules),
    limits: limited === undefined ? null : toWireLimits(limited.limits),
    limited_by: limited?.name ?? null,
    // A paused endpoint is none of its group: what a flow_key sends elsewhere is sent.
    paused: toWirePause(policies, [name, ...around]),
  };
}

/** The same as the answer to a change: it says when the change is about a name that gets no tasks, and that may be another one than was meant. */
export function toWireChanged(name: string, traffic: TrafficByName, snapshot: FlowSnapshot, rules: CircuitRules): object {
  return { ...toWireDestination(name, traffic, snapshot, rules), hint: hintForName(name, (each) => isBusy(traffic.get(each)), () => traffic.names()) };
}

function isBusy({ inFlight, deferred, delivered, failed }: Traffic): boolean {
  return inFlight + deferred + delivered + failed > 0;
}

type DestinationKind = 'host' | 'endpoint' | 'cluster' | 'topic' | 'flow_key' | 'all';

function kindOf(name: string): DestinationKind {
  if (name === EVERYTHING) return 'all';
  const host = hostOfName(name);
  if (host === undefined) return 'flow_key';
  if (name.startsWith(KAFKA_SCHEME)) return name === host ? 'cluster' : 'topic';
  return name === host ? 'host' : 'endpoint';
}

const circuitWords = { closed: 'closed', open: 'open', probe: 'probing', given_up: 'given_up' } as const satisfies Record<CircuitState, string>;

function toWireCircuit(name: string | undefined, circuit: Circuit | undefined, now: number, rules: CircuitRules): object {
  if (name === undefined || circuit === undefined) return { state: circuitWords.closed, of: null, phase: null, since: null, until: null, reason: null, last_probe: null };
  const { of, phase } = placeOfCircuit(name);
  return {
    state: circuitWords[stateOfCircuit(circuit, now, rules)],
    of,
    phase: shownPhase(phase),
    since: printTime(circuit.openedAt),
    until: printTime(circuit.until),
    reason: circuit.reason,
    last_probe: toWireProbe(circuit.lastProbe),
  };
}

function toWireProbe(probe: LastProbe | undefined): object | null {
  return probe === undefined ? null : { task_id: probe.task, at: printTime(probe.at), error_code: probe.code };
}

/** Limits in the form that PUT takes. */
function toWireLimits({ maxConcurrency, ratePerSecond, burst }: FlowLimits): object {
  return { max_concurrency: maxConcurrency, rate: ratePerSecond, burst };
}

/** The nearest of the pauses that hold. */
function toWirePause(policies: ReadonlyMap<string, FlowPolicy>, names: readonly string[]): object | null {
  const paused = pauseOver(policies, names);
  if (paused === undefined) return null;
  const { since, until, by, reason } = paused.pause;
  return {
    key: paused.name,
    since: since === undefined ? null : printTime(since),
    until: until === undefined ? null : printTime(until),
    by: by === undefined ? null : { type: by.type, id: by.id, name: by.name, operator: by.operator },
    reason: reason ?? null,
  };
}

import type { Phase } from '../task/attempt-record.js';
import { brokerName } from '../destinations/broker-name.js';
import { destinationTypes, rowOf, type Destination } from '../destinations/destination.js';
import { hiddenName } from '../destinations/http.js';
import { DEFAULT_CLUSTER, KAFKA_SCHEME } from '../destinations/kafka.js';
import { nameWithoutSecrets } from '../destinations/name-without-secrets.js';
import { defaultPathMask, type PathMask } from '../destinations/path-mask.js';
import type { Task } from '../task/task.js';
import { deadFlowOf, flowNamed, type Flow } from '../destinations/flow.js';

const NONE: ReadonlySet<string> = new Set();

/**
 * The brokers of KAFKA_BROKERS, by `brokerName`: they all mean the default cluster. A task that names one of them goes to the
 * same cluster as a task that names none, so the same limits, pauses and circuits have to hold for both.
 */
export type DefaultBrokers = ReadonlySet<string>;

export function defaultBrokersOf(brokers: readonly { readonly host: string; readonly port: number }[]): DefaultBrokers {
  return new Set(brokers.map(brokerName));
}

/**
 * The flow of deliveries to a destination.
 *
 * | destination | key | host |
 * |---|---|---|
 * | `https://API.example.com:443/hook?x=1` | `https://api.example.com/hook` | `https://api.example.com` |
 * | `https://api.example.com/T1/a1b2c3d4e5f6g7h8i9j0` | `https://api.example.com/T1/*10ee68888777ddca9eee1b40378c22d1` | the same |
 * | topic orders of Broker-1:9092 | `kafka://broker-1:9092/orders` | `kafka://broker-1:9092` |
 * | topic orders of KAFKA_BROKERS, a broker of it named or none | `kafka://default/orders` | `kafka://default` |
 * | any, with flow_key `tenant-7` | `tenant-7` | as above |
 * | any, with flow_key `https://API.example.com/x` | `https://api.example.com/x` | as above |
 * | any, with flow_key `//user:password@host/x` | `//host/x` | as above |
 * | any, with a flow_key that is the name of its own host | as without one | as above |
 *
 * Never throws: a url that is none fails when it is sent.
 */
export function flowOf(destination: Destination, flowKey: string | undefined, defaultBrokers: DefaultBrokers = NONE, mask: PathMask = defaultPathMask): Flow {
  const flow = rowOf(destination.type).flow(destination, defaultBrokers, mask);
  return flowKey === undefined ? flow : underName(flow, canonicalName(flowKey, defaultBrokers, mask));
}

/** What was set for the host holds for its endpoints anyway. Under the name of the host these tasks would be taken for "the others" of it, and stop them. */
function underName(flow: Flow, name: string): Flow {
  return name === flow.host ? flow : flowNamed(name, flow.host, { endpoint: flow.endpoint });
}

/** What names of destinations are spelled by. */
export interface NameRules {
  readonly defaultBrokers: DefaultBrokers;
  readonly mask: PathMask;
}

/**
 * The key of an endpoint whose host and path were stored, maybe before its path was hidden: `https://api.example.com/orders`,
 * `kafka://default/orders`
 */
export function endpointOf({ host, path }: { readonly host: string; readonly path: string }, { defaultBrokers, mask }: NameRules): string {
  return hiddenName(canonicalName(host, defaultBrokers, mask) + path, mask);
}

/** The flow of deliveries to such an endpoint. @param name the flow_key, as it was stored; undefined: the task has none */
export function flowOfEndpoint(stored: { readonly host: string; readonly path: string }, name: string | undefined, rules: NameRules): Flow {
  const { defaultBrokers, mask } = rules;
  const endpoint = endpointOf(stored, rules);
  const flow = flowNamed(endpoint, canonicalName(stored.host, defaultBrokers, mask));
  return name === undefined ? flow : underName(flow, canonicalName(name, defaultBrokers, mask));
}

/**
 * The flow of a task's next send. A flow_key is about deliveries alone: dead letters share a destination with those of other
 * tasks.
 * @returns undefined for a dead phase without a dead destination, which no task gets into
 */
export function flowDue({ destination, deadDestination, flowKey }: Task, phase: Phase, defaultBrokers: DefaultBrokers = NONE, mask: PathMask = defaultPathMask): Flow | undefined {
  if (phase === 'delivery') return flowOf(destination, flowKey, defaultBrokers, mask);
  return deadDestination === undefined ? undefined : deadFlowOf(flowOf(deadDestination, undefined, defaultBrokers, mask));
}

/**
 * The one spelling of a name. An origin is a host, and a url with a path is an endpoint: `https://API.example.com` -> `https://api.example.com`,
 * `https://API.example.com/x?y=1` -> `https://api.example.com/x`. A cluster: `kafka://Broker-1:9092/orders` -> `kafka://broker-1:9092/orders`, or
 * `kafka://default/orders` for a broker of KAFKA_BROKERS. It holds no secret of a url, however that is spelled:
 * `amqp://user:password@host` -> `amqp://host`.
 *
 * The name of a name is that name: otherwise an operator who copies one would set a limit for another.
 */
export function canonicalName(name: string, defaultBrokers: DefaultBrokers = NONE, mask: PathMask = defaultPathMask): string {
  let canonical = name;
  // What is left without a login may be a url once more (`kafka:/@/@` -> `kafka://` + `@`). Each step takes something away, or writes
  // it in a form that later steps leave, so this ends. Nearly all names end with the first.
  for (let before = ''; canonical !== before; ) {
    before = canonical;
    canonical = spelledOnce(before, defaultBrokers, mask);
  }
  return canonical;
}

function spelledOnce(name: string, defaultBrokers: DefaultBrokers, mask: PathMask): string {
  for (const row of rows) {
    const canonical = row.canonicalName(name, defaultBrokers, mask);
    if (canonical !== undefined) return canonical;
  }
  return nameWithoutSecrets(name);
}

/**
 * A stored name as it is spelled now: its path may have been hidden since, and an earlier version took `kafka://b:09092/`
 * for a name of its own. What is spelled rightly stays, also the name of a broker that KAFKA_BROKERS has got since: to pause it was no word about
 * the default cluster.
 */
export function spelledNow(stored: string, { defaultBrokers, mask }: NameRules): string {
  // Of a broker of KAFKA_BROKERS it would have been written as `kafka://default/`: so this one was none.
  const named = stored.replace(/^(kafka:\/\/[^/]+)\/$/i, '$1');
  return canonicalName(named, NONE, mask) === named ? named : canonicalName(named, defaultBrokers, mask);
}

/**
 * The host of a name, as far as the name alone tells it: an origin or a cluster is its own host, an endpoint has its origin,
 * and a topic its cluster.
 * @returns undefined for a flow_key, which may belong to any host
 */
export function hostOfName(name: string): string | undefined {
  for (const row of rows) {
    const host = row.hostOfName(name);
    if (host !== undefined) return host;
  }
  return undefined;
}

const rows = Object.values(destinationTypes);

/** The host of the default cluster, and the other names of it: `kafka://default`, and `kafka://broker-1:9092` for each broker. */
export function defaultClusterNames(defaultBrokers: DefaultBrokers): readonly [host: string, ...others: string[]] {
  return [DEFAULT_CLUSTER, ...[...defaultBrokers].map((broker) => `${KAFKA_SCHEME}${broker}`)];
}

/**
 * May the flow's key come from the destination alone, so that tasks without a flow_key belong to it? Endpoints and topics are
 * such keys.
 */
export function isNamedByDestination({ key, host }: Pick<Flow, 'key' | 'host'>): boolean {
  return key.startsWith(`${host}/`);
}

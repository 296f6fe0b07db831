import type { Phase } from '../task/attempt-record.js';
import { brokerName } from '../destinations/broker-name.js';
import { destinationTypes, rowOf, type Destination } from '../destinations/destination.js';
import { DEFAULT_CLUSTER, KAFKA_SCHEME } from '../destinations/kafka.js';
import { nameWithoutSecrets } from '../destinations/name-without-secrets.js';
import type { Task } from '../task/task.js';

const NONE: ReadonlySet<string> = new Set();

/**
 * Under which names a send is counted.
 * `key`: the name that an operator sets limits for, pauses and looks at: the origin of a url, a topic, or the task's `flow_key`.
 * `host`: the name of what fails as a whole: the origin, or the whole Kafka cluster. Slots and the circuit go by it, so
 * that a dead cluster with a thousand topics is one dead destination.
 */
export interface Flow {
  readonly key: string;
  readonly host: string;
}

/**
 * The brokers of KAFKA_BROKERS, by `brokerName`: they all mean the default cluster. A task that names one of them goes to the
 * same cluster as a task that names none, so the same limits, pauses and circuits have to hold for both.
 */
export type DefaultBrokers = ReadonlySet<string>;

export function defaultBrokersOf(brokers: readonly { readonly host: string; readonly port: number }[]): DefaultBrokers {
  return new Set(brokers.map(brokerName));
}

/**
 * | destination | key | host |
 * |---|---|---|
 * | `https://api.example.com/hook` | `https://api.example.com` | the same |
 * | topic orders of Broker-1:9092 | `kafka://broker-1:9092/orders` | `kafka://broker-1:9092` |
 * | topic orders of KAFKA_BROKERS, a broker of it named or none | `kafka://default/orders` | `kafka://default` |
 * | any, with flow_key `tenant-7` | `tenant-7` | as above |
 * | any, with flow_key `https://API.example.com/x` | `https://api.example.com` | as above |
 * | any, with flow_key `//user:password@host/x` | `//host/x` | as above |
 *
 * Never throws: a url that is none fails when it is sent.
 */
export function flowOf(destination: Destination, flowKey: string | undefined, defaultBrokers: DefaultBrokers = NONE): Flow {
  const names = rowOf(destination.type).flow(destination, defaultBrokers);
  return flowKey === undefined ? names : { key: canonicalName(flowKey, defaultBrokers), host: names.host };
}

/**
 * The flow of a task's next send. A flow_key is about deliveries alone: dead letters share a destination with those of other
 * tasks.
 * @returns undefined for a dead phase without a dead destination, which no task gets into
 */
export function flowDue({ destination, deadDestination, flowKey }: Task, phase: Phase, defaultBrokers: DefaultBrokers = NONE): Flow | undefined {
  if (phase === 'delivery') return flowOf(destination, flowKey, defaultBrokers);
  return deadDestination === undefined ? undefined : flowOf(deadDestination, undefined, defaultBrokers);
}

/**
 * The one spelling of a name. Of an http(s) url only the origin counts: `https://API.example.com/x` -> `https://api.example.com`. A cluster:
 * `kafka://Broker-1:9092/orders` -> `kafka://broker-1:9092/orders`, or `kafka://default/orders` for a broker of KAFKA_BROKERS. It holds no secret
 * of a url, however that is spelled: `amqp://user:password@host` -> `amqp://host`.
 */
export function canonicalName(name: string, defaultBrokers: DefaultBrokers = NONE): string {
  for (const row of rows) {
    const canonical = row.canonicalName(name, defaultBrokers);
    if (canonical !== undefined) return canonical;
  }
  const plain = nameWithoutSecrets(name);
  // What is left may be a url for parsers.
  return plain === name ? name : canonicalName(plain, defaultBrokers);
}

/**
 * The host of a name, as far as the name alone tells it: an origin or a cluster is its own host, a topic has its cluster's.
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
 * May the flow's name come from the destination alone, so that tasks without a flow_key belong to it? An origin and a topic
 * are such names. A cluster is none: without a flow_key its tasks are counted by topic.
 */
export function isNamedByDestination({ key, host }: Flow): boolean {
  return host.startsWith(KAFKA_SCHEME) ? key.startsWith(`${host}/`) : key === host;
}

/** Name of the waiting list for deferred tasks of a flow. A line break divides its parts, because neither can hold one. */
export function waitingListOf({ key, host }: Flow): string {
  return key === host ? key : `${key}\n${host}`;
}

export function flowOfWaitingList(waitingList: string): Flow {
  const [key = waitingList, host = key] = waitingList.split('\n');
  return { key, host };
}

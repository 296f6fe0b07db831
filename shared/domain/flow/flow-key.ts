import type { Phase } from '../task/attempt-record.js';
import type { Destination } from '../destinations/destination.js';
import { remembered } from '../remembered.js';
import type { Task } from '../task/task.js';

const NONE: ReadonlySet<string> = new Set();
const KAFKA = 'kafka://';
const DEFAULT_CLUSTER = `${KAFKA}default`;

/**
 * Under which names a send is counted.
 * `key`: what an operator sets limits for, pauses and looks at: the origin of a url, a topic, or the task's `flow_key`.
 * `host`: who fails together: the origin, or the whole Kafka cluster. Slots and the circuit go by it, so that a dead
 * cluster with a thousand topics is one dead destination.
 */
export interface Flow {
  readonly key: string;
  readonly host: string;
}

/**
 * Brokers that mean the default cluster, those of KAFKA_BROKERS, by `brokerName`. Whoever spells out one of them means the
 * cluster that others mean by naming none: what holds for one has to hold for the other.
 */
export type DefaultBrokers = ReadonlySet<string>;

export function defaultBrokersOf(brokers: readonly { readonly host: string; readonly port: number }[]): DefaultBrokers {
  return new Set(brokers.map(brokerName));
}

/** The same for every spelling: `Kafka-1`, 9092 -> `kafka-1:9092`; `[::1]`, 9092 -> `::1:9092`. */
export function brokerName({ host, port }: { readonly host: string; readonly port: number }): string {
  return spellBroker(`${host}:${port}`);
}

/** @param broker host and port, or a name that is neither, such as `default` */
function spellBroker(broker: string): string {
  return broker.toLowerCase().replace(/^\[(.+)\]:/, '$1:');
}

/**
 * | destination | key | host |
 * |---|---|---|
 * | `https://api.example.com/hook` | `https://api.example.com` | the same |
 * | topic orders of Broker-1:9092 | `kafka://broker-1:9092/orders` | `kafka://broker-1:9092` |
 * | topic orders of KAFKA_BROKERS, a broker of it named or none | `kafka://default/orders` | `kafka://default` |
 * | any, with flow_key `tenant-7` | `tenant-7` | as above |
 * | any, with flow_key `https://API.example.com/x` | `https://api.example.com` | as above |
 *
 * Never throws: a url that is none fails when it is sent.
 */
export function flowOf(destination: Destination, flowKey: string | undefined, defaultBrokers: DefaultBrokers = NONE): Flow {
  switch (destination.type) {
    case 'http': {
      const origin = originOf(destination.url);
      return { key: ownName(flowKey, defaultBrokers) ?? origin, host: origin };
    }
    case 'kafka': {
      const { broker, topic } = destination;
      const cluster = broker === undefined ? DEFAULT_CLUSTER : clusterOf(brokerName(broker), defaultBrokers);
      return { key: ownName(flowKey, defaultBrokers) ?? `${cluster}/${topic}`, host: cluster };
    }
  }
}

function ownName(flowKey: string | undefined, defaultBrokers: DefaultBrokers): string | undefined {
  return flowKey === undefined ? undefined : canonicalName(flowKey, defaultBrokers);
}

/**
 * Of a task's next send. Its flow_key is about its deliveries: dead letters share a destination with those of others.
 * undefined: a dead phase without a dead destination, which no task gets into.
 */
export function flowDue({ destination, deadDestination, flowKey }: Task, phase: Phase, defaultBrokers: DefaultBrokers = NONE): Flow | undefined {
  if (phase === 'delivery') return flowOf(destination, flowKey, defaultBrokers);
  return deadDestination === undefined ? undefined : flowOf(deadDestination, undefined, defaultBrokers);
}

/**
 * Of an http(s) url only the origin is a name: `https://API.example.com/x` -> `https://api.example.com`. A cluster has one:
 * `kafka://Broker-1:9092/orders` -> `kafka://broker-1:9092/orders`, or `kafka://default/orders` for a broker of KAFKA_BROKERS.
 */
export function canonicalName(name: string, defaultBrokers: DefaultBrokers = NONE): string {
  const cluster = CLUSTER.exec(name)?.[0];
  if (cluster !== undefined) return clusterOf(spellBroker(cluster.slice(KAFKA.length)), defaultBrokers) + name.slice(cluster.length);
  return /^https?:\/\//i.test(name) && URL.canParse(name) ? new URL(name).origin : name;
}

/**
 * The host that a name tells by itself: its own of an origin or a cluster, its cluster's of a topic.
 * undefined: a flow_key, which may belong to any.
 */
export function hostOfName(name: string): string | undefined {
  if (/^https?:\/\//.test(name)) return name;
  return CLUSTER.exec(name)?.[0];
}

const CLUSTER = /^kafka:\/\/[^/]+/i;

/** @param broker its `brokerName`: the Kafka adapter tells clusters apart by it, too */
function clusterOf(broker: string, defaultBrokers: DefaultBrokers): string {
  return defaultBrokers.has(broker) ? DEFAULT_CLUSTER : `${KAFKA}${broker}`;
}

const originOf = remembered(1_000, (url) => {
  try {
    return new URL(url).origin;
  } catch {
    return 'http://invalid';
  }
});

/** Name of the line in which deferred tasks of a flow wait: neither part can hold a line break. */
export function waitingListOf({ key, host }: Flow): string {
  return key === host ? key : `${key}\n${host}`;
}

export function flowOfWaitingList(lane: string): Flow {
  const [key = lane, host = key] = lane.split('\n');
  return { key, host };
}

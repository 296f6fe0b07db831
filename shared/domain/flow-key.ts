import type { Phase } from './attempt-record.js';
import type { Destination } from './destination.js';
import { remembered } from './remembered.js';
import type { Task } from './task.js';

/**
 * Under which names a send is counted.
 * `key`: what an operator sets limits for, pauses and looks at: the origin of a url, a topic, or the task's `flow_key`.
 * `group`: who fails together: the origin, or the whole Kafka cluster. Slots and the circuit go by it, so that a dead
 * cluster with a thousand topics is one dead destination.
 */
export interface Flow {
  readonly key: string;
  readonly group: string;
}

/**
 * | destination | key | group |
 * |---|---|---|
 * | `https://api.example.com/hook` | `https://api.example.com` | the same |
 * | topic orders of Broker-1:9092 | `kafka://broker-1:9092/orders` | `kafka://broker-1:9092` |
 * | topic orders of KAFKA_BROKERS | `kafka://default/orders` | `kafka://default` |
 * | any, with flow_key `tenant-7` | `tenant-7` | as above |
 * | any, with flow_key `https://API.example.com/x` | `https://api.example.com` | as above |
 *
 * Never throws: a url that is none fails when it is sent.
 */
export function flowOf(destination: Destination, flowKey: string | undefined): Flow {
  switch (destination.type) {
    case 'http': {
      const origin = originOf(destination.url);
      return { key: ownName(flowKey) ?? origin, group: origin };
    }
    case 'kafka': {
      const { broker, topic } = destination;
      const cluster = broker === undefined ? 'kafka://default' : clusterOf(`kafka://${broker.host}:${broker.port}`);
      return { key: ownName(flowKey) ?? `${cluster}/${topic}`, group: cluster };
    }
  }
}

function ownName(flowKey: string | undefined): string | undefined {
  return flowKey === undefined ? undefined : canonicalName(flowKey);
}

/**
 * Of a task's next send. Its flow_key is about its deliveries: dead letters share a destination with those of others.
 * undefined: a dead phase without a dead destination, which no task gets into.
 */
export function flowDue({ destination, deadDestination, flowKey }: Task, phase: Phase): Flow | undefined {
  if (phase === 'delivery') return flowOf(destination, flowKey);
  return deadDestination === undefined ? undefined : flowOf(deadDestination, undefined);
}

/**
 * Of an http(s) url only the origin is a name: `https://API.example.com/x` -> `https://api.example.com`. A broker has one
 * name, too, however its host is written: `kafka://Broker-1:9092/Orders` -> `kafka://broker-1:9092/Orders`.
 */
export function canonicalName(name: string): string {
  const cluster = CLUSTER.exec(name)?.[0];
  if (cluster !== undefined) return clusterOf(cluster) + name.slice(cluster.length);
  return /^https?:\/\//i.test(name) && URL.canParse(name) ? new URL(name).origin : name;
}

/**
 * The group that a name tells by itself: its own of an origin or a cluster, its cluster's of a topic.
 * undefined: a flow_key, which may belong to any.
 */
export function groupOfName(name: string): string | undefined {
  if (/^https?:\/\//.test(name)) return name;
  return CLUSTER.exec(name)?.[0];
}

const CLUSTER = /^kafka:\/\/[^/]+/i;

/** As the Kafka adapter tells clusters apart. An IPv6 host may come with or without its brackets. */
function clusterOf(name: string): string {
  return name.toLowerCase().replace(/^kafka:\/\/\[(.+)\]:/, 'kafka://$1:');
}

const originOf = remembered(1_000, (url) => {
  try {
    return new URL(url).origin;
  } catch {
    return 'http://invalid';
  }
});

/** Name of the line in which deferred tasks of a flow wait: neither part can hold a line break. */
export function laneOf({ key, group }: Flow): string {
  return key === group ? key : `${key}\n${group}`;
}

export function flowOfLane(lane: string): Flow {
  const [key = lane, group = key] = lane.split('\n');
  return { key, group };
}

import type { Destination } from './destination.js';

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
 * | topic orders of broker-1:9092 | `kafka://broker-1:9092/orders` | `kafka://broker-1:9092` |
 * | topic orders of KAFKA_BROKERS | `kafka://default/orders` | `kafka://default` |
 * | any, with flow_key `tenant-7` | `tenant-7` | as above |
 *
 * Never throws: a url that is none fails when it is sent.
 */
export function flowOf(destination: Destination, flowKey: string | undefined): Flow {
  switch (destination.type) {
    case 'http': {
      const origin = originOf(destination.url);
      return { key: flowKey ?? origin, group: origin };
    }
    case 'kafka': {
      const { broker, topic } = destination;
      const cluster = `kafka://${broker === undefined ? 'default' : `${broker.host}:${broker.port}`}`;
      return { key: flowKey ?? `${cluster}/${topic}`, group: cluster };
    }
  }
}

function originOf(url: string): string {
  try {
    return new URL(url).origin;
  } catch {
    return 'http://invalid';
  }
}

/** Name of the line in which deferred tasks of a flow wait: neither part can hold a line break. */
export function laneOf({ key, group }: Flow): string {
  return key === group ? key : `${key}\n${group}`;
}

export function flowOfLane(lane: string): Flow {
  const [key = lane, group = key] = lane.split('\n');
  return { key, group };
}

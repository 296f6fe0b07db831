// Tasks that the types of docs/openapi.yaml refuse, each for the reason that stands above it. A line that compiles after all
// makes its @ts-expect-error an error.
import type { components } from './contract.js';

type Task = components['schemas']['Task'];

const common = { id: 'order-1', source: 'order-service', client_id: 'shop', max_retries: 5, base_delay: 1, message_data: '{"order":1}' };
const { id: _id, ...withoutId } = common;
const url = 'http://127.0.0.1:9099/orders';

export const badTasks: readonly Task[] = [
  // @ts-expect-error no id
  { ...withoutId, destination_type: 'http', destination: { url }, dead_destination: { url } },
  // @ts-expect-error a number as a text
  { ...common, max_retries: '5', destination_type: 'http', destination: { url }, dead_destination: { url } },
  // @ts-expect-error no destination_type
  { ...common, destination: { url }, dead_destination: { url } },
  // @ts-expect-error an unknown destination_type
  { ...common, destination_type: 'ftp', destination: { url }, dead_destination: { url } },
  // @ts-expect-error no destination
  { ...common, destination_type: 'http', dead_destination: { url } },
  // @ts-expect-error a topic in a task for HTTP
  { ...common, destination_type: 'http', destination: { topic: 'orders' }, dead_destination: { url } },
  // @ts-expect-error a url in a task for Kafka
  { ...common, destination_type: 'kafka', destination: { url }, dead_destination: { topic: 'dead' } },
  // @ts-expect-error a topic beside the url
  { ...common, destination_type: 'http', destination: { url, topic: 'orders' }, dead_destination: { url } },
  // @ts-expect-error a url beside the topic
  { ...common, destination_type: 'kafka', destination: { topic: 'orders', url }, dead_destination: { topic: 'dead' } },
  // @ts-expect-error a dead destination of another type without its dead_destination_type
  { ...common, destination_type: 'http', destination: { url }, dead_destination: { topic: 'dead' } },
  // @ts-expect-error a dead destination of the same type with the dead_destination_type of the other
  { ...common, destination_type: 'http', destination: { url }, dead_destination_type: 'kafka', dead_destination: { url } },
  // @ts-expect-error the same the other way round
  { ...common, destination_type: 'kafka', destination: { topic: 'orders' }, dead_destination_type: 'http', dead_destination: { topic: 'dead' } },
  // @ts-expect-error no dead destination, and not parked
  { ...common, destination_type: 'http', destination: { url } },
  // @ts-expect-error no dead destination, and said to be dead-lettered
  { ...common, destination_type: 'kafka', destination: { topic: 'orders' }, on_exhausted: 'dead_letter' },
  // @ts-expect-error a dead_destination_type alone
  { ...common, destination_type: 'http', destination: { url }, dead_destination_type: 'kafka' },
  // @ts-expect-error an unknown on_exhausted
  { ...common, destination_type: 'http', destination: { url }, on_exhausted: 'drop' },
  // @ts-expect-error parked, with a dead destination of the wrong type
  { ...common, destination_type: 'http', destination: { url }, on_exhausted: 'park', dead_destination: { topic: 'dead' } },
  // @ts-expect-error an unknown jitter
  { ...common, destination_type: 'http', destination: { url }, dead_destination: { url }, jitter: 'some' },
  // @ts-expect-error an unknown field
  { ...common, destination_type: 'http', destination: { url }, dead_destination: { url }, priority: true },
  // @ts-expect-error headers that are no texts
  { ...common, destination_type: 'kafka', destination: { topic: 'orders', headers: { a: 1 } }, dead_destination: { topic: 'dead' } },
];

export const closedEnums: readonly [components['schemas']['State'], components['schemas']['Phase'], components['schemas']['Attempt']['outcome']] = [
  // @ts-expect-error an unknown state
  'lost',
  // @ts-expect-error an unknown phase
  'limbo',
  // @ts-expect-error an unknown outcome
  'perhaps',
];

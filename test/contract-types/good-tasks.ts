// Tasks that the types of docs/openapi.yaml accept. `./contract.js` is no file: contract-types.test.ts makes it.
import type { components } from './contract.js';

type Task = components['schemas']['Task'];

const common = { id: 'order-1', source: 'order-service', client_id: 'shop', max_retries: 5, base_delay: 1, message_data: '{"order":1}' };
const url = 'http://127.0.0.1:9099/orders';

export const goodTasks: readonly Task[] = [
  { ...common, destination_type: 'http', destination: { url }, dead_destination: { url } },
  { ...common, destination_type: 'http', destination: { url }, dead_destination_type: 'http', dead_destination: { url } },
  { ...common, destination_type: 'http', destination: { url }, dead_destination_type: 'kafka', dead_destination: { topic: 'dead' } },
  { ...common, destination_type: 'http', destination: { url }, on_exhausted: 'dead_letter', dead_destination: { url } },
  { ...common, destination_type: 'http', destination: { url }, on_exhausted: 'park' },
  { ...common, destination_type: 'http', destination: { url }, on_exhausted: 'park', dead_destination: { url } },
  { ...common, destination_type: 'http', destination: { url }, on_exhausted: 'park', dead_destination_type: 'kafka', dead_destination: { topic: 'dead' } },
  { ...common, destination_type: 'kafka', destination: { topic: 'orders' }, dead_destination: { topic: 'dead' } },
  { ...common, destination_type: 'kafka', destination: { host: '::1', port: 9092, topic: 'orders', key: 'k', headers: { a: 'b' } }, dead_destination: { topic: 'dead' } },
  { ...common, destination_type: 'kafka', destination: { host: 'broker', port: '65535', topic: 'orders' }, dead_destination_type: 'http', dead_destination: { url } },
  { ...common, destination_type: 'kafka', destination: { topic: 'orders' }, on_exhausted: 'park' },
  { ...common, destination_type: 'http', destination: { url }, on_exhausted: 'park', initial_delay: 0, max_delay: 3600, jitter: 'full', is_priority: true, flow_key: 'tenant-7' },
];

/** Closed: a switch over a state needs no `default`. */
export function isOver(state: components['schemas']['State']): boolean {
  switch (state) {
    case 'scheduled':
    case 'delivering':
    case 'retrying':
    case 'dead_lettering':
      return false;
    case 'delivered':
    case 'dead_lettered':
    case 'parked':
    case 'cancelled':
      return true;
  }
}

/** Open: codes that come with a later version are texts, too. */
export const laterCodes: readonly [components['schemas']['RequestErrorCode'], components['schemas']['DeliveryErrorCode']] = ['a_later_code', 'a_later_code'];

import { expect } from 'chai';
import fc from 'fast-check';

import type { Destination } from '../../../../shared/domain/destination.js';
import { flowOf, flowOfLane, laneOf } from '../../../../shared/domain/flow-key.js';

const http = (url: string): Destination => ({ type: 'http', url });
const kafka = (topic: string, host?: string): Destination => ({ type: 'kafka', topic, broker: host === undefined ? undefined : { host, port: 9092 }, key: undefined, headers: {} });

describe('flowOf', () => {
  const cases: readonly (readonly [name: string, destination: Destination, flowKey: string | undefined, key: string, group: string])[] = [
    ['an origin', http('https://api.example.com/hook?x=1'), undefined, 'https://api.example.com', 'https://api.example.com'],
    ['the default port is none', http('https://API.example.com:443/a'), undefined, 'https://api.example.com', 'https://api.example.com'],
    ['credentials are no part of it', http('http://user:secret@host:81/a'), undefined, 'http://host:81', 'http://host:81'],
    ['a flow_key splits an origin', http('http://host/a'), 'tenant-7', 'tenant-7', 'http://host'],
    ['no url at all', http('nonsense'), undefined, 'http://invalid', 'http://invalid'],
    ['a topic', kafka('orders', 'broker-1'), undefined, 'kafka://broker-1:9092/orders', 'kafka://broker-1:9092'],
    ['another topic of the same cluster fails with it', kafka('bills', 'broker-1'), undefined, 'kafka://broker-1:9092/bills', 'kafka://broker-1:9092'],
    ['a topic of KAFKA_BROKERS', kafka('orders'), undefined, 'kafka://default/orders', 'kafka://default'],
    ['a flow_key of topics', kafka('orders'), 'tenant-7', 'tenant-7', 'kafka://default'],
  ];
  for (const [name, destination, flowKey, key, group] of cases) {
    it(name, () => expect(flowOf(destination, flowKey)).to.deep.equal({ key, group }));
  }
});

describe('laneOf', () => {
  it('keeps both names, whatever they hold but line breaks', () => {
    const name = fc.string({ minLength: 1 }).filter((text) => !text.includes('\n'));
    fc.assert(fc.property(name, name, (key, group) => {
      expect(flowOfLane(laneOf({ key, group }))).to.deep.equal({ key, group });
    }));
  });
});

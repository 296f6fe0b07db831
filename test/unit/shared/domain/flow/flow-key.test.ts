import { expect } from 'chai';
import fc from 'fast-check';

import type { Destination } from '../../../../../shared/domain/destinations/destination.js';
import { canonicalName, defaultBrokersOf, defaultClusterNames, flowOf, flowOfWaitingList, hostOfName, isNamedByDestination, waitingListOf } from '../../../../../shared/domain/flow/flow-key.js';

const http = (url: string): Destination => ({ type: 'http', url });
const kafka = (topic: string, host?: string): Destination => ({ type: 'kafka', topic, broker: host === undefined ? undefined : { host, port: 9092 }, key: undefined, headers: {} });

describe('flowOf', () => {
  const cases: readonly (readonly [name: string, destination: Destination, flowKey: string | undefined, key: string, host: string])[] = [
    ['an origin', http('https://api.example.com/hook?x=1'), undefined, 'https://api.example.com', 'https://api.example.com'],
    ['the default port is none', http('https://API.example.com:443/a'), undefined, 'https://api.example.com', 'https://api.example.com'],
    ['credentials are no part of it', http('http://user:secret@host:81/a'), undefined, 'http://host:81', 'http://host:81'],
    ['a flow_key splits an origin', http('http://host/a'), 'tenant-7', 'tenant-7', 'http://host'],
    ['no url at all', http('nonsense'), undefined, 'http://invalid', 'http://invalid'],
    ['a topic', kafka('orders', 'broker-1'), undefined, 'kafka://broker-1:9092/orders', 'kafka://broker-1:9092'],
    ['another topic of the same cluster fails with it', kafka('bills', 'broker-1'), undefined, 'kafka://broker-1:9092/bills', 'kafka://broker-1:9092'],
    ['a topic of KAFKA_BROKERS', kafka('orders'), undefined, 'kafka://default/orders', 'kafka://default'],
    ['a broker, however its name is written; topics differ by case', kafka('Orders', 'Broker-1'), undefined, 'kafka://broker-1:9092/Orders', 'kafka://broker-1:9092'],
    ['an IPv6 broker, with brackets or without', kafka('orders', '[::1]'), undefined, 'kafka://::1:9092/orders', 'kafka://::1:9092'],
    ['a flow_key of topics', kafka('orders'), 'tenant-7', 'tenant-7', 'kafka://default'],
  ];
  for (const [name, destination, flowKey, key, host] of cases) {
    it(name, () => expect(flowOf(destination, flowKey)).to.deep.equal({ key, host }));
  }

  it('takes a broker of KAFKA_BROKERS, however it is spelled, for the default cluster', () => {
    const brokers = defaultBrokersOf([{ host: 'Broker-1', port: 9092 }, { host: '::1', port: 9092 }]);
    for (const host of ['broker-1', 'BROKER-1', '[::1]', undefined]) {
      expect(flowOf(kafka('orders', host), undefined, brokers), host).to.deep.equal({ key: 'kafka://default/orders', host: 'kafka://default' });
      expect(flowOf(kafka('orders', host), 'tenant-7', brokers).host, host).to.equal('kafka://default');
    }
    expect(flowOf(kafka('orders', 'Broker-2'), undefined, brokers)).to.deep.equal({ key: 'kafka://broker-2:9092/orders', host: 'kafka://broker-2:9092' });
  });
});

describe('canonicalName, of what an operator may write', () => {
  const brokers = defaultBrokersOf([{ host: 'broker-1', port: 9092 }]);
  for (const [name, canonical] of [
    ['kafka://Broker-1:9092/Orders', 'kafka://default/Orders'],
    ['kafka://broker-1:9092', 'kafka://default'],
    ['kafka://Broker-2:9092/orders', 'kafka://broker-2:9092/orders'],
    ['kafka://default/orders', 'kafka://default/orders'],
    ['https://API.example.com/x', 'https://api.example.com'],
    ['tenant-7', 'tenant-7'],
  ] as const) {
    it(`of ${name} is ${canonical}`, () => expect(canonicalName(name, brokers)).to.equal(canonical));
  }
});

describe('canonicalName', () => {
  const cases: readonly (readonly [name: string, canonical: string])[] = [
    ['https://API.example.com/x', 'https://api.example.com'],
    ['kafka://Broker-1:9092/Orders', 'kafka://broker-1:9092/Orders'],
    ['kafka://Broker-1:9092', 'kafka://broker-1:9092'],
    ['KAFKA://broker-1:9092/orders', 'kafka://broker-1:9092/orders'],
    ['kafka://[::1]:9092/orders', 'kafka://::1:9092/orders'],
    ['Tenant-7', 'Tenant-7'],
  ];
  for (const [name, canonical] of cases) it(`${name} is ${canonical}`, () => expect(canonicalName(name)).to.equal(canonical));

  it('of a topic is that of its tasks', () => {
    const { key, host } = flowOf(kafka('Orders', 'Broker-1'), undefined);
    expect([canonicalName('kafka://BROKER-1:9092/Orders'), hostOfName(key)]).to.deep.equal([key, host]);
  });
});

describe('waiting listOf', () => {
  it('keeps both names, whatever they hold but line breaks', () => {
    const name = fc.string({ minLength: 1 }).filter((text) => !text.includes('\n'));
    fc.assert(fc.property(name, name, (key, host) => {
      expect(flowOfWaitingList(waitingListOf({ key, host }))).to.deep.equal({ key, host });
    }));
  });
});

describe('isNamedByDestination', () => {
  const cases: readonly (readonly [name: string, destination: Destination, flowKey: string | undefined, expected: boolean])[] = [
    ['an origin', http('https://a/hook'), undefined, true],
    ['a topic', kafka('orders', 'broker-1'), undefined, true],
    ['a flow_key that is the origin', http('https://a/hook'), 'https://A/x', true],
    ['a flow_key that is the topic', kafka('orders', 'broker-1'), 'kafka://broker-1:9092/orders', true],
    ['a flow_key', http('https://a/hook'), 'tenant-7', false],
    ['a flow_key that is the cluster', kafka('orders', 'broker-1'), 'kafka://broker-1:9092', false],
    ['a flow_key that is another origin', http('https://a/hook'), 'https://b', false],
  ];
  for (const [name, destination, flowKey, expected] of cases) {
    it(`of the flow of ${name} is ${expected}`, () => expect(isNamedByDestination(flowOf(destination, flowKey))).to.equal(expected));
  }
});

describe('defaultClusterNames', () => {
  it('are kafka://default and the cluster of each broker', () => {
    expect(defaultClusterNames(defaultBrokersOf([{ host: 'Broker-1', port: 9092 }]))).to.deep.equal(['kafka://default', 'kafka://broker-1:9092']);
    expect(defaultClusterNames(new Set())).to.deep.equal(['kafka://default']);
  });
});

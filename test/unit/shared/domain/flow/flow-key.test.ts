import { expect } from 'chai';
import fc from 'fast-check';

import { domainTask } from '../../../../support/tasks.js';
import type { Destination } from '../../../../../shared/domain/destinations/destination.js';
import { createPathMask } from '../../../../../shared/domain/destinations/path-mask.js';
import { canonicalName, defaultBrokersOf, defaultClusterNames, flowDue, flowOf, flowOfEndpoint, hostOfName, isNamedByDestination, spelledNow } from '../../../../../shared/domain/flow/flow-key.js';

const http = (url: string): Destination => ({ type: 'http', url });
const kafka = (topic: string, host?: string): Destination => ({ type: 'kafka', topic, broker: host === undefined ? undefined : { host, port: 9092 }, key: undefined, headers: {} });

describe('flowOf', () => {
  const cases: readonly (readonly [name: string, destination: Destination, flowKey: string | undefined, key: string, host: string])[] = [
    ['a path, without its query', http('https://api.example.com/hook?x=1'), undefined, 'https://api.example.com/hook', 'https://api.example.com'],
    ['the default port is none', http('https://API.example.com:443/a'), undefined, 'https://api.example.com/a', 'https://api.example.com'],
    ['credentials are no part of it', http('http://user:secret@host:81/a'), undefined, 'http://host:81/a', 'http://host:81'],
    ['the root path, which no task can leave out', http('http://host'), undefined, 'http://host/', 'http://host'],
    ['a path as WHATWG writes it', http('http://host/a/../b c%41/%2f'), undefined, 'http://host/b%20c%41/%2f', 'http://host'],
    ['no secret of a path', http('https://hooks.slack.com/T1'), undefined, 'https://hooks.slack.com/*1f93603db53bfad5c92390f735d0cbb8', 'https://hooks.slack.com'],
    ['a flow_key splits an origin', http('http://host/a'), 'tenant-7', 'tenant-7', 'http://host'],
    ['a flow_key that is the name of its host is none', http('http://host/a'), 'HTTP://Host', 'http://host/a', 'http://host'],
    ['one that is the name of another host is one', http('http://host/a'), 'http://other', 'http://other', 'http://host'],
    ['one that is the name of its cluster is none', kafka('orders', 'broker-1'), 'kafka://Broker-1:9092', 'kafka://broker-1:9092/orders', 'kafka://broker-1:9092'],
    ['no url at all', http('nonsense'), undefined, 'http://invalid', 'http://invalid'],
    ['a topic', kafka('orders', 'broker-1'), undefined, 'kafka://broker-1:9092/orders', 'kafka://broker-1:9092'],
    ['another topic of the same cluster fails with it', kafka('bills', 'broker-1'), undefined, 'kafka://broker-1:9092/bills', 'kafka://broker-1:9092'],
    ['a topic of KAFKA_BROKERS', kafka('orders'), undefined, 'kafka://default/orders', 'kafka://default'],
    ['a broker, however its name is written; topics differ by case', kafka('Orders', 'Broker-1'), undefined, 'kafka://broker-1:9092/Orders', 'kafka://broker-1:9092'],
    ['an IPv6 broker, with brackets or without', kafka('orders', '[::1]'), undefined, 'kafka://::1:9092/orders', 'kafka://::1:9092'],
    ['a flow_key of topics', kafka('orders'), 'tenant-7', 'tenant-7', 'kafka://default'],
  ];
  for (const [name, destination, flowKey, key, host] of cases) {
    it(name, () => expect(flowOf(destination, flowKey)).to.include({ key, host }));
  }

  it('takes a broker of KAFKA_BROKERS, however it is spelled, for the default cluster', () => {
    const brokers = defaultBrokersOf([{ host: 'Broker-1', port: 9092 }, { host: '::1', port: 9092 }]);
    for (const host of ['broker-1', 'BROKER-1', '[::1]', undefined]) {
      expect(flowOf(kafka('orders', host), undefined, brokers), host).to.include({ key: 'kafka://default/orders', host: 'kafka://default' });
      expect(flowOf(kafka('orders', host), 'tenant-7', brokers).host, host).to.equal('kafka://default');
    }
    expect(flowOf(kafka('orders', 'Broker-2'), undefined, brokers)).to.include({ key: 'kafka://broker-2:9092/orders', host: 'kafka://broker-2:9092' });
  });
});

describe('flowOfEndpoint', () => {
  const rules = { defaultBrokers: defaultBrokersOf([{ host: 'Broker-1', port: 9092 }]), mask: createPathMask(['api.example.com']) };

  it('is the flow of the destination whose host and path were stored, also before its path was hidden', () => {
    for (const flowKey of [undefined, 'tenant-7']) {
      const flow = flowOf(http('https://api.example.com/T1/secret'), flowKey, rules.defaultBrokers, rules.mask);
      for (const path of ['/T1/secret', flow.endpoint.slice(flow.host.length)]) expect(flowOfEndpoint({ host: 'https://api.example.com', path }, flowKey, rules), path).to.deep.equal(flow);
    }
    expect(flowOfEndpoint({ host: 'kafka://broker-1:9092', path: '/orders' }, undefined, rules)).to.deep.equal(flowOf(kafka('orders', 'Broker-1'), undefined, rules.defaultBrokers, rules.mask));
  });
});

describe('canonicalName, of what an operator may write', () => {
  const brokers = defaultBrokersOf([{ host: 'broker-1', port: 9092 }]);
  for (const [name, canonical] of [
    ['kafka://Broker-1:9092/Orders', 'kafka://default/Orders'],
    ['kafka://broker-1:9092', 'kafka://default'],
    ['kafka://Broker-2:9092/orders', 'kafka://broker-2:9092/orders'],
    ['kafka://default/orders', 'kafka://default/orders'],
    ['https://API.example.com/x', 'https://api.example.com/x'],
    ['tenant-7', 'tenant-7'],
  ] as const) {
    it(`of ${name} is ${canonical}`, () => expect(canonicalName(name, brokers)).to.equal(canonical));
  }
});

describe('canonicalName', () => {
  const cases: readonly (readonly [name: string, canonical: string])[] = [
    ['https://API.example.com', 'https://api.example.com'],
    ['HTTPS:\\\\API.example.com:443', 'https://api.example.com'],
    ['https://API.example.com/', 'https://api.example.com/'],
    ['https://API.example.com?x=1', 'https://api.example.com/'],
    ['https://user:secret@API.example.com/x?token=1#y', 'https://api.example.com/x'],
    ['https://API.example.com/T1/a1b2c3d4e5f6g7h8i9j0', 'https://api.example.com/T1/*10ee68888777ddca9eee1b40378c22d1'],
    ['https://api.example.com/T1/*10ee68888777ddca9eee1b40378c22d1', 'https://api.example.com/T1/*10ee68888777ddca9eee1b40378c22d1'],
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

  it('of an endpoint is that of its tasks, and is its own canonical name, however long it is', () => {
    fc.assert(fc.property(fc.webUrl({ withQueryParameters: true, withFragments: true, size: '+1' }), (url) => {
      const { key, host } = flowOf(http(url), undefined);
      fc.pre(new URL(url).pathname !== '/');
      expect([canonicalName(url), canonicalName(key), hostOfName(key)]).to.deep.equal([key, key, host]);
      expect(key.length).to.be.at.most(512 + '/*'.length + 32);
    }));
    const long = flowOf(http(`https://a/${'x/'.repeat(400)}`), undefined).key;
    expect(long).to.match(/^https:\/\/a\/\*[0-9a-f]{32}$/);
    expect(canonicalName(long)).to.equal(long);
  });
});

describe('spelledNow', () => {
  const rules = { defaultBrokers: defaultBrokersOf([{ host: 'broker-1', port: 9092 }]), mask: createPathMask(['api.example.com']) };
  for (const [stored, now] of [
    ['kafka://x:9092/', 'kafka://x:9092'],
    ['kafka://x:09092/orders', 'kafka://x:9092/orders'],
    ['kafka://default/', 'kafka://default'],
    ['kafka://broker-1:9092/', 'kafka://broker-1:9092'],
    ['kafka://broker-1:09092/orders', 'kafka://default/orders'],
    ['https://api.example.com/T1', 'https://api.example.com/*1f93603db53bfad5c92390f735d0cbb8'],
  ] as const) it(`of ${stored} is ${now}`, () => expect(spelledNow(stored, rules)).to.equal(now));

  it('of what is spelled rightly is the same, also of a broker that KAFKA_BROKERS has got since', () => {
    for (const name of ['*', 'tenant-7', 'https://api.example.com', 'https://api.example.com/*1f93603db53bfad5c92390f735d0cbb8', 'https://b.example/', 'kafka://default/orders', 'kafka://broker-1:9092', 'kafka://::1:9092/orders']) expect(spelledNow(name, rules)).to.equal(name);
  });
});

describe('flowDue', () => {
  it('of a dead letter is that of its dead destination, with slots, waiting lists and circuits of its own', () => {
    const task = domainTask({ destination: { type: 'http', url: 'http://a/x' }, deadDestination: { type: 'http', url: 'http://a/x' }, flowKey: 'tenant-7' });
    const [delivery, dead] = [flowDue(task, 'delivery'), flowDue(task, 'dead')];
    expect(delivery).to.include({ key: 'tenant-7', endpoint: 'http://a/x', host: 'http://a', isDead: false });
    expect(dead).to.include({ key: 'http://a/x', endpoint: 'http://a/x', host: 'http://a', isDead: true });
    expect(new Set([delivery?.id, delivery?.hostId, dead?.id, dead?.hostId]).size).to.equal(4);
  });
});

describe('isNamedByDestination', () => {
  const cases: readonly (readonly [name: string, destination: Destination, flowKey: string | undefined, expected: boolean])[] = [
    ['an endpoint', http('https://a/hook'), undefined, true],
    ['a topic', kafka('orders', 'broker-1'), undefined, true],
    ['a flow_key that is the origin, which is none', http('https://a/hook'), 'https://A', true],
    ['a flow_key that is an endpoint of it', http('https://a/hook'), 'https://A/x', true],
    ['a flow_key that is the topic', kafka('orders', 'broker-1'), 'kafka://broker-1:9092/orders', true],
    ['a flow_key', http('https://a/hook'), 'tenant-7', false],
    ['a flow_key that is the cluster, which is none', kafka('orders', 'broker-1'), 'kafka://broker-1:9092', true],
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

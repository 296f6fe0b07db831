import { expect } from 'chai';

import { parseCursor } from '../../../../server/flow/list-cursor.js';
import { toWireChanged, toWireDestinations, toWireDestination, TrafficByName } from '../../../../server/flow/view.js';
import { printCursorText } from '../../../../server/http/cursor-text.js';
import type { Actor } from '../../../../shared/domain/actor.js';
import { defaultCircuitRules, type Circuit, type CircuitRules } from '../../../../shared/domain/flow/circuit.js';
import { circuitOfOthers, endpointCircuitOf } from '../../../../shared/domain/flow/circuit-names.js';
import { deadFlowOf, flowNamed, flowWithEndpoint } from '../../../../shared/domain/destinations/flow.js';
import type { FlowPolicy } from '../../../../shared/domain/flow/flow-policy.js';
import type { FlowSample } from '../../../../shared/domain/flow/flow-report.js';
import { RequestError } from '../../../../shared/domain/errors.js';
import { LatencyHistogram } from '../../../../shared/domain/flow/latency-histogram.js';
import type { FlowSnapshot } from '../../../../shared/queue/flow/flow-store.js';
import type { WaitingListDepth } from '../../../../shared/queue/flow/waiting-lists.js';

const NOW = Date.UTC(2026, 10, 23, 12);
const API = 'https://api.example.com';
const CLUSTER = 'kafka://default';
const TOPIC = 'kafka://default/orders';

function sample(key: string, host: string, counts: Partial<Omit<FlowSample, 'key' | 'host' | 'latency'>> = {}, latencies: readonly number[] = []): FlowSample {
  const latency = new LatencyHistogram();
  for (const ms of latencies) latency.note(ms);
  return { key, host, inFlight: 0, delivered: 0, failed: 0, ...counts, latency };
}

function waitingList(key: string, host: string, waiting: number): WaitingListDepth {
  return { flow: flowNamed(key, host), waiting };
}

function snapshot(policies: Readonly<Record<string, FlowPolicy>> = {}, circuits: Readonly<Record<string, Circuit>> = {}): FlowSnapshot {
  return { policies: new Map(Object.entries(policies)), circuits: new Map(Object.entries(circuits)), workers: 2, now: NOW };
}

const circuit = (changes: Partial<Circuit> = {}): Circuit => ({ openedAt: NOW - 5_000, until: NOW + 1_000, coolMs: 2_000, reason: 'failures', ...changes });
const closed = { state: 'closed', of: null, phase: null, since: null, until: null, reason: null, last_probe: null };

/** One name, with the fields that are looked at. */
function shown(name: string, traffic: TrafficByName, held: FlowSnapshot, rules: CircuitRules = defaultCircuitRules): Record<string, unknown> {
  return toWireDestination(name, traffic, held, rules) as Record<string, unknown>;
}

function listed(traffic: TrafficByName, held: FlowSnapshot, { limit = 100, group, withFailedTasks = [] }: { limit?: number; group?: string; withFailedTasks?: string[] } = {}): { keys: string[]; total: number; workers: number } {
  const { destinations, total, workers } = toWireDestinations(traffic, held, defaultCircuitRules, { limit, group, withFailedTasks, after: undefined }) as { destinations: { key: string }[]; total: number; workers: number };
  return { keys: destinations.map(({ key }) => key), total, workers };
}

describe('how a destination is shown', () => {
  it('has zeros and no limits for an unknown name', () => {
    expect(shown('tenant-7', new TrafficByName([], []), snapshot())).to.deep.equal({
      key: 'tenant-7',
      kind: 'flow_key',
      id: '~dGVuYW50LTc',
      group: null,
      in_flight: 0,
      deferred: 0,
      delivered: 0,
      failed: 0,
      failure_share: 0,
      latency_ms: { p50: null, p99: null },
      circuit: closed,
      limits: null,
      limited_by: null,
      paused: null,
    });
  });

  it('with the destination of a flow_key whose circuit is open', () => {
    const traffic = new TrafficByName([sample('tenant-7', API, { delivered: 1 }), sample('tenant-7', CLUSTER, { failed: 1 })], []);
    expect(traffic.hostsOf('tenant-7')).to.deep.equal([API, CLUSTER]);
    expect(shown('tenant-7', traffic, snapshot())).to.deep.include({ group: API, circuit: closed });
    expect(shown('tenant-7', traffic, snapshot({}, { [CLUSTER]: circuit() }))).to.deep.include({ group: CLUSTER }).and.to.have.nested.property('circuit.state', 'open');
  });

  it('with the host of an open circuit of a flow_key that nothing was sent or waits for lately, and what is set there', () => {
    for (const [flow, phase] of [[flowNamed('tenant-7', API), 'delivery'], [deadFlowOf(flowNamed('tenant-7', API)), 'dead_letter']] as const) {
      const held = snapshot({ [API]: { maxConcurrency: 2, isPaused: true } }, { [endpointCircuitOf(flow)]: circuit() });
      const { destinations } = toWireDestinations(new TrafficByName([], []), held, defaultCircuitRules, { limit: 9, group: undefined, withFailedTasks: [], after: undefined }) as { destinations: { key: string }[] };
      for (const one of [shown('tenant-7', new TrafficByName([], []), held), destinations.find(({ key }) => key === 'tenant-7')]) {
        expect(one).to.deep.include({ group: API, limited_by: API }).and.to.have.nested.property('paused.key', API);
        expect(one).to.have.property('circuit').that.includes({ state: 'open', of: 'endpoint', phase });
      }
      expect(shown('tenant-7', new TrafficByName([], []), held, { ...defaultCircuitRules, isOn: false })).to.deep.include({ group: null, circuit: closed });
    }
  });

  it('adds up what all workers and all shards see of it', () => {
    const traffic = new TrafficByName([sample(API, API, { inFlight: 2, delivered: 3, failed: 1 }, [10, 10, 10, 900]), sample(API, API, { inFlight: 1, delivered: 4 }, [10, 10, 10, 10])], [waitingList(API, API, 5), waitingList(API, API, 7)]);
    const { latency_ms: latency, ...rest } = shown(API, traffic, snapshot());
    expect(rest).to.include({ key: API, group: API, in_flight: 3, deferred: 12, delivered: 7, failed: 1, failure_share: 0.125 });
    const { p50, p99 } = latency as { p50: number; p99: number };
    expect(p50).to.be.within(10, 12);
    expect(p99).to.be.within(900, 1_100);
  });

  it('counts for a host what is sent to all of its keys', () => {
    const traffic = new TrafficByName([sample(TOPIC, CLUSTER, { inFlight: 2 }), sample('tenant-7', CLUSTER, { inFlight: 3 })], [waitingList(TOPIC, CLUSTER, 4)]);
    expect(shown(CLUSTER, traffic, snapshot())).to.include({ group: CLUSTER, in_flight: 5, deferred: 4 });
    expect(shown(TOPIC, traffic, snapshot())).to.include({ group: CLUSTER, in_flight: 2, deferred: 4 });
    expect(shown('tenant-7', traffic, snapshot())).to.include({ group: CLUSTER, in_flight: 3, deferred: 0 });
  });

  const none = new TrafficByName([], []);
  const anna: Actor = { type: 'anonymous', id: null, name: null, operator: 'Anna' };
  const pause = { since: NOW - 1_000, until: NOW + 60_000, by: anna, reason: 'it is down' };
  const shownPause = { since: '2026-11-23T11:59:59.000Z', until: '2026-11-23T12:01:00.000Z', by: anna, reason: 'it is down' };
  const holding: readonly (readonly [title: string, name: string, policies: Readonly<Record<string, FlowPolicy>>, expected: object])[] = [
    ['limits as PUT takes them', API, { [API]: { maxConcurrency: 3, ratePerSecond: 0.5, burst: 2 } }, { limits: { max_concurrency: 3, rate: 0.5, burst: 2 }, limited_by: API, paused: null }],
    ['limits of the host where the key has none', TOPIC, { [CLUSTER]: { maxConcurrency: 3 } }, { limits: { max_concurrency: 3 }, limited_by: CLUSTER, paused: null }],
    ['limits of everything where nothing nearer has some', TOPIC, { '*': { maxConcurrency: 3 } }, { limits: { max_concurrency: 3 }, limited_by: '*', paused: null }],
    ['limits of the key before those of the host', TOPIC, { [CLUSTER]: { maxConcurrency: 3 }, [TOPIC]: { ratePerSecond: 1 } }, { limits: { rate: 1 }, limited_by: TOPIC, paused: null }],
    ['that it is paused, without limits', TOPIC, { [TOPIC]: { isPaused: true, pause } }, { limits: null, limited_by: null, paused: { key: TOPIC, ...shownPause } }],
    ['that its host is paused', TOPIC, { [CLUSTER]: { isPaused: true, pause }, [TOPIC]: { ratePerSecond: 1 } }, { limits: { rate: 1 }, limited_by: TOPIC, paused: { key: CLUSTER, ...shownPause } }],
    ['that everything is paused', 'tenant-7', { '*': { isPaused: true, pause } }, { limits: null, limited_by: null, paused: { key: '*', ...shownPause } }],
    ['the nearest of several pauses', TOPIC, { [TOPIC]: { isPaused: true, pause }, [CLUSTER]: { isPaused: true }, '*': { isPaused: true } }, { limits: null, limited_by: null, paused: { key: TOPIC, ...shownPause } }],
    ['a pause of version 0.1.0, of which nothing is known', TOPIC, { [TOPIC]: { isPaused: true } }, { limits: null, limited_by: null, paused: { key: TOPIC, since: null, until: null, by: null, reason: null } }],
  ];
  for (const [title, name, policies, expected] of holding) {
    it(`says ${title}`, () => {
      const { limits, ...rest } = shown(name, none, snapshot(policies));
      expect({ limits: JSON.parse(JSON.stringify(limits)) as unknown, limited_by: rest['limited_by'], paused: rest['paused'] }).to.deep.equal(expected);
    });
  }

  it('shows the limits of an endpoint that the tasks of a flow_key wait for, but not its pause: what goes elsewhere is sent', () => {
    const flow = flowWithEndpoint(flowNamed('tenant-7', API, { endpoint: `${API}/orders` }));
    const waits = new TrafficByName([], [{ flow, waiting: 500 }]);
    expect(shown('tenant-7', waits, snapshot({ [`${API}/orders`]: { maxConcurrency: 1, isPaused: true }, [API]: { maxConcurrency: 9 } }))).to.deep.include({ deferred: 500, limited_by: `${API}/orders`, paused: null });
    expect(shown('tenant-7', waits, snapshot({ [`${API}/orders`]: { isPaused: true }, [API]: { isPaused: true } }))).to.have.nested.property('paused.key', API);
    expect(shown('tenant-7', waits, snapshot({ 'tenant-7': { maxConcurrency: 2 }, [`${API}/orders`]: { maxConcurrency: 1 } }))).to.include({ limited_by: 'tenant-7' });
    expect(shown('tenant-8', waits, snapshot({ [`${API}/orders`]: { maxConcurrency: 1 } }))).to.include({ limited_by: null });
  });

  for (const [name, kind] of [['*', 'all'], [API, 'host'], [`${API}/`, 'endpoint'], [`${API}/orders`, 'endpoint'], ['http://127.0.0.1:8080', 'host'], [CLUSTER, 'cluster'], [TOPIC, 'topic'], ['tenant-7', 'flow_key'], ['//host/x', 'flow_key']] as const) {
    it(`says of ${name} that its kind is ${kind}`, () => {
      expect(shown(name, none, snapshot())['kind']).to.equal(kind);
    });
  }

  it('counts for * all that is sent anywhere', () => {
    const traffic = new TrafficByName([sample(TOPIC, CLUSTER, { inFlight: 2 }), sample('tenant-7', API, { inFlight: 3, failed: 1 }), sample('*', API, { inFlight: 1 })], [waitingList(API, API, 4)]);
    expect(shown('*', traffic, snapshot())).to.include({ group: null, in_flight: 6, failed: 1, deferred: 4 });
  });

  it('with a host of a flow_key that is paused', () => {
    const traffic = new TrafficByName([sample('tenant-7', API, { delivered: 1 }), sample('tenant-7', CLUSTER, { failed: 1 })], []);
    expect(shown('tenant-7', traffic, snapshot({ [CLUSTER]: { isPaused: true } }))).to.deep.include({ group: CLUSTER }).and.to.have.nested.property('paused.key', CLUSTER);
  });

  const circuits: readonly (readonly [state: string, circuit: Circuit])[] = [
    ['open', circuit()],
    ['open', circuit({ reason: 'retry_after' })],
    ['probing', circuit({ until: NOW })],
    ['given_up', circuit({ openedAt: NOW - defaultCircuitRules.maxOpenMs })],
  ];
  for (const [state, of] of circuits) {
    it(`says that the circuit of its host is ${state} (${of.reason})`, () => {
      const since = new Date(of.openedAt).toISOString();
      const until = new Date(of.until).toISOString();
      expect(shown(TOPIC, none, snapshot({}, { [CLUSTER]: of }))['circuit']).to.deep.equal({ state, of: 'host', phase: 'delivery', since, until, reason: of.reason, last_probe: null });
    });
  }

  it('says of an open circuit which task probed last, when, and what it got', () => {
    const probed = circuit({ lastProbe: { task: 'order-1', at: NOW - 1_000, code: 'timed_out' } });
    expect(shown(API, none, snapshot({}, { [API]: probed }))).to.have.nested.property('circuit.last_probe').that.deep.equals({ task_id: 'order-1', at: '2026-11-23T11:59:59.000Z', error_code: 'timed_out' });
  });

  it('shows the circuit of an endpoint, that of the rest of a host, and those of dead letters', () => {
    const orders = flowNamed(`${API}/orders`, API);
    const open: readonly (readonly [name: string, circuit: string, of: string, phase: string])[] = [
      [`${API}/orders`, endpointCircuitOf(orders), 'endpoint', 'delivery'],
      [`${API}/orders`, endpointCircuitOf(deadFlowOf(orders)), 'endpoint', 'dead_letter'],
      [`${API}/orders`, API, 'host', 'delivery'],
      [API, circuitOfOthers(orders), 'others', 'delivery'],
      [API, circuitOfOthers(deadFlowOf(orders)), 'others', 'dead_letter'],
      [API, deadFlowOf(orders).hostId, 'host', 'dead_letter'],
      ['tenant-7', endpointCircuitOf(flowNamed('tenant-7', API)), 'endpoint', 'delivery'],
    ];
    const ofTenant = new TrafficByName([sample('tenant-7', API)], []);
    for (const [name, id, of, phase] of open) {
      expect(shown(name, ofTenant, snapshot({}, { [id]: circuit() }))['circuit'], JSON.stringify([name, id])).to.include({ state: 'open', of, phase });
    }
    expect(shown(`${API}/paid`, none, snapshot({}, { [endpointCircuitOf(orders)]: circuit() })), 'of another endpoint').to.have.nested.property('circuit.state', 'closed');
  });

  it('shows, of several circuits, one that holds deliveries before one that was given up, and this before those of dead letters', () => {
    const orders = flowNamed(`${API}/orders`, API);
    const [own, ofHost, dead] = [endpointCircuitOf(orders), API, endpointCircuitOf(deadFlowOf(orders))];
    const givenUp = circuit({ openedAt: NOW - defaultCircuitRules.maxOpenMs });
    expect(shown(orders.key, none, snapshot({}, { [dead]: circuit(), [own]: givenUp, [ofHost]: circuit() }))['circuit']).to.include({ state: 'open', of: 'host', phase: 'delivery' });
    expect(shown(orders.key, none, snapshot({}, { [dead]: circuit(), [own]: givenUp }))['circuit']).to.include({ state: 'given_up', of: 'endpoint', phase: 'delivery' });
    expect(shown(orders.key, none, snapshot({}, { [dead]: circuit() }))['circuit']).to.include({ state: 'open', phase: 'dead_letter' });
  });

  it('has only closed circuits where the switch is off', () => {
    expect(shown(API, none, snapshot({}, { [API]: circuit() }), { ...defaultCircuitRules, isOn: false })['circuit']).to.deep.equal(closed);
  });
});

describe('the list of destinations', () => {
  it('has what is sent to, what waits, what an operator set, and what has an open circuit, the hottest first', () => {
    const traffic = new TrafficByName([sample('lately', API, { delivered: 9 }), sample('sending', API, { inFlight: 1 })], [waitingList('waiting', API, 20), waitingList('sending', API, 1)]);
    const held = snapshot({ limited: { maxConcurrency: 1 } }, { 'http://down': circuit() });
    expect(listed(traffic, held)).to.deep.equal({ keys: [API, 'waiting', 'sending', 'lately', 'http://down', 'limited'], total: 6, workers: 2 });
  });

  it('has * before all others, where something is set for it', () => {
    const traffic = new TrafficByName([sample('tenant-7', API, { inFlight: 1 })], []);
    expect(listed(traffic, snapshot()).keys).to.deep.equal([API, 'tenant-7']);
    expect(listed(traffic, snapshot({ '*': { isPaused: true } })).keys).to.deep.equal(['*', API, 'tenant-7']);
  });

  it('has what tasks failed for', () => {
    expect(listed(new TrafficByName([], []), snapshot(), { withFailedTasks: [`${API}/orders`, 'tenant-7'] }).keys).to.deep.equal([API, `${API}/orders`, 'tenant-7']);
  });

  it('has the host of each key', () => {
    const traffic = new TrafficByName([sample(TOPIC, CLUSTER, { delivered: 1 })], []);
    expect(listed(traffic, snapshot({ 'kafka://b:9092/orders': { maxConcurrency: 1 } })).keys).to.deep.equal([CLUSTER, TOPIC, 'kafka://b:9092', 'kafka://b:9092/orders']);
  });

  it('has, when it is asked for a group, what is in that host alone', () => {
    const traffic = new TrafficByName([sample(TOPIC, CLUSTER, { delivered: 1 }), sample('kafka://default/paid', CLUSTER, { inFlight: 1 }), sample('tenant-7', CLUSTER, { inFlight: 1 }), sample(API, API)], []);
    expect(listed(traffic, snapshot(), { group: CLUSTER })).to.deep.equal({ keys: ['kafka://default/paid', TOPIC], total: 2, workers: 2 });
  });

  it('has at most 1,000 of one host, the busiest', () => {
    const topics = Array.from({ length: 1_001 }, (_, nth) => sample(`${CLUSTER}/t${nth}`, CLUSTER, { delivered: nth }));
    const { keys, total } = listed(new TrafficByName([...topics, sample('tenant-7', API)], []), snapshot(), { limit: 1_000, group: CLUSTER });
    expect([keys.length, keys[0], keys.at(-1), total]).to.deep.equal([1_000, `${CLUSTER}/t1000`, `${CLUSTER}/t1`, 1_000]);
  });

  it('has no more than was asked for, and says how many there are', () => {
    const traffic = new TrafficByName(Array.from({ length: 5 }, (_, nth) => sample(`t-${nth}`, API, { inFlight: nth })), []);
    expect(listed(traffic, snapshot(), { limit: 2 })).to.deep.equal({ keys: [API, 't-4'], total: 6, workers: 2 });
  });
});

describe('the pages of the list', () => {
  const traffic = new TrafficByName(Array.from({ length: 7 }, (_, nth) => sample(`t-${nth}`, API, { inFlight: nth % 3, delivered: nth % 2 })), []);
  const held = snapshot({ '*': { isPaused: true } });

  function page(limit: number, cursor: string | null, group?: string, of = traffic): { keys: string[]; next: string | null } {
    const after = cursor === null ? undefined : parseCursor(cursor, group);
    const { destinations, next_cursor: next } = toWireDestinations(of, held, defaultCircuitRules, { limit, group, withFailedTasks: [], after }) as { destinations: { key: string }[]; next_cursor: string | null };
    return { keys: destinations.map(({ key }) => key), next };
  }

  for (const limit of [1, 2, 3, 8, 9, 100]) {
    it(`of ${limit} hold each destination once, in the order of the whole list`, () => {
      const pages = [page(limit, null)];
      for (let next = pages[0]?.next ?? null; next !== null; next = pages.at(-1)?.next ?? null) pages.push(page(limit, next));
      expect(pages).to.have.lengthOf(Math.ceil(9 / limit));
      expect(pages.flatMap(({ keys }) => keys)).to.deep.equal(page(100, null).keys);
    });
  }

  it('end behind a destination that is gone', () => {
    const { next } = page(8, null);
    expect(page(8, next, undefined, new TrafficByName([], []))).to.deep.equal({ keys: [], next: null });
  });

  it('are refused for a cursor that is none, or of another group', () => {
    const { next } = page(1, null);
    for (const cursor of ['', 'x', 'bnVsbA', printCursorText([null, 1, '2', 'a'])]) expect(() => parseCursor(cursor, undefined), cursor).to.throw(RequestError).with.property('code', 'invalid_cursor');
    expect(() => parseCursor(next ?? '', API)).to.throw(RequestError).with.property('code', 'invalid_cursor');
  });
});

describe('the answer to a change', () => {
  const changed = (name: string, traffic: TrafficByName): unknown => (toWireChanged(name, traffic, snapshot(), defaultCircuitRules) as { hint: unknown }).hint;
  const traffic = new TrafficByName([sample(TOPIC, CLUSTER, { delivered: 1 })], []);

  it('gives a hint when it names a part of a host that gets no tasks, while others of the host do', () => {
    expect(changed('kafka://default/paid', traffic)).to.match(/^no task for kafka:\/\/default\/paid has been seen lately, but some for kafka:\/\/default: .+ name kafka:\/\/default \(~[A-Za-z0-9_-]+\)$/);
  });

  it('gives a hint when it names what no destination is called', () => {
    for (const name of ['kafka://default/a/b', 'kafka://default/a b', 'kafka://broker-1', 'kafka://broker-1/t', 'kafka://b:99999/t', 'kafka:/default/orders', 'http://a:99999/x', 'https://a b/x', 'http://']) expect(changed(name, traffic), name).to.include(`only a flow_key can be called ${name}`);
    const seen = new TrafficByName([sample('kafka://default/a/b', API, { delivered: 1 })], []);
    expect(changed('kafka://default/a/b', seen), 'it is a flow_key').to.equal(null);
  });

  it('gives a hint when a * is to stand for other names', () => {
    for (const name of ['https://*.example.com', 'https://api.example.com/*', 'kafka://default/orders-*', 'tenant-*', '**']) expect(changed(name, traffic), name).to.include('a * in a name stands for itself').and.include('or * alone for every send');
    expect(changed('tenant-*', new TrafficByName([sample('tenant-*', API, { delivered: 1 })], [])), 'it is a flow_key').to.equal(null);
    expect(changed('https://api.example.com/*1f93603db53bfad5c92390f735d0cbb8', traffic), 'a segment that is hidden').to.not.include('stands for itself');
  });

  it('gives a hint when a scheme was left out', () => {
    expect(changed('a.example/x', traffic)).to.equal('no task with this flow_key has been seen lately: did you mean https://a.example/x?');
    expect(changed('//a.example', traffic)).to.include('did you mean https://a.example?');
    expect(changed('broker-1:9092/orders', traffic)).to.include('did you mean https://broker-1:9092/orders or kafka://broker-1:9092/orders?');
    const known = new TrafficByName([sample('http://10.1.2.3:8080/x', 'http://10.1.2.3:8080', { delivered: 1 })], []);
    expect(changed('10.1.2.3:8080', known), 'the one with traffic').to.include('did you mean http://10.1.2.3:8080?');
    expect(changed('a.example/x', new TrafficByName([sample('a.example/x', API, { delivered: 1 })], []))).to.equal(null);
  });

  it('gives a hint when it names a host that nothing is sent to, or a part of one', () => {
    const known = new TrafficByName([sample('https://api.example.com/orders', 'https://api.example.com', { delivered: 1 })], []);
    for (const name of ['https://api.exmaple.com', 'https://api.exmaple.com/orders', 'http://api.example.com']) expect(changed(name, known), name).to.equal(`no task for ${name} has been seen lately, but some for https://api.example.com: this change is about ${name} alone, and holds for tasks that come`);
    for (const name of ['https://shop.test/x', 'kafka://b:9092/orders', 'kafka://::1:9092/orders']) expect(changed(name, known), name).to.equal(`no task for ${name} has been seen lately: this change is about ${name} alone, and holds for tasks that come`);
  });

  it('names no other host that only looks alike', () => {
    const pairs = [['https://pay.acme.io', 'https://crm.acme.io'], ['https://a.example.com', 'https://shop.example.com'], ['https://eu-west-1.acme.io', 'https://eu-east-1.acme.io'], ['https://api.acme.io', 'https://app.acme.io'],
      ['kafka://broker-1:9092', 'kafka://broker-2:9092'], ['https://10.0.0.1', 'https://10.0.0.2'], ['https://broker', 'kafka://broker:9092'], ['https://acme.io', 'https://crm.acme.io']] as const;
    for (const [name, known] of pairs) expect(changed(name, new TrafficByName([sample(`${known}/x`, known, { delivered: 1 })], [])), name).to.match(/lately: this change is about/);
    const near = [['https://paymnets.acme.io', 'https://payments.acme.io'], ['https://api.acme.io:8443', 'https://api.acme.io'], ['kafka://borker-1:9092', 'kafka://broker-1:9092'], ['https://api.examplecom', 'https://api.example.com']] as const;
    for (const [name, known] of near) expect(changed(name, new TrafficByName([sample(`${known}/x`, known, { delivered: 1 })], [])), name).to.include(`but some for ${known}: `);
  });

  it('gives none else', () => {
    for (const name of [TOPIC, CLUSTER, 'tenant-7', 'tenant/7', 'v1.2', 'a b.c', '*']) expect(changed(name, traffic), name).to.equal(null);
  });
});

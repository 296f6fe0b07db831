import { expect } from 'chai';
import fc from 'fast-check';

import { deadFlowOf, flowNamed, flowWithEndpoint } from '../../../../../shared/domain/destinations/flow.js';
import { deliveryErrors, type DeliveryErrorCode } from '../../../../../shared/domain/errors.js';
import { defaultCircuitRules, Health, openedBy, openedByRetryAfter, stateOfCircuit, verdictOn, weightOf, type Circuit } from '../../../../../shared/domain/flow/circuit.js';
import { circuitOfOthers, circuitThatWaits, endpointCircuitOf, keyIdOfCircuit, isCircuitOfHost } from '../../../../../shared/domain/flow/circuit-names.js';

const T = 1_000_000;
const rules = { ...defaultCircuitRules, failuresInARow: 15 };

describe('weightOf', () => {
  const cases = [
    ['http_server_error', 500, 0.25],
    ['http_server_error', 501, 0.25],
    ['http_server_error', 502, 1],
    ['http_server_error', 504, 1],
    ['http_busy', 503, 1],
    ['http_busy', 429, 1],
    ['connection_refused', undefined, 1],
    ['timed_out', undefined, 1],
    ['http_client_error', 404, 0],
    ['message_too_large', undefined, 0],
  ] as const;
  for (const [code, status, weight] of cases) {
    it(`of ${code} ${status ?? ''} is ${weight}`, () => expect(weightOf(code, status)).to.equal(weight));
  }
});

describe('verdictOn', () => {
  const failed = (code: DeliveryErrorCode, changes: { readonly httpStatus?: number; readonly isHostWell?: true; readonly isOfWholeEndpoint?: true } = {}): ReturnType<typeof verdictOn> => verdictOn({ kind: 'failed', code, detail: '', ...changes });

  it('blames the host for what no endpoint of it can mend, and the endpoint for what it says itself', () => {
    expect(failed('connection_refused')).to.deep.equal({ kind: 'failed', of: 'host', weight: 1, isHostWell: false, refusal: undefined });
    expect(failed('http_busy', { httpStatus: 503 })).to.deep.equal({ kind: 'failed', of: 'endpoint', weight: 1, isHostWell: false, refusal: 'maybe_limit' });
    expect(failed('http_busy', { httpStatus: 429 })).to.include({ refusal: 'limit' });
    expect(failed('http_server_error', { httpStatus: 500 })).to.deep.equal({ kind: 'failed', of: 'endpoint', weight: 0.25, isHostWell: false, refusal: undefined });
    expect(failed('topic_unknown', { isHostWell: true })).to.deep.equal({ kind: 'failed', of: 'endpoint', weight: 1, isHostWell: true, refusal: undefined });
  });

  it('blames neither topic nor cluster for one partition that is stopped while others of the cluster answer', () => {
    expect((['broker_unreachable', 'broker_unavailable', 'broker_timed_out'] as const).map((code) => failed(code, { isHostWell: true }).kind)).to.deep.equal(['answered', 'answered', 'answered']);
  });

  it('blames the topic alone when none of its partitions can be sent to, and others of the cluster answer', () => {
    for (const code of ['broker_unreachable', 'broker_unavailable', 'broker_timed_out'] as const) {
      expect(failed(code, { isHostWell: true, isOfWholeEndpoint: true }), code).to.deep.equal({ kind: 'failed', of: 'endpoint', weight: 1, isHostWell: true, refusal: undefined });
    }
    expect(failed('message_too_large', { isHostWell: true, isOfWholeEndpoint: true }).kind).to.equal('answered');
  });

  it('takes for an answer what is about the task alone, or is hopeless', () => {
    expect((['http_client_error', 'message_too_large', 'authorization_denied'] as const).map((code) => failed(code).kind)).to.deep.equal(['answered', 'answered', 'answered']);
    expect(verdictOn({ kind: 'delivered', receipt: { httpStatus: 200 } }).kind).to.equal('answered');
  });

  it('learns nothing from a fault of ours, or from a send that never ended', () => {
    expect([failed('shutting_down').kind, failed('broker_throttled').kind, verdictOn(undefined).kind]).to.deep.equal(['nothing', 'nothing', 'nothing']);
  });

  it('takes it for no answer when nothing came from the destination: a probe that ends so closes no circuit', () => {
    const codes = Object.keys(deliveryErrors) as DeliveryErrorCode[];
    const ours = codes.filter((code) => !deliveryErrors[code].usesAttempt);
    expect(codes.filter((code) => failed(code).kind === 'nothing')).to.have.members([...ours, 'address_forbidden', 'unknown']);
  });
});

describe('the name of a circuit', () => {
  const flows = [flowNamed('http://h/a', 'http://h'), flowNamed('tenant-7', 'http://h', { endpoint: 'http://h/a' }), flowNamed('http://h', 'http://h')];

  for (const flow of [...flows, ...flows.map(deadFlowOf)]) {
    const title = JSON.stringify(flow.id);
    it(`of ${title} is not that of its host, and leads back to it`, () => {
      const name = endpointCircuitOf(flow);
      expect([isCircuitOfHost(name), isCircuitOfHost(flow.hostId)], title).to.deep.equal([false, true]);
      expect([keyIdOfCircuit(name), keyIdOfCircuit(flow.hostId)]).to.deep.equal([flow.id, flow.hostId]);
    });
  }

  it('is the same whether or not something is set for the endpoint that a flow_key goes to', () => {
    const [, ofFlowKey = flows[0]] = flows;
    if (ofFlowKey === undefined) throw new Error('no flow');
    for (const flow of [ofFlowKey, flowNamed('http://h', 'http://h', { endpoint: 'http://h/a' })]) {
      const split = flowWithEndpoint(flow);
      expect(endpointCircuitOf(split)).to.equal(endpointCircuitOf(flow));
      expect(circuitThatWaits(split, 'endpoint')).to.equal(circuitThatWaits(flow, 'endpoint'));
    }
  });

  it('differs between the phases, and between what goes to one endpoint under its own name and under none', () => {
    const names = [...flows, ...flows.map(deadFlowOf)].flatMap((flow) => [endpointCircuitOf(flow), circuitOfOthers(flow), flow.hostId]);
    expect(new Set(names).size).to.equal(8);
  });
});

describe('stateOfCircuit', () => {
  const open: Circuit = { openedAt: T, until: T + 2_000, coolMs: 2_000, reason: 'failures' };
  const cases: readonly (readonly [name: string, circuit: Circuit | undefined, at: number, isOn: boolean, expected: string])[] = [
    ['none is open', undefined, T, true, 'closed'],
    ['it cools down', open, T + 1_999, true, 'open'],
    ['it may be probed', open, T + 2_000, true, 'probe'],
    ['long after its time, without a probe', open, T + 899_999, true, 'probe'],
    ['open for 15 minutes', open, T + 900_000, true, 'given_up'],
    ['open for 15 minutes, and opened again by a probe just now', { ...open, until: T + 930_000 }, T + 900_000, true, 'given_up'],
    ['switched off', open, T, false, 'closed'],
  ];
  for (const [name, circuit, at, isOn, expected] of cases) {
    it(`is ${expected} when ${name}`, () => expect(stateOfCircuit(circuit, at, { ...rules, isOn })).to.equal(expected));
  }
});

describe('openedBy', () => {
  it('doubles the wait with each probe that fails, up to its cap, and remembers since when', () => {
    let circuit: Circuit | undefined;
    const waits: number[] = [];
    for (let at = T; waits.length < 7; at = circuit.until) {
      circuit = openedBy('failures', 'http_busy', circuit, at, rules);
      waits.push(circuit.until - at);
      expect(circuit.openedAt).to.equal(T);
    }
    expect(waits).to.deep.equal([2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
  });

  it('asks every 4 s for a topic that does not exist, however long it has been missing', () => {
    const before: Circuit = { openedAt: T - 600_000, until: T, coolMs: 30_000, reason: 'failures' };
    expect([undefined, before].map((circuit) => openedBy('failures', 'topic_unknown', circuit, T, rules).coolMs)).to.deep.equal([2_000, 4_000]);
    expect(openedBy('failures', 'topic_unknown', before, T, { ...rules, maxCoolMs: 1_000 }).coolMs).to.equal(1_000);
  });
});

describe('circuitThatWaits', () => {
  const endpoint = flowNamed('http://a/x', 'http://a');
  const others = flowNamed('http://a', 'http://a');

  it('is that of the endpoint or of the host, as the answer is about', () => {
    expect([circuitThatWaits(endpoint, 'endpoint'), circuitThatWaits(endpoint, 'host'), circuitThatWaits(others, 'host')]).to.deep.equal([endpointCircuitOf(endpoint), 'http://a', 'http://a']);
  });

  it('is none for a path that one task alone went to: other paths do not wait for its answer', () => {
    expect([others, deadFlowOf(others)].map((flow) => circuitThatWaits(flow, 'endpoint'))).to.deep.equal([undefined, undefined]);
  });
});

describe('the last probe', () => {
  const probe = { task: 't-1', at: T, code: 'http_busy' } as const;
  const before: Circuit = { openedAt: T - 9_000, until: T, coolMs: 2_000, reason: 'failures' };

  it('stands in the circuit that it failed to close, until the next one', () => {
    const after = openedBy('failures', 'http_busy', before, T, rules, probe);
    expect(after.lastProbe).to.deep.equal(probe);
    expect(openedBy('failures', 'http_busy', after, T + 1, rules).lastProbe, 'kept').to.deep.equal(probe);
    expect(openedByRetryAfter(1_000, 60_000, before, T, rules, probe).lastProbe).to.deep.equal(probe);
    expect(openedBy('failures', 'http_busy', before, T, rules)).to.not.have.property('lastProbe');
  });
});

describe('openedByRetryAfter', () => {
  it('waits as it was asked to, at most as long as a circuit cools down', () => {
    expect([500, 3_000, 86_400_000].map((ms) => openedByRetryAfter(ms, 86_400_000, undefined, T, rules).until - T)).to.deep.equal([500, 3_000, 30_000]);
  });

  it('is never longer than the task that met it waits by its own policy', () => {
    expect(openedByRetryAfter(3_600_000, 300, undefined, T, rules).until - T).to.equal(300);
  });

  it('never shortens a wait, and keeps since when and how long it has been open', () => {
    const before: Circuit = { openedAt: T - 9_000, until: T + 5_000, coolMs: 8_000, reason: 'failures' };
    expect(openedByRetryAfter(1_000, 86_400_000, before, T, rules)).to.deep.equal({ ...before, reason: 'retry_after' });
  });
});

describe('Health', () => {
  /** @returns number of the note at which the circuit is to be opened; undefined: never */
  function opensAt(notes: Iterable<readonly [isFailure: boolean, taskId: string, at: number]>): number | undefined {
    const health = new Health();
    let nth = 0;
    for (const [isFailure, taskId, at] of notes) {
      nth += 1;
      if (health.note(Number(isFailure), taskId, at, rules)) return nth;
    }
    return undefined;
  }
  const notes = (count: number, make: (nth: number) => readonly [boolean, string, number]): (readonly [boolean, string, number])[] => Array.from({ length: count }, (_, nth) => make(nth));

  const cases: readonly (readonly [name: string, notes: readonly (readonly [boolean, string, number])[], expected: number | undefined])[] = [
    ['fifteen tasks in a row', notes(20, (nth) => [true, `t${nth}`, nth]), 15],
    ['two tasks in turn', notes(20, (nth) => [true, `t${nth % 2}`, nth]), 15],
    ['one task that fails thirty times', notes(30, (nth) => [true, 't', nth * 200]), undefined],
    ['one task that fails a hundred times within a second', notes(100, (nth) => [true, 't', nth * 10]), undefined],
    ['a row with a success in it', notes(28, (nth) => [nth !== 14, `t${nth}`, nth]), undefined],
    ['a row that takes a whole day', notes(30, (nth) => [true, `t${nth}`, nth * 70_000]), undefined],
    ['three of four among forty', notes(60, (nth) => [nth % 4 !== 0, `t${nth}`, nth]), 40],
    ['two of three among any number', notes(900, (nth) => [nth % 3 !== 0, `t${nth}`, nth]), undefined],
    ['forty failures among successes, too slowly', notes(200, (nth) => [nth % 4 !== 0, `t${nth}`, nth * 400]), undefined],
  ];
  for (const [name, given, expected] of cases) {
    it(`${expected === undefined ? 'stays closed' : `opens at note ${expected}`}: ${name}`, () => expect(opensAt(given)).to.equal(expected));
  }

  it('needs of each worker of a fleet its share of the row, and never less than five, where nothing is answered at all', () => {
    const rowOf = (workers: number, startsWell: boolean): number => {
      const health = new Health();
      if (startsWell) health.note(0, 'well', 0, rules, workers);
      let row = 1;
      while (!health.note(1, `t${row}`, row, rules, workers)) row += 1;
      return row;
    };
    expect([1, 2, 3, 4, 50].map((workers) => rowOf(workers, false))).to.deep.equal([15, 8, 5, 5, 5]);
    expect([1, 2, 3, 4, 50].map((workers) => rowOf(workers, true)), 'single failures among successes').to.deep.equal([15, 15, 15, 15, 15]);
  });

  it('needs four times as many answers 500: each may be about its message', () => {
    const health = new Health();
    let row = 1;
    while (!health.note(0.25, `t${row}`, row, rules)) row += 1;
    expect(row).to.equal(60);
  });

  it('starts afresh when it is told to forget', () => {
    const health = new Health();
    for (let nth = 0; nth < 14; nth += 1) health.note(1, `t${nth}`, nth, rules);
    health.forget();
    expect([health.failuresInARow, health.note(1, 'x', 20, rules), health.failuresInARow]).to.deep.equal([0, false, 1]);
  });

  it('never opens for a destination that fails less than half of its sends, in any order without fifteen in a row', () => {
    fc.assert(fc.property(fc.array(fc.boolean(), { maxLength: 300 }), (failures) => {
      // A success after each failure: half at most.
      const spread = failures.flatMap((isFailure) => (isFailure ? [true, false] : [false]));
      expect(opensAt(spread.map((isFailure, nth) => [isFailure, `t${nth}`, nth * 20]))).to.equal(undefined);
    }));
  });
});

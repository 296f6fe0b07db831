import { expect } from 'chai';

import { variables } from '../../../../../shared/config/schema.js';
import { defaultCircuitRules } from '../../../../../shared/domain/flow/circuit.js';
import { defaultBrokersOf } from '../../../../../shared/domain/flow/flow-key.js';
import { compareFacts, factNames, factsOf, settingsInForce, type SharedSettings, type WorkerFacts } from '../../../../../shared/domain/flow/worker-facts.js';

const settings: SharedSettings = {
  version: '0.1.0',
  defaultBrokers: defaultBrokersOf([{ host: 'Broker-1', port: 9092 }, { host: 'b2', port: 9092 }]),
  circuit: defaultCircuitRules,
  dead: { attempts: 10, baseDelayMs: 1_000, maxDelayMs: 300_000 },
  release: { baseDelayMs: 30_000, maxDelayMs: 600_000 },
  deliveryTimeoutMs: 30_000,
  secretPathHosts: ['hooks.example.com', '*.example.org'],
};
const own = factsOf(settings);
const off: WorkerFacts = { ...own, FLOW_CIRCUIT: 'off' };

describe('facts of a worker', () => {
  it('are texts under the names of their variables', () => {
    expect(own).to.deep.equal({
      VERSION: '0.1.0',
      KAFKA_BROKERS: 'b2:9092,broker-1:9092',
      FLOW_CIRCUIT: 'on',
      FLOW_CIRCUIT_FAILURES: '30',
      FLOW_CIRCUIT_COOL_DOWN: '2000ms',
      FLOW_CIRCUIT_MAX_COOL_DOWN: '30000ms',
      FLOW_CIRCUIT_MAX_OPEN: '900000ms',
      DELIVERY_TIMEOUT: '30000ms',
      DEAD_ATTEMPTS: '10',
      DEAD_BASE_DELAY: '1000ms',
      DEAD_MAX_DELAY: '300000ms',
      RELEASE_BASE_DELAY: '30000ms',
      RELEASE_MAX_DELAY: '600000ms',
      SECRET_PATH_HOSTS: '*.example.org,hooks.example.com',
    });
  });

  it('are variables of the service, and none of them is a secret', () => {
    for (const name of factNames.filter((one) => one !== 'VERSION')) {
      expect(variables, name).to.have.property(name);
      expect(variables[name], name).to.not.have.property('isSecret', true);
    }
  });

  it('are the same for every spelling and order of the same brokers', () => {
    const spelt = factsOf({ ...settings, defaultBrokers: defaultBrokersOf([{ host: 'B2', port: 9092 }, { host: 'broker-1', port: 9092 }]) });
    expect(compareFacts(own, [spelt])).to.deep.equal([]);
  });
});

describe('compareFacts', () => {
  const differing = (workers: readonly (WorkerFacts | undefined)[]): unknown => compareFacts(own, workers).map(({ name, values }) => [name, values.map(({ value, workers: count, isOwn }) => [value, count, isOwn])]);
  const cases: readonly (readonly [string, readonly (WorkerFacts | undefined)[], unknown])[] = [
    ['no worker', [], []],
    ['one that agrees', [own], []],
    ['two that agree with each other and not with the API', [off, off], [['FLOW_CIRCUIT', [['off', 2, false], ['on', 0, true]]]]],
    ['two that differ', [own, off], [['FLOW_CIRCUIT', [['off', 1, false], ['on', 1, true]]]]],
    ['most frequent first', [off, own, own], [['FLOW_CIRCUIT', [['on', 2, true], ['off', 1, false]]]]],
    ['one of a version that reports no facts', [undefined, own, own], [['VERSION', [['0.1.0', 2, true], [undefined, 1, false]]]]],
    ['one that lacks a fact', [{ VERSION: '0.1.0' }], []],
    ['another version', [{ VERSION: '0.2.0' }], [['VERSION', [['0.2.0', 1, false], ['0.1.0', 0, true]]]]],
    ['two differences, in the order of the facts', [{ ...off, VERSION: '2' }], [['VERSION', [['2', 1, false], ['0.1.0', 0, true]]], ['FLOW_CIRCUIT', [['off', 1, false], ['on', 0, true]]]]],
  ];
  for (const [name, workers, expected] of cases) {
    it(`finds: ${name}`, () => {
      expect(differing(workers)).to.deep.equal(expected);
    });
  }
});

describe('settingsInForce', () => {
  const brokers = (workers: readonly (WorkerFacts | undefined)[]): string[] => [...settingsInForce(settings, workers).defaultBrokers];
  const other: WorkerFacts = { ...own, KAFKA_BROKERS: 'c:9092' };

  it("are the API's own with no worker, or with none that reports facts", () => {
    const { defaultBrokers, circuit, release } = settings;
    expect(settingsInForce(settings, [])).to.deep.equal({ defaultBrokers, circuit, release });
    expect(settingsInForce(settings, [undefined])).to.deep.equal({ defaultBrokers, circuit, release });
  });

  it("are those of the workers, whatever the API's own are", () => {
    expect(brokers([other])).to.deep.equal(['c:9092']);
    expect(brokers([{ ...own, KAFKA_BROKERS: '' }])).to.deep.equal([]);
    const { circuit, release } = settingsInForce(settings, [{ ...off, FLOW_CIRCUIT_FAILURES: '7', FLOW_CIRCUIT_COOL_DOWN: '1ms', FLOW_CIRCUIT_MAX_COOL_DOWN: '2ms', FLOW_CIRCUIT_MAX_OPEN: '3ms', RELEASE_BASE_DELAY: '4ms', RELEASE_MAX_DELAY: '5ms' }]);
    expect(circuit).to.deep.equal({ ...defaultCircuitRules, isOn: false, failuresInARow: 7, baseCoolMs: 1, maxCoolMs: 2, maxOpenMs: 3 });
    expect(release).to.deep.equal({ baseDelayMs: 4, maxDelayMs: 5 });
  });

  it("are those of most workers, the API's own where two are as frequent, and else always the same", () => {
    expect(brokers([own, other, other])).to.deep.equal(['c:9092']);
    expect(brokers([other, own])).to.deep.equal(['b2:9092', 'broker-1:9092']);
    expect(brokers([{ KAFKA_BROKERS: 'z:1' }, { KAFKA_BROKERS: 'y:1' }])).to.deep.equal(['y:1']);
  });

  it('take rules that belong together from one worker', () => {
    const a: WorkerFacts = { ...own, FLOW_CIRCUIT: 'off', FLOW_CIRCUIT_MAX_OPEN: '1ms' };
    const b: WorkerFacts = { ...own, FLOW_CIRCUIT: 'off', FLOW_CIRCUIT_MAX_OPEN: '2ms' };
    expect(settingsInForce(settings, [a, b, own, own]).circuit).to.deep.equal(defaultCircuitRules);
  });

  it("keep the API's own for a fact that is missing or unreadable", () => {
    expect(settingsInForce(settings, [{ FLOW_CIRCUIT_FAILURES: 'many', FLOW_CIRCUIT_MAX_OPEN: '-5ms' }]).circuit).to.deep.equal(defaultCircuitRules);
    expect(brokers([{ VERSION: '0.1.0' }])).to.have.members(['broker-1:9092', 'b2:9092']);
  });
});

import { expect } from 'chai';

import { openCircuits } from '../../../../server/stats/open-circuits.js';
import { deadFlowOf, flowNamed, flowWithEndpoint } from '../../../../shared/domain/destinations/flow.js';
import { defaultCircuitRules, type Circuit } from '../../../../shared/domain/flow/circuit.js';
import { circuitOfOthers, endpointCircuitOf } from '../../../../shared/domain/flow/circuit-names.js';
import type { FlowSnapshot } from '../../../../shared/queue/flow/flow-store.js';

const NOW = Date.UTC(2026, 10, 29, 12);
const API = 'https://api.example.com';
const orders = flowNamed(`${API}/orders`, API);
const tenant = flowNamed('tenant-7', API, { endpoint: orders.endpoint });

/** @param agoMs how long ago its next probe was due */
function snapshot(circuits: Readonly<Record<string, number>>): FlowSnapshot {
  const open = (agoMs: number): Circuit => ({ openedAt: NOW - agoMs - 2_000, until: NOW - agoMs, coolMs: 2_000, reason: 'failures' });
  return { policies: new Map(), circuits: new Map(Object.entries(circuits).map(([name, agoMs]) => [name, open(agoMs)])), workers: 1, now: NOW };
}

const held = (...ids: readonly string[]): { waitingList: string; length: number; reason: string }[] => ids.map((waitingList) => ({ waitingList, length: 1, reason: 'circuit_open' }));
const names = (circuits: Readonly<Record<string, number>>, waiting: ReturnType<typeof held> = []): string[] => openCircuits(snapshot(circuits), waiting, defaultCircuitRules);

describe('the open circuits of GET /status', () => {
  it('are those that are open, and those whose probe was due lately', () => {
    expect(names({ [API]: -1_000, [endpointCircuitOf(orders)]: 60_000, [endpointCircuitOf(deadFlowOf(orders))]: 60_000 })).to.deep.equal([API, `${API}/orders`]);
  });

  it('are called by what they hold, each destination once', () => {
    const dead = deadFlowOf(orders);
    expect(names({ [circuitOfOthers(orders)]: -1_000, [endpointCircuitOf(dead)]: -1_000 })).to.deep.equal([`the rest of ${API}`, `dead letters to ${API}/orders`]);
    expect(names({ [circuitOfOthers(dead)]: -1_000 })).to.deep.equal([`dead letters to the rest of ${API}`]);
    expect(names({ [dead.hostId]: -1_000, [circuitOfOthers(orders)]: -1_000, [API]: -1_000 })).to.deep.equal([API]);
  });

  it('are not those that have waited for a task long since', () => {
    expect(names({ [API]: 180_000, [endpointCircuitOf(orders)]: 3_500_000 })).to.deep.equal([]);
  });

  for (const [title, circuit, waitingList] of [
    ['its endpoint', endpointCircuitOf(orders), orders.id],
    ['its host', API, orders.id],
    ['the others of its host', circuitOfOthers(orders), orders.hostId],
    ['a flow_key with a list for each endpoint', endpointCircuitOf(tenant), flowWithEndpoint(tenant).id],
  ] as const) {
    it(`are also those that hold tasks, however long ago a probe was due: ${title}`, () => {
      expect(names({ [circuit]: 180_000 }, held('https://other', waitingList))).to.have.lengthOf(1);
      expect(names({ [circuit]: 180_000 }, held('https://other'))).to.deep.equal([]);
    });
  }

  it('are all of them where not all waiting tasks are known', () => {
    expect(openCircuits(snapshot({ [API]: 180_000 }), undefined, defaultCircuitRules)).to.deep.equal([API]);
  });

  it('are none while circuits are switched off', () => {
    expect(openCircuits(snapshot({ [API]: -1_000 }), [], { ...defaultCircuitRules, isOn: false })).to.deep.equal([]);
  });
});

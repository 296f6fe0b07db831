import { expect } from 'chai';

import { heldByCode } from '../../../../server/stats/held-codes.js';
import { defaultCircuitRules } from '../../../../shared/domain/flow/circuit.js';
import type { FlowSnapshot } from '../../../../shared/queue/flow/flow-store.js';

const NOW = 1_000_000;
const NONE = { paused: 0, no_worker: 0, circuit_open: 0, limit: 0, rate_lowered: 0, destination_busy: 0 };
const calm: FlowSnapshot = { policies: new Map(), circuits: new Map(), workers: 1, now: NOW };
const held = (reason: string) => [{ waitingList: 'https://a', length: 3, reason }];

describe('held tasks', () => {
  const openA = new Map([['https://a', { openedAt: NOW - 1, until: NOW + 1_000, coolMs: 2_000, reason: 'failures' as const }]]);
  const cases: readonly (readonly [string, string, Partial<FlowSnapshot>, Partial<typeof NONE>])[] = [
    ['whose destination is paused', 'destination_busy', { policies: new Map([['https://a', { isPaused: true }]]), circuits: openA }, { paused: 3 }],
    ['without a worker', 'limit', { workers: 0 }, { no_worker: 3 }],
    ['whose circuit is open', 'destination_busy', { circuits: openA }, { circuit_open: 3 }],
    ['at a limit', 'limit', { policies: new Map([['https://a', { ratePerSecond: 1 }]]) }, { limit: 3 }],
    ['at a limit that was taken away since', 'limit', {}, { destination_busy: 3 }],
    ['after a 429', 'rate_lowered', {}, { rate_lowered: 3 }],
    ['whose pause is over', 'paused', {}, { destination_busy: 3 }],
    ['of an unknown reason', '', {}, { destination_busy: 3 }],
  ];
  for (const [what, reason, changes, expected] of cases) {
    it(`${what} count as ${Object.keys(expected).join()}`, () => {
      expect(heldByCode(held(reason), { ...calm, ...changes }, defaultCircuitRules)).to.deep.equal({ ...NONE, ...expected });
    });
  }

  it('are summed over their waiting lists, each by its own destination', () => {
    const lists = [...held('rate_lowered'), { waitingList: 'tenant-7\nhttps://a', length: 4, reason: 'destination_busy' }, { waitingList: 'https://b', length: 5, reason: 'destination_busy' }];
    expect(heldByCode(lists, { ...calm, circuits: openA }, defaultCircuitRules)).to.deep.equal({ ...NONE, circuit_open: 7, destination_busy: 5 });
  });
});

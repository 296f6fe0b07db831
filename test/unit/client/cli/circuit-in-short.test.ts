import { expect } from 'chai';

import { circuitInShort } from '../../../../client/cli/circuit-in-short.js';

describe('the circuit in the table of destinations', () => {
  const closed = { state: 'closed', of: null, phase: null, since: null, until: null, reason: null, last_probe: null } as const;
  const { of: _of, phase: _phase, ...older } = { ...closed, state: 'open' as const };
  const table: readonly [object, string][] = [
    [closed, 'closed'],
    [{ ...closed, state: 'open', of: 'host', phase: 'delivery' }, 'open'],
    [{ ...closed, state: 'open', of: 'endpoint', phase: 'dead_letter' }, 'open (dead letters)'],
    [{ ...closed, state: 'probing', of: 'others', phase: 'delivery' }, 'probing (the rest)'],
    [{ ...closed, state: 'given_up', of: 'others', phase: 'dead_letter' }, 'given_up (dead letters, the rest)'],
    [older, 'open'],
  ];
  for (const [circuit, shown] of table) it(`is ${shown} for ${JSON.stringify(circuit)}`, () => { expect(circuitInShort(circuit as Parameters<typeof circuitInShort>[0])).to.equal(shown); });
});

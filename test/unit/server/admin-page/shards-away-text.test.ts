import { expect } from 'chai';

import { shardsAwayText } from '../../../../server/admin-page/state/shards-away-text.js';

describe('what the page says of shards that a bulk action misses', () => {
  const rest = 'what became of their tasks is not in these numbers.';
  const table: readonly [string, Parameters<typeof shardsAwayText>[0], string | undefined][] = [
    ['one', { state_reason: null, shards_away: ['deliver-1'] }, `A shard does not answer (deliver-1): ${rest}`],
    ['two, and another reason', { state_reason: { code: 'operator', message: 'paused' }, shards_away: ['deliver-1', 'deliver-2'] }, `2 shards do not answer (deliver-1, deliver-2): ${rest}`],
    ['none', { state_reason: null, shards_away: [] }, undefined],
    ['the reason says it', { state_reason: { code: 'shard_away', message: 'deliver-1' }, shards_away: ['deliver-1'] }, undefined],
    ['an older API', { state_reason: null }, undefined],
  ];
  for (const [name, action, text] of table) it(name, () => { expect(shardsAwayText(action)).to.equal(text); });
});

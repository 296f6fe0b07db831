import { expect } from 'chai';

import { inCalmOrder } from '../../../../server/admin-page/state/calm-order.js';

describe('rows while a person points at them', () => {
  const row = (key: string, count: number): { readonly key: string; readonly count: number } => ({ key, count });
  const order = (newOnes: 'last' | 'later'): unknown => inCalmOrder([row('a', 3), row('b', 2), row('gone', 1)], [row('b', 9), row('new', 5), row('a', 4)], ({ key }) => key, newOnes).map(({ key, count }) => `${key} ${count}`);

  it('keep their places, with what is new of them; one that is gone stays as it was', () => {
    expect(order('later')).to.deep.equal(['a 4', 'b 9', 'gone 1']);
  });

  it('have new rows behind them where those may not be missed', () => {
    expect(order('last')).to.deep.equal(['a 4', 'b 9', 'gone 1', 'new 5']);
  });
});

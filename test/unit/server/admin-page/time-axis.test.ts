import { expect } from 'chai';

import { axisWidth, labelsThatFit, placeOnAxis, plannedAfter } from '../../../../server/admin-page/state/time-axis.js';

describe('the time axis of a task', () => {
  it('is as wide as a phone for few points, and has a place for each of many', () => {
    expect([axisWidth(1_200, 2), axisWidth(349, 2), axisWidth(349, 6), axisWidth(349, 30)]).to.deep.equal([1_000, 349, 540, 900]);
  });

  it('writes no label over another: first and last are always there', () => {
    const at = (px: number, label: string) => ({ px, label });
    const points = [at(14, 'accepted'), at(90, 'connection refused'), at(300, 'connection refused'), at(360, '503'), at(850, 'connection refused'), at(986, 'connection refused')];
    expect([...labelsThatFit(points)]).to.have.members([0, 2, 5]);
    expect([...labelsThatFit([at(14, 'accepted'), at(986, 'next')])]).to.deep.equal([0, 1]);
  });

  it('has room for a millisecond beside a day', () => {
    const places = placeOnAxis([0, 1, 86_400_000].map((at) => ({ at, kind: 'other' as const, label: '' }))).map(({ x }) => x);
    expect(places[0]).to.equal(0);
    expect(places[1]).to.be.within(0.1, 0.2);
    expect(places[2]).to.equal(1);
  });

  it('foresees the retries that are left, with their growing waits', () => {
    expect(plannedAfter(0, 1, { max_retries: 4, base_delay: 2, max_delay: 10 })).to.deep.equal([4_000, 12_000, 22_000]);
  });
});

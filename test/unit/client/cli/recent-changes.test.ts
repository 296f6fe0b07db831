import { expect } from 'chai';

import type { TaskState } from '../../../../client/answers.js';
import { RecentChanges } from '../../../../client/cli/recent-changes.js';

const task = (id: string, attempts = 0, state: TaskState = 'scheduled') => ({ id, run: 1, attempts, state });
const ids = (tasks: readonly { readonly id: string }[]): string[] => tasks.map(({ id }) => id);

describe('RecentChanges', () => {
  it('tells a task once for each of its states, however often it is read', () => {
    const recent = new RecentChanges();
    expect(ids(recent.accept([task('a'), task('b')], 0))).to.deep.equal(['a', 'b']);
    expect(ids(recent.accept([task('a'), task('b')], 1_000))).to.deep.equal([]);
    expect(ids(recent.accept([task('b', 1, 'retrying'), task('a')], 2_000))).to.deep.equal(['b']);
    expect(ids(recent.accept([task('b', 1, 'delivered')], 3_000))).to.deep.equal(['b']);
  });

  it('looks back beyond the last poll, and past polls that failed', () => {
    const recent = new RecentChanges();
    expect(recent.lookBackS(50_000, 1_000)).to.equal(1);
    recent.accept([], 50_000);
    expect(recent.lookBackS(51_000, 1_000)).to.equal(11);
    // Nothing was accepted meanwhile: the service was away.
    expect(recent.lookBackS(171_000, 1_000)).to.equal(131);
  });

  it('does not tell again what is read in each poll, such as a task whose time lies an hour ahead', () => {
    const recent = new RecentChanges();
    const told = Array.from({ length: 600 }, (_, poll) => recent.accept([task('ahead'), task(`other-${poll}`)], poll * 1_000));
    expect(told.flat().filter(({ id }) => id === 'ahead')).to.have.lengthOf(1);
    expect(told.map((fresh) => ids(fresh).includes(`other-${told.indexOf(fresh)}`)).every(Boolean)).to.equal(true);
  });

  it('forgets what has not been read for a while, so its memory does not grow', () => {
    const recent = new RecentChanges();
    for (let poll = 0; poll < 1_000; poll += 1) recent.accept(Array.from({ length: 5 }, (_, nth) => task(`${poll}-${nth}`)), poll * 1_000);
    expect(recent.size).to.equal(50);
  });
});

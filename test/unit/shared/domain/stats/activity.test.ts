import { expect } from 'chai';

import { ActivityCounter } from '../../../../../shared/domain/stats/activity-counter.js';
import { backlogPerSecond, latenessWithin, ratePerSecond, readActivity, type Activity, type ActivityBucket } from '../../../../../shared/domain/stats/activity.js';

const MINUTE = 60_000;
const HOUR = 3_600_000;
const NOW = 1_000 * HOUR;

function bucket(at: number, changes: Partial<Activity> = {}): ActivityBucket {
  return { at, activity: { counts: {}, due: undefined, lateness: new Map(), ...changes } };
}

describe('the activity of the fleet', () => {
  it('is read from the fields of a bucket, and what no process recorded is missing', () => {
    const { counts, due, lateness } = readActivity(['delivered', '3', 'late:0', '2', 'late:40', '1', 'due', '7', 'of_a_later_version', '9']);
    expect(counts).to.deep.equal({ delivered: 3 });
    expect(due).to.equal(7);
    expect([...lateness]).to.deep.equal([[0, 2], [40, 1]]);
  });

  it('has a rate: the mean a second over the whole span, also where nothing was recorded', () => {
    const seconds = Array.from({ length: 30 }, (_, nth) => bucket(NOW - nth * 1_000, { counts: { delivered: 4 } }));
    expect(ratePerSecond(seconds, 'delivered', 1_000, MINUTE, NOW)).to.equal(2);
    expect(ratePerSecond(seconds, 'created', 1_000, MINUTE, NOW)).to.equal(0);
  });

  it('counts only that part of the oldest bucket that lies in the span', () => {
    const halfPast = NOW + MINUTE / 2;
    const minutes = Array.from({ length: 62 }, (_, nth) => bucket(NOW - nth * MINUTE, { counts: { created: nth === 0 ? 30 : 60 } }));
    expect(ratePerSecond(minutes, 'created', MINUTE, HOUR, halfPast)).to.equal(1);
  });

  it('has the lateness of the sends within the span alone', () => {
    const buckets = [bucket(NOW - 59_000, { lateness: new Map([[0, 1]]) }), bucket(NOW - 61_000, { lateness: new Map([[0, 100]]) }), bucket(NOW, { lateness: new Map([[0, 2], [9, 1]]) })];
    expect([...latenessWithin(buckets, MINUTE, NOW)]).to.deep.equal([[0, 3], [9, 1]]);
  });

  it('has a growing or falling backlog: the change of due tasks since a minute ago', () => {
    const buckets = [bucket(NOW - 64_000, { due: 500 }), bucket(NOW - 60_000, { due: 10 }), bucket(NOW - 1_000, { due: 90 })];
    expect(backlogPerSecond(buckets, 130, MINUTE, NOW)).to.equal(2);
    expect(backlogPerSecond(buckets, 4, MINUTE, NOW)).to.equal(-0.1);
    expect(backlogPerSecond([bucket(NOW - 64_000, { due: 2 })], 130, MINUTE, NOW), 'a sample near it will do').to.equal(2);
  });

  it('has no change of the backlog where a minute ago nothing counted it', () => {
    expect(backlogPerSecond([bucket(NOW - 30_000, { due: 1 }), bucket(NOW - 60_000)], 5, MINUTE, NOW)).to.equal(undefined);
  });
});

describe('the counter of a process', () => {
  it('gives what was counted since the last time, and zeros for what it records', () => {
    const counter = new ActivityCounter(['delivered', 'failed']);
    counter.count('delivered');
    counter.count('delivered');
    counter.countSend(0);
    counter.countSend(1_000);
    counter.countSend(1_010);
    expect(counter.take()).to.deep.equal([['delivered', 2], ['failed', 0], ['late:0', 1], ['late:40', 2]]);
    expect(counter.take()).to.deep.equal([['delivered', 0], ['failed', 0]]);
  });
});

import { expect } from 'chai';
import fc from 'fast-check';

import { jobIdOf, ownKeys, queueName, queuePrefix, shardOf, taskIdOf } from '../../../../shared/queue/names.js';
import { flowKeys } from '../../../../shared/queue/fleet-keys.js';

/** Any text a client may use as an id, control characters and all: the codec need not rely on the schema. */
const ids = fc.string({ unit: 'binary', minLength: 1, maxLength: 255 }).filter((id) => id.isWellFormed());

describe('job ids', () => {
  const table: readonly (readonly [taskId: string, jobId: string])[] = [
    ['a:b/c', 't-a%3Ab%2Fc'],
    ['123', 't-123'],
    ['0', 't-0'],
    ['wait', 't-wait'],
    ['meta', 't-meta'],
    ['%', 't-%25'],
    ['%25', 't-%2525'],
    ['.', 't-.'],
    ['🚚', 't-%F0%9F%9A%9A'],
    ['t-1', 't-t-1'],
  ];
  for (const [taskId, jobId] of table) {
    it(`${JSON.stringify(taskId)} is ${jobId}, and back`, () => {
      expect(jobIdOf(taskId)).to.equal(jobId);
      expect(taskIdOf(jobId)).to.equal(taskId);
    });
  }

  it('come back as the same task id, for any well-formed text', () => {
    fc.assert(fc.property(ids, (id) => { expect(taskIdOf(jobIdOf(id))).to.equal(id); }));
  });

  it('are different for different task ids', () => {
    fc.assert(fc.property(ids, ids, (a, b) => { expect(jobIdOf(a) === jobIdOf(b)).to.equal(a === b); }));
  });

  it('mean one task: no other text is the job id of that task', () => {
    const text = fc.array(fc.constantFrom('%', '2', '5', 'f', 'F', '/', ':', ' ', 'a', 'ü', '%2F', '%2f', '%25'), { maxLength: 5 }).map((pieces) => `t-${pieces.join('')}`);
    fc.assert(
      fc.property(text, (jobId) => {
        const taskId = taskIdOf(jobId);
        if (taskId !== undefined) expect(jobIdOf(taskId)).to.equal(jobId);
      }),
    );
  });

  it('are nothing that BullMQ refuses or mixes up: no integer, no colon, no key of a queue', () => {
    const queueKeys = ['wait', 'paused', 'meta', 'active', 'delayed', 'prioritized', 'completed', 'failed', 'id', 'events', 'pc', 'marker', 'stalled', 'stalled-check', 'limiter', 'repeat', 'de', 'metrics', 'waiting-children', 'parked', 'unreadable', 'janitor-lock', 'janitor-cursor'];
    fc.assert(
      fc.property(fc.oneof(ids, fc.constantFrom(...queueKeys), fc.nat().map(String)), (id) => {
        const jobId = jobIdOf(id);
        expect(queueKeys).to.not.include(jobId);
        expect(jobId).to.not.contain(':');
        expect(Number.isInteger(Number(jobId))).to.equal(false);
        // What BullMQ itself does to tell an integer.
        expect(`${parseInt(jobId, 10)}`).to.not.equal(jobId);
      }),
    );
  });

  it('of another owner have no task id', () => {
    for (const jobId of ['repeat:1', '17', 'T-1', '', 't-%', 't-%ff', 't-a/b', 't-a%2fb', 't-%61', 't-a b', 't-a:b']) expect(taskIdOf(jobId), jobId).to.equal(undefined);
  });
});

describe('shardOf', () => {
  it('is always 0 with one shard, and within the number otherwise', () => {
    fc.assert(
      fc.property(ids, fc.integer({ min: 2, max: 64 }), (id, shards) => {
        expect(shardOf(id, 1)).to.equal(0);
        expect(shardOf(id, shards)).to.be.within(0, shards - 1);
        expect(Number.isInteger(shardOf(id, shards))).to.equal(true);
      }),
    );
  });

  it('never moves an id: sample values (FNV-1a)', () => {
    // A change here would lose every task that waits.
    expect(['', 'a', 'b', 'foobar'].map((id) => shardOf(id, 2 ** 32))).to.deep.equal([0x811c9dc5, 0xe40c292c, 0xe70c2de5, 0xbf9cf968]);
  });

  it('spreads ids evenly enough', () => {
    const counts = new Map<number, number>();
    for (let index = 0; index < 16_000; index += 1) {
      const shard = shardOf(`order-${index}`, 16);
      counts.set(shard, (counts.get(shard) ?? 0) + 1);
    }
    expect(counts.size).to.equal(16);
    for (const [shard, count] of counts) expect(count, `shard ${shard}`).to.be.within(700, 1_300);
  });
});

describe('queue keys', () => {
  it('have a name per shard, and a slot per shard on a cluster', () => {
    expect([queueName(0), queueName(15)]).to.deep.equal(['deliver-0', 'deliver-15']);
    expect(queuePrefix('krs', 3, false)).to.equal('krs');
    expect(queuePrefix('krs', 3, true)).to.equal('{krs-3}');
  });

  it('of our own lie beside those of the queue', () => {
    const keys = ownKeys((suffix) => `krs:deliver-0:${suffix}`);
    const ofAction = { bulkCounts: keys.bulkCounts('ba_1'), bulkList: keys.bulkList('ba_1'), bulkLease: keys.bulkLease('ba_1'), bulkFirstSends: keys.bulkFirstSends('ba_1') };
    expect({ ...keys, ...ofAction, waitingList: keys.waitingList('https://api.example.com') }).to.deep.equal({
      bulkCounts: 'krs:deliver-0:bulk:ba_1',
      bulkList: 'krs:deliver-0:bulk-list:ba_1',
      bulkLease: 'krs:deliver-0:bulk-lease:ba_1',
      bulkFirstSends: 'krs:deliver-0:bulk-first-sends:ba_1',
      waitingList: 'krs:deliver-0:lane:https://api.example.com',
      waitingLists: 'krs:deliver-0:lanes',
      neverThere: 'krs:deliver-0:never-there',
      replicaMark: 'krs:deliver-0:replica-mark',
      parked: 'krs:deliver-0:parked',
      unreadable: 'krs:deliver-0:unreadable',
      janitorLock: 'krs:deliver-0:janitor-lock',
      janitorCursor: 'krs:deliver-0:janitor-cursor',
      searchFieldsCursor: 'krs:deliver-0:search-fields-cursor',
      straysCursor: 'krs:deliver-0:strays-cursor',
      quota: 'krs:deliver-0:quota',
      quotaRecount: 'krs:deliver-0:quota-recount',
      takenOver: 'krs:deliver-0:taken-over',
      takeOverMark: 'krs:deliver-0:take-over-mark',
    });
  });

  it('of flow control are the same for all shards, and share a slot on a cluster', () => {
    const { controls, changes, version, versions, workers, reportBase, lifeBase, lockTimeBase, ...made } = flowKeys('krs', false);
    expect([controls, changes, version, versions, workers]).to.deep.equal(['krs:flow:controls', 'krs:flow:changes', 'krs:flow:version', 'krs:flow:versions', 'krs:flow:workers']);
    expect([made.report('w-1'), made.life('w-1'), made.lockTime('w-1'), made.leases('a'), made.pace('a'), made.claims('a'), made.probe('a')]).to.deep.equal([
      `${reportBase}w-1`, `${lifeBase}w-1`, `${lockTimeBase}w-1`, 'krs:flow:leases:a', 'krs:flow:pace:a', 'krs:flow:claims:a', 'krs:flow:probe:a',
    ]);
    const onCluster = flowKeys('krs', true);
    for (const key of [onCluster.controls, onCluster.probe('https://{odd}'), onCluster.reportBase]) expect(key).to.match(/^\{krs-flow\}:flow:/);
  });
});

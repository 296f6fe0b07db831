import { expect } from 'chai';

import { FailureCounter } from '../../../../shared/domain/stats/failure-counter.js';
import { MAX_GROUPS } from '../../../../shared/domain/stats/failure-groups.js';
import { statsKeys } from '../../../../shared/queue/fleet-keys.js';
import { eventually } from '../../../support/eventually.js';
import { createReceiver, type Receiver } from '../../../support/receiver.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { call, httpTask, retryNow, submitNew, timeOf, waitForState, type WireTask } from '../../../support/tasks.js';

interface Group {
  readonly destination_key: string | null;
  readonly error_code: string | null;
  readonly http_status: number | null;
  readonly count: number;
  readonly first_failed_at: string;
  readonly last_failed_at: string;
  readonly samples: readonly string[];
  readonly by_next: Readonly<Record<'retry' | 'dead_letter' | 'park', number>>;
  readonly by_phase: Readonly<Record<'delivery' | 'dead_letter', number>>;
}

interface Failures {
  readonly since: string;
  readonly groups: readonly Group[];
  readonly is_complete: boolean;
}

const BUCKET_MS = 300_000;
const HOUR_MS = 3_600_000;

for (const shards of [1, 4]) {
  describe(`GET /failures, with ${shards} shard(s)`, () => {
    let service: InProcessService;
    let receiver: Receiver;

    beforeEach(async () => {
      service = await InProcessService.ready({ shards, dead: { attempts: 2, baseDelayMs: 10, maxDelayMs: 10 } });
      receiver = await createReceiver();
      receiver.on('/missing', { kind: 'answer', status: 404 });
      receiver.on('/gone', { kind: 'answer', status: 410 });
    });
    afterEach(async () => {
      await service.close();
      await receiver.close();
    });

    async function failures(query = ''): Promise<Failures> {
      const { status, body } = await call(service.baseUrl, `/failures${query}`);
      expect(status, JSON.stringify(body)).to.equal(200);
      return body as unknown as Failures;
    }

    function parking(path: string): WireTask {
      const { dead_destination: _none, ...task } = httpTask(receiver.url(path), { on_exhausted: 'park' });
      return task;
    }

    const summary = ({ groups }: Failures): unknown => groups.map(({ destination_key: key, error_code: code, http_status: status, count, by_next: byNext }) => [key, code, status, count, byNext]);

    it('has no groups where nothing failed, and begins at a bucket', async () => {
      const before = Date.now();
      const { since, ...rest } = await failures();
      expect(rest).to.deep.equal({ groups: [], is_complete: true, shards_away: [], known_at: null });
      expect(timeOf(since) % BUCKET_MS).to.equal(0);
      expect(timeOf(since)).to.be.within(before - HOUR_MS - BUCKET_MS, Date.now() - HOUR_MS);
    });

    it('counts each failed send by destination, code and status, the most first, with what was decided', async () => {
      await service.startWorker();
      const retried = httpTask(receiver.url('/missing'), { max_retries: 2, base_delay: 0.01, flow_key: 'tenant-7', dead_destination: { url: receiver.url('/gone') } });
      const parked = [parking('/gone'), parking('/missing')];
      const delivered = httpTask(receiver.url('/well'));
      for (const task of [retried, ...parked, delivered]) await submitNew(service.baseUrl, task);
      await waitForState(service.baseUrl, retried.id, 'parked');
      for (const { id } of parked) await waitForState(service.baseUrl, id, 'parked');
      await waitForState(service.baseUrl, delivered.id, 'delivered');
      const found = await eventually(async () => {
        const seen = await failures();
        expect(summary(seen)).to.deep.equal([
          [receiver.url('/missing'), 'http_client_error', 404, 4, { retry: 2, dead_letter: 1, park: 1 }],
          // A dead letter that failed twice, and a parked task.
          [receiver.url('/gone'), 'http_client_error', 410, 3, { retry: 1, dead_letter: 0, park: 2 }],
        ]);
        return seen;
      });
      expect(found.groups.map(({ by_phase: byPhase }) => byPhase)).to.deep.equal([{ delivery: 4, dead_letter: 0 }, { delivery: 1, dead_letter: 2 }]);
      const [missing, gone] = found.groups;
      expect(missing?.samples).to.have.members([retried.id, parked[1]?.id]);
      expect(gone?.samples).to.have.members([retried.id, parked[0]?.id]);
      for (const { first_failed_at: first, last_failed_at: last } of found.groups) {
        expect(timeOf(first)).to.be.at.most(timeOf(last));
        expect(timeOf(last)).to.be.closeTo(Date.now(), 60_000);
      }
      expect(found.is_complete).to.equal(true);
    });

    it('has no status where no answer came', async () => {
      await service.startWorker();
      const task = { ...parking('/'), destination: { url: 'http://127.0.0.1:9/x' } };
      await submitNew(service.baseUrl, task);
      await waitForState(service.baseUrl, task.id, 'parked');
      await eventually(async () => { expect(summary(await failures())).to.deep.equal([['http://127.0.0.1:9/x', 'connection_refused', null, 1, { retry: 0, dead_letter: 0, park: 1 }]]); });
    });

    it('names the three tasks that failed last, the newest first, over several additions and several workers', async () => {
      await Promise.all([service.startWorker(), service.startWorker()]);
      const ids: string[] = [];
      for (let nth = 0; nth < 5; nth += 1) {
        const task = parking('/missing');
        ids.push(task.id);
        await submitNew(service.baseUrl, task);
        await waitForState(service.baseUrl, task.id, 'parked');
        await eventually(async () => { expect((await failures()).groups[0]?.count).to.equal(nth + 1); });
      }
      expect((await failures()).groups[0]?.samples).to.deep.equal(ids.reverse().slice(0, 3));
    });

    it('counts a task again that was started again, and is not kept from it by its first life', async () => {
      await service.startWorker();
      const task = parking('/missing');
      await submitNew(service.baseUrl, task);
      await waitForState(service.baseUrl, task.id, 'parked');
      await retryNow(service.baseUrl, task.id);
      await eventually(async () => {
        const [group] = (await failures()).groups;
        expect([group?.count, group?.samples]).to.deep.equal([2, [task.id]]);
      });
    });

    it('shows no secret of a url', async () => {
      await service.startWorker();
      const task = { ...parking('/'), destination: { url: `${receiver.url('/missing').replace('//', '//user:secret@')}?token=secret` } };
      await submitNew(service.baseUrl, task);
      await waitForState(service.baseUrl, task.id, 'parked');
      await eventually(async () => { expect((await failures()).groups.map(({ destination_key: key }) => key)).to.deep.equal([receiver.url('/missing')]); });
    });
  });
}

describe('the buckets of GET /failures', () => {
  let service: InProcessService;

  beforeEach(async () => {
    service = await InProcessService.ready();
  });
  afterEach(() => service.close());

  async function failures(query = ''): Promise<Failures> {
    const { status, body } = await call(service.baseUrl, `/failures${query}`);
    expect(status, JSON.stringify(body)).to.equal(200);
    return body as unknown as Failures;
  }

  async function add(count: (counter: FailureCounter) => void): Promise<void> {
    const counter = new FailureCounter();
    count(counter);
    await service.queue.fleet.withFailures((store) => store.add(counter.take(), () => undefined));
  }

  const failure = (key: string, at = Date.now()) => ({ destinationKey: key, code: 'timed_out', httpStatus: undefined, next: 'retry', phase: 'delivery', taskId: `task of ${key}`, at }) as const;

  /** Moves the present bucket back in time. */
  async function age(ms: number): Promise<void> {
    const { failures: prefix } = statsKeys(service.prefix, false);
    for (const key of await service.redis.keys(`${prefix}*`)) await service.redis.rename(key, prefix + String(Number(key.slice(prefix.length)) - ms / 1_000));
  }

  it('add up over the span that is asked for, with the first and the last time', async () => {
    const now = Date.now();
    await add((counter) => { counter.count(failure('https://a/', now - 2 * HOUR_MS)); });
    await age(2 * HOUR_MS);
    await add((counter) => { for (const at of [now - 1_000, now]) counter.count(failure('https://a/', at)); });
    expect((await failures('?since=1h')).groups.map(({ count }) => count)).to.deep.equal([2]);
    const [all] = (await failures('?since=3h')).groups;
    expect([all?.count, timeOf(all?.first_failed_at), timeOf(all?.last_failed_at)]).to.deep.equal([3, now - 2 * HOUR_MS, now]);
    await age(21 * HOUR_MS);
    expect((await failures('?since=24h')).groups.map(({ count }) => count)).to.deep.equal([3]);
    await age(4 * HOUR_MS);
    expect((await failures('?since=24h')).groups.map(({ count }) => count)).to.deep.equal([]);
  });

  it('lapse after a day', async () => {
    await add((counter) => { counter.count(failure('https://a/')); });
    const [key = ''] = await service.redis.keys(`${statsKeys(service.prefix, false).failures}*`);
    expect(await service.redis.ttl(key)).to.be.within(86_400, 86_400 + 600);
  });

  it('hold at most 1,000 groups, and the rest in one group of nulls, which comes last', async () => {
    const extra = 50;
    await add((counter) => {
      for (let nth = 0; nth < MAX_GROUPS; nth += 1) counter.count(failure(`https://a/${nth}`));
      for (let again = 0; again < 3; again += 1) counter.count(failure('https://a/7'));
    });
    await add((counter) => { for (let nth = 0; nth < extra; nth += 1) counter.count(failure(`https://b/${nth}`)); });
    await add((counter) => { counter.count(failure('https://b/0')); });
    const { groups, is_complete: isComplete } = await failures();
    expect([groups.length, isComplete]).to.deep.equal([MAX_GROUPS + 1, false]);
    expect(groups[0]).to.include({ destination_key: 'https://a/7', count: 4 });
    expect(groups.at(-1)).to.deep.include({ destination_key: null, error_code: null, http_status: null, count: extra + 1, by_next: { retry: extra + 1, dead_letter: 0, park: 0 } });
    expect(groups.at(-1)?.samples[0]).to.equal('task of https://b/0');
    expect(groups.reduce((sum, { count }) => sum + count, 0)).to.equal(MAX_GROUPS + 3 + extra + 1);
  });

  it('also over several buckets: those with the most failures have groups of their own', async () => {
    await add((counter) => { for (let nth = 0; nth < MAX_GROUPS; nth += 1) counter.count(failure(`https://a/${nth}`)); });
    await age(600_000);
    await add((counter) => { for (let nth = 0; nth < MAX_GROUPS; nth += 1) for (const _twice of [1, 2]) counter.count(failure(`https://b/${nth}`)); });
    const { groups, is_complete: isComplete } = await failures();
    expect([groups.length, isComplete]).to.deep.equal([MAX_GROUPS + 1, false]);
    expect(groups.slice(0, -1).every(({ destination_key: key, count }) => key?.startsWith('https://b/') === true && count === 2)).to.equal(true);
    expect(groups.at(-1)).to.include({ destination_key: null, count: MAX_GROUPS });
  });

  for (const query of ['?since=25h', '?since=0s', '?since=yesterday', '?since=', '?until=1h']) {
    it(`refuses ${query}`, async () => {
      const { status, body } = await call(service.baseUrl, `/failures${query}`);
      expect([status, body['code']]).to.deep.equal([400, 'invalid_request']);
    });
  }
});

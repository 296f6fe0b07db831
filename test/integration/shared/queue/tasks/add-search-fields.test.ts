import { expect } from 'chai';

import { flowOf } from '../../../../../shared/domain/flow/flow-key.js';
import type { Task } from '../../../../../shared/domain/task/task.js';
import type { Shard } from '../../../../../shared/queue/engine/shard.js';
import { WaitingLists } from '../../../../../shared/queue/flow/waiting-lists.js';
import { addSearchFields, firstStep } from '../../../../../shared/queue/tasks/add-search-fields.js';
import { unpackFailureFields } from '../../../../../shared/queue/search/failure-fields.js';
import { defaultPathMask } from '../../../../../shared/domain/destinations/path-mask.js';
import { packSearchFields, searchFieldsOf } from '../../../../../shared/queue/search/search-fields.js';
import { jobField } from '../../../../../shared/queue/engine/job-fields.js';
import { InProcessService } from '../../../../support/service-in-process.js';
import { tasksOf010 } from '../../../../support/stored-tasks.js';
import { domainTask } from '../../../../support/tasks.js';

const RECEIVER = 'http://127.0.0.1:9';

describe('addSearchFields', () => {
  let service: InProcessService;
  let shard: Shard;

  beforeEach(async () => {
    service = await InProcessService.ready();
    const [first] = await service.queue.shards();
    if (first === undefined) throw new Error('no shard');
    shard = first;
  });
  afterEach(() => service.close());

  /** @returns jobs that got fields, and steps it took */
  async function pass(): Promise<{ added: number; steps: number }> {
    let step = firstStep;
    for (let steps = 1; ; steps += 1) {
      const next = await addSearchFields(shard, step);
      if (next.place === undefined) return { added: next.added, steps };
      step = next;
    }
  }

  const fields = async (id: string): Promise<(string | null)[]> => service.redis.hmget(shard.keys.job(id), jobField.search, jobField.failure);
  const packed = (task: Task): string | undefined => packSearchFields(searchFieldsOf(task, Buffer.byteLength(task.messageData), defaultPathMask));

  async function submitBare(count: number, changes: (nth: number) => Partial<Task> = () => ({})): Promise<Task[]> {
    const tasks = Array.from({ length: count }, (_, nth) => domainTask(changes(nth)));
    await Promise.all(tasks.map((task) => service.queue.submit(task)));
    await Promise.all(tasks.map((task) => service.redis.hdel(shard.keys.job(task.id), jobField.search)));
    return tasks;
  }

  it('gives tasks that 0.1.0 stored what this version would have written, and bulk deferral finds them', async () => {
    const stored = await tasksOf010(RECEIVER);
    await service.redis.hset(shard.keys.job('old-retrying'), stored('retrying', 'old-retrying'));
    await service.redis.zadd(shard.keys.prioritized, 1, 't-old-retrying');
    await service.redis.hset(shard.keys.job('old-parked'), stored('parked', 'old-parked'));
    await service.redis.zadd(shard.keys.failed, 1_795_539_397_469, 't-old-parked');
    const flow = flowOf({ type: 'http', url: `${RECEIVER}/hook` }, undefined);
    const bulkDefer = (): Promise<{ looked: number; deferred: number }> => new WaitingLists(shard).bulkDefer({ flows: [[flow, 'paused']], known: [] }, 100, Date.now(), Date.now() + 60_000);
    expect(await bulkDefer(), 'not known yet: left').to.deep.equal({ looked: 1, deferred: 0 });

    expect(await pass()).to.include({ added: 2 });
    const [search, failure] = await fields('old-retrying');
    // The message has 31 characters, two of which are two bytes long.
    expect(search).to.equal('1team-a\x1forders\x1fhttp\x1fhttp://127.0.0.1:9\x1f/hook\x1f\x1f\x1f33');
    expect(unpackFailureFields(failure ?? '')).to.deep.equal({ attemptsMade: 1, phase: 'delivery', attempts: 1, code: 'http_server_error', httpStatus: 500, deadReason: undefined, dueAt: undefined, next: 'retry', endedAt: 1_795_539_397_477 });
    const [, ofParked] = await fields('old-parked');
    expect(unpackFailureFields(ofParked ?? '')).to.include({ attemptsMade: 1, phase: 'delivery', attempts: 1, deadReason: 'retries_exhausted' });

    expect(await bulkDefer()).to.deep.equal({ looked: 1, deferred: 1 });
    expect(await service.redis.zrange(shard.keys.waitingList(flow.id), '0', '-1')).to.deep.equal(['t-old-retrying']);
    expect(await pass(), 'nothing is left to do').to.include({ added: 0 });
  });

  it('finds them in every place where a job may be, a step at a time, and ends', async () => {
    const due = { maxRetries: 1, initialDelayMs: 0, baseDelayMs: 1_000, maxDelayMs: 1_000, jitter: 'none' } as const;
    const tasks = [
      ...(await submitBare(450, (nth) => ({ messageData: `ü${nth}`, source: `source-${nth}` }))),
      ...(await submitBare(450, () => ({ retryPolicy: due, flowKey: 'tenant-7' }))),
      ...(await submitBare(450, () => ({ retryPolicy: due, isPriority: true }))),
      ...(await submitBare(3)),
    ];
    const [completed, failed] = tasks.slice(-2);
    for (const [task, set] of [[completed, shard.keys.completed], [failed, shard.keys.failed]] as const) {
      await service.redis.zrem(shard.keys.delayed, `t-${task?.id}`);
      await service.redis.zadd(set, 1, `t-${task?.id}`);
    }
    const { added, steps } = await pass();
    expect(added).to.equal(tasks.length);
    expect(steps).to.be.at.least(12);
    for (const task of tasks) expect((await fields(task.id))[0], task.id).to.equal(packed(task));
    expect(await pass()).to.include({ added: 0 });
  });

  it('reads large messages in several calls', async () => {
    const tasks = await submitBare(8, () => ({ messageData: 'm'.repeat(600_000) }));
    expect(await pass()).to.include({ added: 8 });
    for (const task of tasks) expect((await fields(task.id))[0]).to.equal(packed(task));
  });

  it('leaves jobs alone that have the fields, that a newer version wrote, or that no version can read', async () => {
    const [complete, newer, unreadable, noJson] = await Promise.all(Array.from({ length: 4 }, async () => {
      const [task] = await submitBare(1);
      if (task === undefined) throw new Error('no task');
      return task.id;
    }));
    await service.redis.hset(shard.keys.job(complete ?? ''), jobField.search, '1as it is');
    await service.redis.hset(shard.keys.job(newer ?? ''), jobField.search, '2newer', jobField.failure, '2newer', 'atm', 7);
    await service.redis.hset(shard.keys.job(unreadable ?? ''), 'data', '{"v":99}');
    await service.redis.hset(shard.keys.job(noJson ?? ''), 'data', 'no json');
    await service.redis.zadd(shard.keys.delayed, 1, 't-never-heard-of');
    expect(await pass()).to.include({ added: 0 });
    expect(await Promise.all([complete, newer, unreadable, noJson].map((id) => fields(id ?? '')))).to.deep.equal([['1as it is', null], ['2newer', '2newer'], [null, null], [null, null]]);
    expect(await service.redis.exists(shard.keys.job('never-heard-of'))).to.equal(0);
  });

  it('mends failure fields that are out of date because an older version moved the job', async () => {
    const [movedOn, redriven, unrecorded] = await submitBare(3);
    const record = { kind: 'attempt', run: 1, attempt: 0, phase: 'delivery', next: 'retry', outcome: 'failed', code: 'http_busy', httpStatus: 503, at: 1, ms: 1, stalls: 0 };
    const log = (...records: object[]): string => JSON.stringify(records.map((each) => JSON.stringify(each)));
    const set = (task: Task | undefined, values: Record<string, string | number>): Promise<number> => service.redis.hset(shard.keys.job(task?.id ?? ''), values);
    await set(movedOn, { [jobField.search]: '1kept', [jobField.failure]: '11\x1fdelivery\x1f1\x1fhttp_gone\x1f410\x1f', stacktrace: log(record, { ...record, attempt: 1 }), atm: 2 });
    await set(redriven, { [jobField.failure]: '15\x1fdead\x1f5\x1fhttp_gone\x1f410\x1f', stacktrace: log({ kind: 'redrive', run: 2, at: 1 }) });
    await set(unrecorded, { stacktrace: log(), atm: 1 });
    expect(await pass()).to.include({ added: 3 });
    const [search, failure] = await fields(movedOn?.id ?? '');
    expect(search, 'what is there stays').to.equal('1kept');
    expect(unpackFailureFields(failure ?? '')).to.deep.equal({ attemptsMade: 2, phase: 'delivery', attempts: 2, code: 'http_busy', httpStatus: 503, deadReason: undefined, dueAt: undefined, next: 'retry', endedAt: 2 });
    expect((await fields(redriven?.id ?? ''))[1]).to.equal(null);
    expect(unpackFailureFields((await fields(unrecorded?.id ?? ''))[1] ?? '')).to.include({ attemptsMade: 1, phase: 'delivery', attempts: 0, code: undefined });
    expect(await pass()).to.include({ added: 0 });
  });

  it('takes the failure of a delivered task for up to date: its delivery writes none', async () => {
    const [task] = await submitBare(1);
    const key = shard.keys.job(task?.id ?? '');
    await service.redis.zrem(shard.keys.delayed, `t-${task?.id}`);
    await service.redis.zadd(shard.keys.completed, 1, `t-${task?.id}`);
    await service.redis.hset(key, jobField.search, '1kept', jobField.failure, '11\x1fdelivery\x1f1\x1fhttp_busy\x1f503\x1f', jobField.attemptsMade, 2);
    expect(await pass()).to.include({ added: 0 });
  });

  it('does not write into a job that has changed since it was read', async () => {
    const [task] = await submitBare(1);
    const key = shard.keys.job(task?.id ?? '');
    const write = (digest: string): Promise<unknown> => shard.client.runCommand('krsAddSearchFields', [shard.keys.delayed, shard.keys.base, `t-${task?.id}`, digest, '1x', '']);
    expect(await write('of something else')).to.equal(0);
    expect(await service.redis.hexists(key, jobField.search)).to.equal(0);
  });
});

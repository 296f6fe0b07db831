import { expect } from 'chai';

import { DATA_VERSION } from '../../../../shared/queue/tasks/task-codec.js';
import { eventually } from '../../../support/eventually.js';
import { jobField } from '../../../../shared/queue/engine/job-fields.js';
import { lockOf } from '../../../support/shard-keys.js';
import { sendRaw } from '../../../support/raw-request.js';
import { createReceiver, type Receiver } from '../../../support/receiver.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { getTask, httpTask, submitNew, timeOf, uniqueId, waitForState, type ShownTask, type WireTask } from '../../../support/tasks.js';

describe('a worker', () => {
  let service: InProcessService;
  let receiver: Receiver;

  beforeEach(async () => {
    service = await InProcessService.ready();
    receiver = await createReceiver();
    receiver.on('/down', { kind: 'answer', status: 500 });
  });
  afterEach(async () => {
    await service.close();
    await receiver.close();
  });

  async function jobKey(id: string): Promise<string> {
    const [shard] = await service.queue.shards();
    return shard?.keys.job(id) ?? '';
  }

  /** A task that so many workers have died with. */
  async function stalled(times: number, changes: Partial<WireTask> = {}): Promise<WireTask> {
    const task = httpTask(receiver.url('/'), { id: uniqueId('stalled'), dead_destination: { url: receiver.url('/dead') }, ...changes });
    await submitNew(service.baseUrl, task);
    await service.redis.hset(await jobKey(task.id), jobField.stalls, times);
    return task;
  }

  it('sends a task that two workers died with as if nothing had been', async () => {
    const task = await stalled(2);
    await service.startWorker();
    const { timeline } = await waitForState(service.baseUrl, task.id, 'delivered');
    expect(timeline).to.have.lengthOf(1);
    expect(receiver.requestsFor(task.id).map(({ key }) => key)).to.deep.equal([`${task.id}|0`]);
  });

  it('puts a task back, uncounted, that three workers died with, and sends it when it comes back', async () => {
    const task = await stalled(3);
    const startedAt = Date.now();
    // Anywhere up to 1 s: long enough to be seen.
    await service.startWorker({ random: () => 0.1 });
    const parted = await eventually(async () => {
      const shown = await getTask(service.baseUrl, task.id);
      expect(shown.waiting_for?.code).to.equal('released');
      return shown;
    });
    expect(parted).to.include({ state: 'scheduled', attempt: 0 });
    expect(timeOf(parted.next_attempt_at) - startedAt, 'the start of a worker included').to.be.within(0, 15_000);
    expect(receiver.requestsFor(task.id)).to.have.lengthOf(0);
    await waitForState(service.baseUrl, task.id, 'delivered');
    expect(receiver.requestsFor(task.id).map(({ key }) => key)).to.deep.equal([`${task.id}|0`]);
  });

  it('takes a task that twelve workers died with for the killer: to its dead destination, unsent', async () => {
    const task = await stalled(12, { max_retries: 5 });
    await service.startWorker();
    const shown = await waitForState(service.baseUrl, task.id, 'dead_lettered');
    expect(shown.dead_reason).to.equal('poison');
    expect(shown.timeline.map(({ phase, outcome, error_code }) => [phase, outcome, error_code])).to.deep.equal([
      ['delivery', 'poison', 'worker_crashed'],
      ['dead_letter', 'delivered', null],
    ]);
    const [letter, ...more] = receiver.requestsFor(task.id);
    expect(more).to.deep.equal([]);
    expect([letter?.path, letter?.key, letter?.headers['x-retry-dead-reason']]).to.deep.equal(['/dead', `${task.id}|dead|0`, 'poison']);
  });

  it('parks such a task when its dead delivery kills workers, too, and counts stalls anew after a redrive', async () => {
    const { dead_destination: _none, ...task } = httpTask(receiver.url('/'), { id: uniqueId('stalled'), on_exhausted: 'park' });
    await submitNew(service.baseUrl, task);
    await service.redis.hset(await jobKey(task.id), jobField.stalls, 12);
    await service.startWorker();
    expect((await waitForState(service.baseUrl, task.id, 'parked')).dead_reason).to.equal('poison');
    expect(await service.queue.redrive(task.id)).to.include({ kind: 'redriven', run: 2 });
    await waitForState(service.baseUrl, task.id, 'delivered');
  });

  it('leaves a task of a newer version as it is, uncounted, for a worker that can read it', async () => {
    const task = httpTask(receiver.url('/'));
    await submitNew(service.baseUrl, task);
    const key = await jobKey(task.id);
    const data = JSON.stringify({ v: DATA_VERSION + 1, from: 'the future' });
    await service.redis.hset(key, jobField.data, data);
    const startedAt = Date.now();
    await service.startWorker();
    const [shard] = await service.queue.shards();
    const score = await eventually(async () => {
      const seen = await service.redis.zscore(shard?.keys.delayed ?? '', `t-${task.id}`);
      if (seen === null) throw new Error('it is not put back yet');
      return seen;
    });
    // 30 s, shortened by up to half.
    expect(Number(score) / 4_096 - startedAt).to.be.within(15_000, 32_000);
    expect(await service.redis.hget(key, jobField.data)).to.equal(data);
    expect(await service.redis.hget(key, jobField.attemptsMade)).to.equal(null);
    expect(receiver.requests).to.have.lengthOf(0);
    expect(service.log).to.contain('left for a newer version');
  });

  it('takes a bug outside the send for one, too: put back with a growing wait, counted, the others go on', async () => {
    const task = httpTask(receiver.url('/down'), { max_retries: 5 });
    await submitNew(service.baseUrl, task);
    // A log that no version of ours has written: the next wait cannot be computed from it.
    const record = { kind: 'attempt', run: 1, attempt: 'three', phase: 'delivery', next: 'retry', outcome: 'failed', at: 1, ms: 1, stalls: 0 };
    await service.redis.hset(await jobKey(task.id), jobField.log, JSON.stringify([JSON.stringify(record)]));
    const startedAt = Date.now();
    await service.startWorker();
    const other = httpTask(receiver.url('/'));
    await submitNew(service.baseUrl, other);
    await waitForState(service.baseUrl, other.id, 'delivered');
    const shown = await eventually(async () => {
      // Not compared with the contract: it shows what this test wrote into the log.
      const { text } = await sendRaw(service.baseUrl, { path: `/tasks/${task.id}` });
      const seen = JSON.parse(text) as ShownTask;
      expect(seen.waiting_for?.code).to.equal('released');
      return seen;
    });
    expect(shown.timeline.at(-1)).to.include({ error_code: 'internal', count: 1 });
    // 30 s, shortened by up to half; BullMQ's own answer to a throw would be 5 s.
    expect(timeOf(shown.next_attempt_at) - startedAt).to.be.within(15_000, 32_000);
    expect(service.log).to.contain('bug: a delivery threw');
  });

  it('keeps what a task was submitted with: attempts in the job are for people, the policy decides', async () => {
    const task = httpTask(receiver.url('/down'), { max_retries: 1, base_delay: 0.01, dead_destination: { url: receiver.url('/dead') } });
    await submitNew(service.baseUrl, task);
    const key = await jobKey(task.id);
    // As if a careless hand had changed it: BullMQ would give up at once.
    const options = JSON.parse((await service.redis.hget(key, jobField.options)) ?? '{}') as Record<string, unknown>;
    await service.redis.hset(key, jobField.options, JSON.stringify({ ...options, attempts: 1 }));
    await service.startWorker();
    await waitForState(service.baseUrl, task.id, 'dead_lettered');
    expect(receiver.requestsFor(task.id).map(({ key: sent }) => sent)).to.deep.equal([`${task.id}|0`, `${task.id}|1`, `${task.id}|dead|2`]);
  });

  it('does not take a task for one in its hands whose lock it has lost while it was sent', async () => {
    receiver.on('/slow', { kind: 'answer', delayMs: 500 });
    const worker = await service.startWorker();
    const task = httpTask(receiver.url('/slow'));
    await submitNew(service.baseUrl, task);
    await receiver.waitForRequests(1);
    expect(worker.inHand).to.equal(1);
    // As if another worker had taken it over, and were through with it.
    const key = await jobKey(task.id);
    const [shard] = await service.queue.shards();
    await service.redis.del(key, lockOf(key));
    await service.redis.lrem(shard?.keys.active ?? '', 0, `t-${task.id}`);
    await eventually(() => { expect(worker.inHand).to.equal(0); });
    expect(service.log).to.match(/worker error.*t-task/);
  });

  it('parks when the dead destination fails as often as the dead policy says, and gives up nothing', async () => {
    const task = httpTask(receiver.url('/down'), { dead_destination: { url: receiver.url('/down') } });
    await submitNew(service.baseUrl, task);
    await service.startWorker();
    const shown = await waitForState(service.baseUrl, task.id, 'parked');
    expect(shown.dead_reason).to.equal('retries_exhausted');
    expect(receiver.requestsFor(task.id).map(({ key }) => key)).to.deep.equal([`${task.id}|0`, `${task.id}|dead|1`, `${task.id}|dead|1`]);
    const [shard] = await service.queue.shards();
    expect(await service.redis.zrange(shard?.keys.parked ?? '', '0', '-1')).to.deep.equal([`t-${task.id}`]);
  });
});

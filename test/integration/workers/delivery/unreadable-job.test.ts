import { expect } from 'chai';

import type { RedisClient } from '../../../../shared/redis/redis-connection.js';
import { jobField } from '../../../../shared/queue/engine/job-fields.js';
import { eventually } from '../../../support/eventually.js';
import { createReceiver, type Receiver } from '../../../support/receiver.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { shardKeys, type ShardKeys } from '../../../support/shard-keys.js';
import { call, getTask, getTaskAnswer, httpTask, submitNew, waitForState, type WireTask } from '../../../support/tasks.js';

/** What a person or another program may have written into a job, by field. */
const broken = [
  ['the data', jobField.data, 'no JSON'],
  ['the data, cut off', jobField.data, '{"v":1,"i":"x'],
  ['the options', jobField.options, 'no JSON'],
  ['a field of BullMQ that we do not use', 'progress', '{'],
] as const;

describe('a job in which a field is no JSON', () => {
  let service: InProcessService;
  let receiver: Receiver;
  let redis: RedisClient;
  let keys: ShardKeys;

  beforeEach(async () => {
    [service, receiver] = await Promise.all([InProcessService.ready({ release: { baseDelayMs: 100, maxDelayMs: 200 } }), createReceiver()]);
    redis = service.redis;
    keys = shardKeys(service.prefix);
  });
  afterEach(async () => {
    await service.close();
    await receiver.close();
  });

  async function submitLater(): Promise<WireTask> {
    const task = httpTask(receiver.url('/'), { initial_delay: 3_600 });
    await submitNew(service.baseUrl, task);
    return task;
  }

  for (const [name, field, value] of broken) {
    // The end of another one brings only the fields that are needed.
    for (const way of field === 'progress' ? ['by itself'] : ['by itself', 'by the end of another one']) {
      it(`is treated as one that cannot be read, and is sent once it can be read again: ${name}, fetched ${way}`, async () => {
        const start = service.log.length;
        const log = (): string => service.log.slice(start);
        const task = await submitLater();
        const [right = null] = await redis.hmget(keys.job(task.id), field);
        await redis.hset(keys.job(task.id), field, value);
        let answer = (): void => undefined;
        receiver.on('/held', { kind: 'answer', after: new Promise<void>((resolve) => { answer = resolve; }) });
        await service.startWorker({ concurrency: 1 });
        if (way === 'by the end of another one') {
          await submitNew(service.baseUrl, httpTask(receiver.url('/held')));
          await receiver.waitForRequests(1, { path: '/held' });
        }
        await redis.zadd(keys.delayed, 'XX', 4_096, `t-${task.id}`);
        answer();
        // It is put back uncounted again and again.
        await eventually(() => { expect(log().match(/cannot read a task/g)?.length ?? 0).to.be.at.least(3); }, { withinMs: 15_000 });
        expect(log()).to.not.match(/worker error|redis refuses|redis fails/);
        expect((await call(service.baseUrl, '/stats')).body).to.nested.include({ 'counts.unreadable': 1 });
        const others = [httpTask(receiver.url('/')), httpTask(receiver.url('/'))];
        for (const other of others) await submitNew(service.baseUrl, other);
        for (const { id } of others) await waitForState(service.baseUrl, id, 'delivered');
        if (field === jobField.data) expect((await getTaskAnswer(service.baseUrl, task.id)).status).to.equal(503);

        if (right === null) await redis.hdel(keys.job(task.id), field);
        else await redis.hset(keys.job(task.id), field, right);
        await waitForState(service.baseUrl, task.id, 'delivered');
        expect((await getTask(service.baseUrl, task.id)).attempt).to.equal(0);
        expect(receiver.requestsFor(task.id)).to.have.lengthOf(1);
      });
    }
  }
});

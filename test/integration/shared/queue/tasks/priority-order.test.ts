import { expect } from 'chai';

import { jobField } from '../../../../../shared/queue/engine/job-fields.js';
import type { Shard } from '../../../../../shared/queue/engine/shard.js';
import { jobIdOf } from '../../../../../shared/queue/names.js';
import { createReceiver, type Receiver } from '../../../../support/receiver.js';
import { InProcessService } from '../../../../support/service-in-process.js';
import { call, getTask, httpTask, retryNow, submitNew, waitForState, type WireTask } from '../../../../support/tasks.js';

const names = (prefix: string, many: number): string[] => Array.from({ length: many }, (_, nth) => `${prefix}-${nth}`);

describe('The order in which due tasks are sent', () => {
  let service: InProcessService;
  let receiver: Receiver;
  let shard: Shard;

  beforeEach(async () => {
    service = await InProcessService.ready();
    receiver = await createReceiver();
    const [first] = await service.queue.shards();
    if (first === undefined) throw new Error('no shard');
    shard = first;
  });
  afterEach(async () => {
    await service.close();
    await receiver.close();
  });

  async function submitAll(ids: readonly string[], changes: Partial<WireTask> = {}): Promise<void> {
    for (const id of ids) await submitNew(service.baseUrl, httpTask(receiver.url('/hook'), { id, ...changes }));
  }

  /** As an older version stores a priority task: without a priority of BullMQ's, and when it is due, in the list. */
  async function storeAsBefore(ids: readonly string[]): Promise<void> {
    const { keys } = shard;
    for (const id of ids) {
      const options = JSON.parse((await service.redis.hget(keys.job(id), jobField.options)) ?? '') as Record<string, unknown>;
      delete options['priority'];
      const isDue = (await service.redis.zrem(keys.prioritized, jobIdOf(id))) === 1;
      const change = service.redis.multi().hset(keys.job(id), jobField.priority, 0, jobField.options, JSON.stringify(options));
      await (isDue ? change.lpush(keys.wait, jobIdOf(id)) : change).exec();
    }
  }

  /** One worker with one slot sends them all. */
  async function sentOrder(many: number): Promise<readonly string[]> {
    await service.startWorker({ concurrency: 1 });
    await receiver.waitForRequests(many, { withinMs: 60_000 });
    return receiver.requests.map(({ taskId }) => taskId);
  }

  it('is priority tasks first, each kind as it came, whatever of them was made due by a person, and none is in the list without scores', async () => {
    const [normal, urgent, later] = [names('normal', 10), names('urgent', 5), names('later', 3)];
    await submitAll(later, { is_priority: true, initial_delay: 3_600 });
    await submitAll(normal);
    await submitAll(urgent, { is_priority: true });
    for (const id of later) await retryNow(service.baseUrl, id);
    expect(await service.redis.llen(shard.keys.wait)).to.equal(0);
    expect(await sentOrder(18)).to.deep.equal([...urgent, ...later, ...normal]);
  });

  it('is the priority tasks of an older version first, then those of this one, then normal ones', async () => {
    const [normal, urgent, old, oldLater] = [names('normal', 10), names('urgent', 5), names('old', 5), names('old-later', 3)];
    await submitAll(normal);
    await submitAll(urgent, { is_priority: true });
    await submitAll(old, { is_priority: true });
    await submitAll(oldLater, { is_priority: true, initial_delay: 3_600 });
    await storeAsBefore([...old, ...oldLater]);
    for (const id of oldLater) await retryNow(service.baseUrl, id);
    for (const id of [...old, ...oldLater]) expect(await getTask(service.baseUrl, id), id).to.deep.include({ state: 'scheduled', is_priority: true });
    expect(await sentOrder(23)).to.deep.equal([...old, ...oldLater, ...urgent, ...normal]);
    for (const id of [...old, ...oldLater]) await waitForState(service.baseUrl, id, 'delivered');
  });

  it('goes on with retries, redrives and edits of a priority task of an older version', async () => {
    const [retried, edited, parked] = ['retried', 'edited', 'parked'];
    receiver.on('/fails', ({ headers }, nth) => ({ kind: 'answer', status: nth === 1 || headers['x-retry-run'] === '2' ? 500 : 200 }));
    await submitAll([edited], { is_priority: true, initial_delay: 3_600 });
    await submitNew(service.baseUrl, httpTask(receiver.url('/fails'), { id: retried, is_priority: true, max_retries: 1 }));
    receiver.on('/parks', ({ headers }) => ({ kind: 'answer', status: headers['x-retry-run'] === '1' ? 400 : 200 }));
    await submitNew(service.baseUrl, httpTask(receiver.url('/parks'), { id: parked, is_priority: true, on_exhausted: 'park' }));
    await storeAsBefore([edited, retried, parked]);
    await service.startWorker();
    await waitForState(service.baseUrl, retried, 'delivered');
    await waitForState(service.baseUrl, parked, 'parked');
    expect((await retryNow(service.baseUrl, parked)).status).to.equal(202);
    await waitForState(service.baseUrl, parked, 'delivered');
    const patch = (body: object): ReturnType<typeof call> => call(service.baseUrl, `/tasks/${edited}`, { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
    expect((await patch({ max_retries: 2 })).status).to.equal(200);
    expect(await service.redis.hget(shard.keys.job(edited), jobField.priority), 'one that was changed in other ways keeps its place').to.equal('0');
    expect((await patch({ is_priority: false })).body).to.include({ is_priority: false });
    expect((await patch({ is_priority: true })).body).to.include({ is_priority: true });
    await retryNow(service.baseUrl, edited);
    await waitForState(service.baseUrl, edited, 'delivered');
  });
});

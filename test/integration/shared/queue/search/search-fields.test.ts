import { expect } from 'chai';

import type { Task } from '../../../../../shared/domain/task/task.js';
import { unpackFailureFields, type FailureFields } from '../../../../../shared/queue/search/failure-fields.js';
import { defaultPathMask } from '../../../../../shared/domain/destinations/path-mask.js';
import { packSearchFields, searchFieldsOf, unpackSearchFieldsLua } from '../../../../../shared/queue/search/search-fields.js';
import type { Shard } from '../../../../../shared/queue/engine/shard.js';
import { eventually } from '../../../../support/eventually.js';
import { jobField } from '../../../../../shared/queue/engine/job-fields.js';
import { createReceiver, type Receiver } from '../../../../support/receiver.js';
import { InProcessService } from '../../../../support/service-in-process.js';
import { domainTask, waitForState } from '../../../../support/tasks.js';

describe('search fields of stored jobs', () => {
  let service: InProcessService;
  let shard: Shard;
  let receiver: Receiver;

  beforeEach(async () => {
    [service, receiver] = await Promise.all([InProcessService.ready(), createReceiver()]);
    const [first] = await service.queue.shards();
    if (first === undefined) throw new Error('no shard');
    shard = first;
    receiver.on('/hook', { kind: 'answer' });
    receiver.on('/down', { kind: 'answer', status: 503 });
    receiver.on('/gone', { kind: 'answer', status: 404 });
    receiver.on('/dead', { kind: 'answer' });
  });
  afterEach(async () => {
    await service.close();
    await receiver.close();
  });

  const startWorker = (): Promise<unknown> => service.startWorker({ circuit: { isOn: false } });
  const stored = (task: Task, field: string): Promise<string | null> => service.redis.hget(shard.keys.job(task.id), field);
  const packed = (task: Task): string | undefined => packSearchFields(searchFieldsOf(task, Buffer.byteLength(task.messageData), defaultPathMask));

  function to(path: string, changes: Partial<Task> = {}): Task {
    return domainTask({
      destination: { type: 'http', url: receiver.url(path) },
      deadDestination: { type: 'http', url: receiver.url('/dead') },
      retryPolicy: { maxRetries: 1, initialDelayMs: 0, baseDelayMs: 1, maxDelayMs: 1_000, jitter: 'none' },
      ...changes,
    });
  }

  async function submit(task: Task): Promise<void> {
    expect(await service.queue.submit(task)).to.include({ kind: 'created' });
  }

  /** Of a task whose `e` must be in step with BullMQ's counter. */
  async function failureOf(task: Task): Promise<FailureFields | undefined> {
    const [field, atm] = await service.redis.hmget(shard.keys.job(task.id), jobField.failure, jobField.attemptsMade);
    if (field === null || field === undefined) return undefined;
    const fields = unpackFailureFields(field);
    expect(String(fields?.attemptsMade)).to.equal(atm);
    return fields;
  }

  it('are written by the script that stores the task, whichever way BullMQ adds it', async () => {
    const kafka = { type: 'kafka', broker: { host: 'Broker-1', port: 9092 }, topic: 'orders', key: undefined, headers: undefined } as const;
    const tasks = [
      to('/hook', { clientId: 'grüße 🚚', source: "it's [a] %source\\", flowKey: 'tenant-7' }),
      to('/hook', { isPriority: true }),
      to('/hook', { retryPolicy: { maxRetries: 1, initialDelayMs: 60_000, baseDelayMs: 1, maxDelayMs: 1_000, jitter: 'none' } }),
      domainTask({ destination: kafka, messageData: 'ü'.repeat(10) }),
    ];
    await Promise.all(tasks.map(submit));
    for (const task of tasks) expect(await stored(task, jobField.search)).to.equal(packed(task)).and.be.a('string');
    expect(await stored(tasks[3] ?? to('/'), jobField.search)).to.equal('1team-a\x1forders\x1fkafka\x1fkafka://broker-1:9092\x1f/orders\x1f\x1f\x1f20');
    const inLua = await service.redis.eval(`${unpackSearchFieldsLua} return unpackSearchFields(redis.call('HGET', KEYS[1], 'w'))`, 1, shard.keys.job(tasks[0]?.id ?? ''));
    expect(inLua, 'a script reads the same').to.deep.equal(['grüße 🚚', "it's [a] %source\\", 'http', receiver.url(''), '/hook', 'tenant-7', '', '11']);
  });

  it('are written anew when a finished task is submitted again, and without its failure', async () => {
    await startWorker();
    const first = to('/gone');
    await submit(first);
    await waitForState(service.baseUrl, first.id, 'dead_lettered');
    expect(await failureOf(first)).to.not.equal(undefined);
    const second = to('/hook', { id: first.id, source: 'another', retryPolicy: { ...first.retryPolicy, initialDelayMs: 60_000 } });
    await submit(second);
    expect(await stored(second, jobField.search)).to.equal(packed(second));
    expect(await stored(second, jobField.failure)).to.equal(null);
  });

  it('stay as they are when the same task is submitted twice', async () => {
    const task = to('/hook');
    await submit(task);
    await service.queue.submit({ ...task, source: 'another' });
    expect(await stored(task, jobField.search)).to.equal(packed(task));
  });

  it('tell of the last failure while a task waits for its retry', async () => {
    await startWorker();
    const task = to('/down', { retryPolicy: { maxRetries: 3, initialDelayMs: 0, baseDelayMs: 60_000, maxDelayMs: 60_000, jitter: 'none' } });
    await submit(task);
    await waitForState(service.baseUrl, task.id, 'retrying');
    expect(await failureOf(task)).to.include({ attemptsMade: 1, phase: 'delivery', attempts: 1, code: 'http_busy', httpStatus: 503, deadReason: undefined });
    await service.queue.cancel(task.id);
    expect(await failureOf(task), 'a cancelled one keeps it').to.include({ code: 'http_busy' });
  });

  it('tell that a task is in its dead phase, and what that came to', async () => {
    let answer = (): void => undefined;
    const held = new Promise<void>((resolve) => { answer = resolve; });
    receiver.on('/dead', (_request, nth) => (nth === 1 ? { kind: 'answer', status: 500, after: held } : { kind: 'answer' }));
    await startWorker();
    const task = to('/down');
    await submit(task);
    // The dead letter is being sent: the transition before it has written the field.
    await eventually(() => expect(receiver.requestsTo('/dead')).to.have.lengthOf(1));
    expect(await failureOf(task)).to.include({ attemptsMade: 2, phase: 'dead', attempts: 2, code: 'http_busy', httpStatus: 503, deadReason: 'retries_exhausted' });
    answer();
    await waitForState(service.baseUrl, task.id, 'dead_lettered');
    expect(await failureOf(task)).to.include({ attemptsMade: 4, phase: 'dead', attempts: 4, code: 'http_server_error', httpStatus: 500, deadReason: 'retries_exhausted' });
  });

  it('tell of the failure of a parked task, until a redrive makes a new run of it', async () => {
    await startWorker();
    const task = to('/gone', { onExhausted: 'park', deadDestination: undefined });
    await submit(task);
    await waitForState(service.baseUrl, task.id, 'parked');
    expect(await failureOf(task)).to.include({ attemptsMade: 2, phase: 'delivery', attempts: 2, code: 'http_client_error', httpStatus: 404, deadReason: 'retries_exhausted' });
    receiver.on('/gone', { kind: 'hang' });
    expect(await service.queue.redrive(task.id)).to.include({ kind: 'redriven' });
    expect(await stored(task, jobField.failure)).to.equal(null);
    expect(await stored(task, jobField.search), 'that of the task stays').to.equal(packed(task));
  });

  it('of a task that was delivered at once hold no failure', async () => {
    await startWorker();
    const task = to('/hook');
    await submit(task);
    await waitForState(service.baseUrl, task.id, 'delivered');
    expect(await stored(task, jobField.failure)).to.equal(null);
    expect(await stored(task, jobField.search)).to.equal(packed(task));
  });
});

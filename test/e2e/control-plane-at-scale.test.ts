import { expect } from 'chai';

import { RetryClient } from '../../client/retry-client.js';
import { profile } from '../chaos/profile.js';
import { askBulkAction, parkTasks, readBulkAction, startBulkAction, waitForBulkAction, waitUntilSettled } from '../support/bulk-actions.js';
import { CommandLine, type Ended } from '../support/command-line.js';
import { fillByCopies, idOfCopy, orderOf } from '../support/copied-tasks.js';
import { eventually } from '../support/eventually.js';
import { KafkaProbe, kafkaTestBroker } from '../support/kafka.js';
import { waitUntilPauseIsKnown } from '../support/known-pause.js';
import { createReceiver, type Receiver } from '../support/receiver.js';
import { InProcessService } from '../support/service-in-process.js';
import { shardKeys } from '../support/shard-keys.js';
import { submitBatch } from '../support/task-pages.js';
import { call, getTask, httpTask, submitNew, uniqueId, waitForState, type WireTask } from '../support/tasks.js';

/** `npm run chaos test/e2e/control-plane-at-scale.test.ts` is the long form. */
const isLong = profile.name === 'long';
const NEEDLE = 'needle';

describe('e2e: many tasks, and one that is looked for', function () {
  this.timeout(isLong ? 900_000 : 60_000);

  /** It stands behind all others in either order: some due before it, some after. */
  const tasks = isLong ? 200_000 : 3_000;
  let service: InProcessService;
  let client: RetryClient;

  before(async () => {
    service = await InProcessService.ready();
    client = new RetryClient({ url: service.baseUrl });
    const task = (changes: Partial<WireTask>): WireTask => httpTask('http://127.0.0.1:9/hook', { initial_delay: 7_200, ...changes });
    const submit = (nth: number): Promise<unknown> => submitNew(service.baseUrl, task({ id: idOfCopy(nth), client_id: 'hay', message_data: `{"order":{"id":${orderOf(nth)}},"padding":"${'x'.repeat(1_000)}"}` }));
    const redis = service.redis;
    if ('nodes' in redis) throw new Error('this test is for one Redis');
    await fillByCopies(redis, { base: shardKeys(service.prefix).base, tasks, clients: 1, apartMs: 0, submit });
    for (const [id, delay] of [[`${NEEDLE}-soon`, 3_600], [`${NEEDLE}-late`, 86_400]] as const) await submitNew(service.baseUrl, task({ id, client_id: NEEDLE, initial_delay: delay, message_data: `{"order":{"id":"${id}"}}` }));
  });
  after(() => service.close());

  const run = (...args: readonly string[]): Promise<Ended> => CommandLine.run([...args, '--output', 'json'], { KAFKA_RETRY_URL: service.baseUrl });
  const needles = [`${NEEDLE}-late`, `${NEEDLE}-soon`];

  for (const q of [`client_id:${NEEDLE}`, `data.order.id:${NEEDLE}*`]) {
    it(`finds all there are by ${q}, however many empty pages come before`, async () => {
      for (const order of ['newest', 'oldest'] as const) {
        const found: string[] = [];
        for await (const { id } of client.list({ q }, { order })) found.push(id);
        expect(found.sort(), order).to.deep.equal(needles);
      }
      expect(await client.count({ q })).to.deep.include({ count: 2, is_exact: true, scanned: tasks + 2 });
      const listed = await run('list', '--q', q);
      expect((JSON.parse(listed.out) as { id: string }[]).map(({ id }) => id).sort(), listed.err).to.deep.equal(needles);
      const exported = await run('export', '--q', q, '--output', 'ndjson');
      expect(exported.out.trimEnd().split('\n').map((line) => (JSON.parse(line) as { submission: { id: string } }).submission.id).sort(), exported.err).to.deep.equal(needles);
    });
  }

  it('counts in a dry run what a filter matches that takes long to match, and starts the action before that is known', async () => {
    const q = `data.order.id:${NEEDLE}*`;
    const dry = await run('cancel', '--q', q, '--dry-run');
    expect(JSON.parse(dry.out), dry.err).to.deep.include({ matched: 2, is_exact: true });
    const asked = { action: 'cancel', filter: { q }, reason: 'test' };
    const beganAt = performance.now();
    const answer = await askBulkAction(service.baseUrl, { ...asked, expected: 2 });
    expect([answer.status, answer.body['state'], answer.body['matched']], 'no worker is there').to.deep.equal([201, 'matching', null]);
    expect(performance.now() - beganAt, 'ms').to.be.below(10_000);
    const worker = await service.startWorker();
    await waitForBulkAction(service.baseUrl, String(answer.body['id']), 'done', { withinMs: 300_000 });
    expect(await readBulkAction(service.baseUrl, String(answer.body['id']))).to.include({ matched: 2, started: 2 });
    await worker.stop(0);
  });
});

describe('e2e: many tasks, and all of them changed', function () {
  this.timeout(isLong ? 900_000 : 60_000);

  const tasks = isLong ? 25_000 : 200;
  let service: InProcessService;
  let receiver: Receiver;

  before(async () => {
    receiver = await createReceiver();
    receiver.on('/refuses', { kind: 'answer', status: 404 });
    service = await InProcessService.ready({ shards: 3 });
  });
  after(async () => {
    await service.close();
    await receiver.close();
  });

  const countOf = async (filter: Readonly<Record<string, string>>): Promise<unknown> => (await call(service.baseUrl, `/counts?${new URLSearchParams(filter).toString()}`)).body['count'];
  const park = async (client: string): Promise<readonly string[]> => {
    const batch = Array.from({ length: tasks }, () => httpTask(receiver.url('/refuses'), { client_id: client, on_exhausted: 'park', max_retries: 0 }));
    await submitBatch(service.baseUrl, batch);
    await eventually(async () => { expect(await countOf({ client_id: client, state: 'parked' })).to.equal(tasks); }, { withinMs: 300_000, everyMs: 500 });
    return batch.map(({ id }) => id);
  };
  const settled = async (body: object): Promise<unknown> => {
    const id = await startBulkAction(service.baseUrl, { reason: 'test', ...body });
    await waitForBulkAction(service.baseUrl, id, 'done', { withinMs: 300_000, everyMs: 250 });
    return readBulkAction(service.baseUrl, id);
  };

  it(`redrives ${tasks} parked tasks by a filter, cancels them, and deletes as many: all, and no others`, async () => {
    const worker = await service.startWorker();
    const others = [await park('stays'), await park('goes'), await park('deleted')] as const;
    expect((await call(service.baseUrl, `/destinations/${encodeURIComponent(receiver.url('/refuses'))}/pause`, { method: 'POST' })).status).to.equal(200);
    expect(await settled({ action: 'redrive', filter: { client_id: 'goes', state: 'parked' }, expected: tasks })).to.deep.include({ matched: tasks, started: tasks, pending: 0 });
    // A worker takes each of them in its hands, and puts it back, since its destination is paused.
    await eventually(async () => { expect(await countOf({ client_id: 'goes', state: 'waiting' })).to.equal(tasks); }, { withinMs: 60_000, everyMs: 250 });
    expect(await settled({ action: 'cancel', filter: { client_id: 'goes', state: 'waiting' }, expected: tasks })).to.deep.include({ matched: tasks, started: tasks });
    await eventually(async () => { expect(await countOf({ client_id: 'goes', state: 'cancelled' })).to.equal(tasks); }, { withinMs: 30_000, everyMs: 250 });
    const named = others[2].slice(0, 10_000);
    expect(await settled({ action: 'delete', ids: named, expected: named.length })).to.deep.include({ matched: named.length, started: named.length });
    const left = tasks - named.length;
    expect(await settled({ action: 'delete', filter: { client_id: 'deleted' }, expected: left })).to.deep.include({ matched: left, started: left });
    expect(await countOf({ client_id: 'deleted' })).to.equal(0);
    await eventually(async () => { expect(await countOf({ client_id: 'stays', state: 'parked' })).to.equal(tasks); }, { withinMs: 30_000, everyMs: 250 });
    await worker.stop(0);
  });
});

describe('e2e: tasks that are started again', function () {
  this.timeout(isLong ? 300_000 : 60_000);

  let service: InProcessService;
  let receiver: Receiver;
  const anna = { 'x-operator': 'Anna' };

  beforeEach(async () => {
    receiver = await createReceiver();
    service = await InProcessService.ready({ dead: { attempts: 3, baseDelayMs: 10, maxDelayMs: 100 } });
  });
  afterEach(async () => {
    await service.close();
    await receiver.close();
  });

  const later = (changes: Partial<WireTask> = {}): WireTask => httpTask(receiver.url('/hook'), { initial_delay: 3_600, ...changes });

  it('are none when further ones have failed since they were counted, by the API and by the command line, --yes included', async () => {
    receiver.on('/fails', { kind: 'answer', status: 404 });
    await service.startWorker();
    const filter = { destination_key: receiver.url('/fails'), state: 'parked' };
    const failing = { isOver: false };
    const ids: string[] = [];
    const stream = (async () => {
      while (!failing.isOver) ids.push(...(await parkTasks(service.baseUrl, receiver.url('/fails'), 5, { max_retries: 0 })));
    })();
    const counted = async (): Promise<number> => Number((await askBulkAction(service.baseUrl, { action: 'redrive', filter, dry_run: true })).body['matched']);
    await eventually(async () => { expect(await counted()).to.be.above(0); }, { withinMs: 20_000 });
    const seen = await counted();
    await eventually(async () => { expect(await counted()).to.be.above(seen); }, { withinMs: 20_000 });
    const shown = await CommandLine.run(['redrive', '--destination', receiver.url('/fails'), '--state', 'parked', '--expected', String(seen), '--yes', '--output', 'json'], { KAFKA_RETRY_URL: service.baseUrl });
    expect(shown.code, shown.err).to.equal(1);
    expect(shown.err).to.match(/expected|match/);
    const id = uniqueId('ba');
    const answer = await askBulkAction(service.baseUrl, { id, action: 'redrive', filter, expected: seen });
    if (answer.status === 201) await waitForBulkAction(service.baseUrl, id, 'refused');
    else expect([answer.status, answer.body['code'], (answer.body['details'] as { matched: number }[])[0]?.matched ?? 0]).to.satisfy(([status, code, matched]: [number, string, number]) => status === 409 && code === 'count_differs' && matched > seen);
    failing.isOver = true;
    await stream;
    for (const task of ids) expect((await getTask(service.baseUrl, task)).run, task).to.equal(1);
  });

  it('come to their own destination and their own dead destination again, HTTP and Kafka, three times, and none is lost', async () => {
    const broker = kafkaTestBroker();
    const probe = new KafkaProbe(broker);
    try {
      const topic = await probe.createTopic();
      await service.startWorker();
      const dead = [
        { dead_destination: { url: receiver.url('/dead-a') } },
        { dead_destination: { url: receiver.url('/dead-b') } },
        { dead_destination_type: 'kafka', dead_destination: { host: broker.host, port: broker.port, topic } },
      ] as const;
      const ids = dead.map(() => [uniqueId('even'), uniqueId('odd')] as const);
      // The odd ones are well from the second round on.
      for (const [nth] of dead.entries()) receiver.on(`/${nth}`, ({ taskId, headers }) => ({ kind: 'answer', status: taskId.startsWith('odd') && headers['x-retry-run'] !== '1' ? 200 : 404 }));
      const all = dead.flatMap((changes, nth) => (ids[nth] ?? []).map((id) => httpTask(receiver.url(`/${nth}`), { id, max_retries: 0, client_id: 'mixed', ...changes })));
      await submitBatch(service.baseUrl, all);
      const stateOf = async (state: string): Promise<string[]> => ((await call(service.baseUrl, `/tasks?client_id=mixed&state=${state}&limit=1000`)).body['tasks'] as { id: string }[]).map(({ id }) => id).sort();
      const evens = ids.map(([even]) => even).sort();
      const odds = ids.map(([, odd]) => odd).sort();
      await eventually(async () => { expect(await stateOf('dead_lettered')).to.deep.equal([...evens, ...odds].sort()); }, { withinMs: 30_000 });
      for (let round = 1; round <= 3; round += 1) {
        await waitUntilSettled(service.baseUrl, await startBulkAction(service.baseUrl, { action: 'redrive', filter: { client_id: 'mixed', state: 'dead_lettered' }, expected: round === 1 ? 6 : 3 }));
        expect([await stateOf('dead_lettered'), await stateOf('delivered')], `round ${round}`).to.deep.equal([evens, odds]);
      }
      for (const [nth, [even, odd]] of ids.entries()) {
        expect(receiver.requestsTo(`/${nth}`).filter(({ taskId }) => taskId === even).map(({ headers }) => headers['x-retry-run'])).to.deep.equal(['1', '2', '3', '4']);
        expect(receiver.requestsTo(`/${nth}`).filter(({ taskId }) => taskId === odd).map(({ headers }) => headers['x-retry-run'])).to.deep.equal(['1', '2']);
      }
      for (const [nth, path] of ['/dead-a', '/dead-b'].entries()) {
        const [even, odd] = ids[nth] ?? [];
        expect(receiver.requestsTo(path).map(({ taskId, headers }) => `${taskId} ${headers['x-retry-run']}`).sort(), path).to.deep.equal([`${even} 1`, `${even} 2`, `${even} 3`, `${even} 4`, `${odd} 1`].sort());
      }
      const messages = await probe.readAtLeast(topic, 5);
      expect(messages.map(({ headers }) => headers['x-retry-run']?.toString()).sort()).to.deep.equal(['1', '1', '2', '3', '4']);
    } finally {
      await probe.close();
    }
  });

  it('with priority come before a backlog that waits for the same destination', async () => {
    const [priority, backlog] = isLong ? [1_000, 50_000] : [40, 800];
    let isDown = true;
    receiver.on('/hook', () => ({ kind: 'answer', status: isDown ? 404 : 200 }));
    await service.startWorker({ concurrency: 20 });
    await submitBatch(service.baseUrl, Array.from({ length: priority }, (_, nth) => httpTask(receiver.url('/hook'), { id: `first-${nth}`, client_id: 'first', is_priority: true, on_exhausted: 'park', max_retries: 0 })));
    const countOf = async (state: string, client: string): Promise<unknown> => (await call(service.baseUrl, `/counts?state=${state}&client_id=${client}`)).body['count'];
    await eventually(async () => { expect(await countOf('parked', 'first')).to.equal(priority); }, { withinMs: 120_000, everyMs: 250 });
    isDown = false;
    const destination = `/destinations/${encodeURIComponent(receiver.url('/hook'))}`;
    await call(service.baseUrl, `${destination}/pause`, { method: 'POST' });
    await waitUntilPauseIsKnown(service.baseUrl, () => httpTask(receiver.url('/hook'), { client_id: 'behind' }));
    await submitBatch(service.baseUrl, Array.from({ length: backlog - 1 }, (_, nth) => httpTask(receiver.url('/hook'), { id: `behind-${nth}`, client_id: 'behind' })));
    await eventually(async () => { expect((await call(service.baseUrl, destination)).body['deferred']).to.equal(backlog); }, { withinMs: 240_000, everyMs: 500 });
    const before = receiver.requests.length;
    await waitForBulkAction(service.baseUrl, await startBulkAction(service.baseUrl, { action: 'redrive', filter: { client_id: 'first', state: 'parked' } }), 'done', { withinMs: 60_000 });
    await eventually(async () => { expect((await call(service.baseUrl, destination)).body['deferred']).to.equal(backlog + priority); }, { withinMs: 120_000, everyMs: 250 });
    await call(service.baseUrl, `${destination}/resume`, { method: 'POST' });
    await eventually(async () => { expect(await countOf('delivered', 'first')).to.equal(priority); }, { withinMs: 120_000, everyMs: 250 });
    const sent = receiver.requests.slice(before).map(({ taskId }) => taskId);
    const last = sent.findLastIndex((id) => id.startsWith('first-'));
    // What was taken before the first of them was woken: a place for each send of the worker, and as many that it has fetched.
    expect(last, 'the last one with priority').to.be.below(priority + 100);
  });

  it('are told of as what a person has asked for: in the action, in the audit and in each of 500 tasks, over restarts of the workers', async () => {
    const tasks = Array.from({ length: 500 }, () => later({ client_id: 'many' }));
    await submitBatch(service.baseUrl, tasks);
    let worker = await service.startWorker();
    const id = await startBulkAction(service.baseUrl, { action: 'cancel', filter: { client_id: 'many' }, expected: 500, rate: 150, reason: 'not needed' }, anna);
    for (const share of [50, 200, 350]) {
      await eventually(async () => { expect((await readBulkAction(service.baseUrl, id)).started).to.be.at.least(share); }, { withinMs: 30_000 });
      await worker.stop(0);
      worker = await service.startWorker();
    }
    const shown = await waitForBulkAction(service.baseUrl, id, 'done');
    expect(shown).to.deep.include({ matched: 500, started: 500 });
    expect(shown.created_by).to.include({ type: 'anonymous', operator: 'Anna' });
    const { entries } = (await call(service.baseUrl, `/audit?target=${id}`)).body as { entries: { action: string; count: number; reason: string; actor: { type: string; operator: string | null } }[] };
    expect(entries.map(({ action, actor, count, reason }) => [action, actor.type, actor.operator, count, reason])).to.deep.equal([['bulk_action.end', 'service', null, 500, 'not needed'], ['bulk_action.create', 'anonymous', 'Anna', 500, 'not needed']]);
    for (let from = 0; from < tasks.length; from += 50) {
      await Promise.all(tasks.slice(from, from + 50).map(async (task) => {
        const { body } = await call(service.baseUrl, `/tasks/${task.id}`);
        expect(body, task.id).to.include({ state: 'cancelled', bulk_action_id: id });
        const [entry] = (body['timeline'] as { kind: string; by: { operator: string } | null }[]).filter(({ kind }) => kind === 'cancelled');
        expect(entry?.by, task.id).to.include({ operator: 'Anna' });
      }));
    }
    expect((await call(service.baseUrl, `/audit?action=cancel`)).body['entries'], 'one entry for all of them').to.deep.equal([]);
  });

  it('name the person after the workers were replaced, and the service only for what it did by itself', async () => {
    receiver.on('/hook', ({ headers }) => ({ kind: 'answer', status: headers['x-retry-run'] === '1' ? 404 : 200 }));
    const worker = await service.startWorker();
    const [id = ''] = await parkTasks(service.baseUrl, receiver.url('/hook'), 1);
    const key = receiver.url('/hook');
    const path = `/destinations/${encodeURIComponent(key)}`;
    expect((await call(service.baseUrl, `${path}/pause`, { method: 'POST', headers: { 'content-type': 'application/json', ...anna }, body: JSON.stringify({ reason: 'they move', until: '+3s' }) })).status).to.equal(200);
    await startBulkAction(service.baseUrl, { action: 'redrive', ids: [id], reason: 'they are back' }, anna);
    await waitForState(service.baseUrl, id, 'scheduled');
    await worker.stop(0);
    await service.startWorker();
    await waitForState(service.baseUrl, id, 'delivered');
    const { timeline } = (await call(service.baseUrl, `/tasks/${id}`)).body as { timeline: { kind: string; by?: { operator: string } }[] };
    expect(timeline.find(({ kind }) => kind === 'redriven')?.by).to.include({ operator: 'Anna' });
    await eventually(async () => {
      const { entries } = (await call(service.baseUrl, `/audit?target=${encodeURIComponent(key)}`)).body as { entries: { action: string; reason: string; actor: { type: string; operator: string | null } }[] };
      expect(entries.map(({ action, reason, actor }) => [action, actor.type, actor.operator, reason])).to.deep.equal([['destination.resume', 'service', null, 'they move'], ['destination.pause', 'anonymous', 'Anna', 'they move']]);
    }, { withinMs: 20_000 });
    expect(service.log).to.match(/"action":"bulk_action.create"[^\n]*"operator":"Anna"/);
  });
});

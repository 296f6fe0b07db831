import { expect } from 'chai';

import { askBulkAction, askUntilRefused, parkTasks, readBulkAction, startBulkAction, submitAll, tellBulkAction, waitForBulkAction, waitUntilSettled } from '../../../support/bulk-actions.js';
import { eventually } from '../../../support/eventually.js';
import { createReceiver, type Receiver } from '../../../support/receiver.js';
import { refusals, RefusingRedis } from '../../../support/refusing-redis.js';
import { monitorRedis } from '../../../support/redis-monitor.js';
import { RedisCluster } from '../../../support/redis-cluster.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { call, cancel, getTask, httpTask, retryNow, submitNew, waitForState } from '../../../support/tasks.js';

const HOUR_S = 3_600;

describe('bulk actions in the workers', () => {
  let service: InProcessService;
  let receiver: Receiver;
  let isDown: boolean;

  beforeEach(async () => {
    isDown = true;
    receiver = await createReceiver();
    // A 4xx says nothing about the receiver as a whole, so no circuit opens.
    receiver.on('/hook', () => ({ kind: 'answer', status: isDown ? 400 : 200 }));
    service = await InProcessService.ready({ shards: 3 });
  });
  afterEach(async () => {
    await service.close();
    await receiver.close();
  });

  const runsOf = (id: string): unknown[] => receiver.requestsFor(id).map(({ headers }) => headers['x-retry-run']);
  const setRate = (id: string, rate: number | null): ReturnType<typeof call> => call(service.baseUrl, `/bulk-actions/${id}`, { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ rate }) });
  const parked = (count: number, changes: Parameters<typeof parkTasks>[3] = {}): Promise<readonly string[]> => parkTasks(service.baseUrl, receiver.url('/hook'), count, changes);

  it('sends 200 parked tasks again, each once, and counts that they were delivered', async () => {
    await service.startWorker();
    const ids = await parked(200);
    isDown = false;
    await service.startWorker();
    const id = await startBulkAction(service.baseUrl, { action: 'redrive', ids, expected: 200, reason: 'the receiver is back' }, { 'x-operator': 'Anna' });
    const shown = await waitUntilSettled(service.baseUrl, id);
    expect(shown).to.deep.include({ state: 'done', matched: 200, started: 200, delivered: 200, failed_again: 0, first_sends: { delivered: 200, failed: 0 } });
    for (const task of ids) expect(runsOf(task), task).to.deep.equal(['1', '2']);
    const { run, timeline } = await getTask(service.baseUrl, ids[0] ?? '');
    expect(run).to.equal(2);
    expect(timeline.find(({ redriven_at: at }) => at !== undefined)).to.deep.include({ bulk_action_id: id, by: { type: 'anonymous', id: null, name: null, operator: 'Anna' } });
    expect(service.log).to.include('"operator action"').and.include('bulk_action.create');
    const { body } = await call(service.baseUrl, `/audit?target=${id}`);
    const entries = body['entries'] as { action: string; actor: { type: string; operator: string | null }; reason: string; count: number }[];
    expect(entries.map(({ action, actor, reason, count }) => [action, actor.type, actor.operator, reason, count])).to.deep.equal([
      ['bulk_action.end', 'service', null, 'the receiver is back', 200],
      ['bulk_action.create', 'anonymous', 'Anna', 'the receiver is back', 200],
    ]);
  }).timeout(60_000);

  it('costs Redis no command while there is none, also when there was one before: workers hear of it with what they ask for anyway', async () => {
    await service.startWorker();
    const task = httpTask(receiver.url('/hook'), { initial_delay: HOUR_S });
    await submitNew(service.baseUrl, task);
    for (const action of ['send_now', 'redrive'] as const) {
      const commands: (readonly string[])[] = [];
      const endMonitor = await monitorRedis((args) => commands.push(args));
      const isOf = ([name = '', , , key = '']: readonly string[], keys: string): boolean => /^evalsha/i.test(name) && key.startsWith(`${service.prefix}:${keys}:`);
      try {
        await eventually(() => {
          const since = commands.slice(commands.findLastIndex((args) => isOf(args, 'bulk')) + 1);
          expect(since.filter((args) => isOf(args, 'flow') && args.includes(`${service.prefix}:bulk:live`)), 'ticks in a row without a further command').to.have.length.above(6);
        }, { withinMs: 20_000 });
      } finally {
        endMonitor();
      }
      isDown = action === 'send_now';
      expect(await waitUntilSettled(service.baseUrl, await startBulkAction(service.baseUrl, { action, ids: [task.id] }))).to.include({ matched: 1, started: 1 });
    }
  }).timeout(60_000);

  it('takes no task that is another one by now, counts an id once that stands twice, and says why it left others', async () => {
    await service.startWorker();
    const [first = '', second = '', third = ''] = await parked(3);
    isDown = false;
    await retryNow(service.baseUrl, second);
    await waitForState(service.baseUrl, second, 'delivered');
    receiver.on('/slow', { kind: 'hang' });
    const held = httpTask(receiver.url('/slow'));
    await submitNew(service.baseUrl, held);
    await receiver.waitForRequests(1, { path: '/slow' });
    const id = await startBulkAction(service.baseUrl, { action: 'redrive', ids: [first, first, second, third, 'nobody', held.id] });
    const shown = await waitUntilSettled(service.baseUrl, id);
    expect(shown).to.deep.include({ matched: 5, started: 2, delivered: 2, skipped: { changed: 1, gone: 1, being_sent: 1, over_limit: 0 } });
    expect(receiver.requestsFor(second), 'it was delivered before').to.have.lengthOf(2);
  }).timeout(30_000);

  it('starts no task twice when two actions overlap', async () => {
    await service.startWorker();
    const ids = await parked(150);
    isDown = false;
    const [one, two] = await Promise.all([ids.slice(0, 100), ids.slice(50)].map((part) => startBulkAction(service.baseUrl, { action: 'redrive', ids: part })));
    const [first, second] = await Promise.all([waitUntilSettled(service.baseUrl, one ?? ''), waitUntilSettled(service.baseUrl, two ?? '')]);
    expect([first.matched, second.matched]).to.deep.equal([100, 100]);
    expect(first.started + second.started).to.equal(150);
    // While the first one's send is under way, a task is skipped as being sent; behind it, as changed.
    const skipped = [first, second].map(({ skipped: { changed, being_sent: beingSent } }) => changed + beingSent);
    expect(skipped.reduce((sum, count) => sum + count, 0)).to.equal(50);
    for (const id of ids) expect(runsOf(id), id).to.deep.equal(['1', '2']);
  }).timeout(60_000);

  it('sends each task once more, though the first ones are dead again before the last ones start, and pauses itself as failing', async () => {
    await service.startWorker();
    const ids = await parked(60);
    // Slow enough that tasks are left when it is judged, however late that is.
    const id = await startBulkAction(service.baseUrl, { action: 'redrive', ids, rate: 10 });
    const paused = await waitForBulkAction(service.baseUrl, id, 'paused');
    expect(paused.state_reason?.code).to.equal('failing');
    expect((await setRate(id, null)).status).to.equal(200);
    expect(paused.pending, 'it has not gone through all of them').to.be.greaterThan(0);
    expect(service.log).to.match(/"bulk action".*failing/);
    // However often it pauses itself and is resumed.
    await eventually(
      async () => {
        const { state } = await readBulkAction(service.baseUrl, id);
        if (state === 'paused') expect((await tellBulkAction(service.baseUrl, id, 'resume')).status).to.equal(200);
        expect(state).to.equal('done');
      },
      { withinMs: 40_000, everyMs: 100 },
    );
    const shown = await waitUntilSettled(service.baseUrl, id);
    expect(shown).to.deep.include({ matched: 60, started: 60, failed_again: 60, delivered: 0, first_sends: { delivered: 0, failed: 60 } });
    for (const task of ids) expect(receiver.requestsFor(task)).to.have.lengthOf(2);
  }).timeout(90_000);

  it('gives a redriven task all its retries, counts from zero, and its own dead destination', async () => {
    const seen = new Map<string, number>();
    receiver.on('/flaky', ({ taskId, headers }) => {
      if (headers['x-retry-run'] === '1') return { kind: 'answer', status: 400 };
      seen.set(taskId, (seen.get(taskId) ?? 0) + 1);
      return { kind: 'answer', status: seen.get(taskId) === 1 ? 400 : 200 };
    });
    await service.startWorker();
    const task = (dead: string): ReturnType<typeof httpTask> => httpTask(receiver.url('/flaky'), { max_retries: 1, is_priority: true, flow_key: 'tenant-7', dead_destination: { url: receiver.url(dead) } });
    const tasks = [task('/dead-a'), task('/dead-b')];
    await submitAll(service.baseUrl, tasks);
    for (const { id } of tasks) await waitForState(service.baseUrl, id, 'dead_lettered');
    const ids = tasks.map(({ id }) => id);
    const well = await waitUntilSettled(service.baseUrl, await startBulkAction(service.baseUrl, { action: 'redrive', ids }));
    expect(well).to.deep.include({ delivered: 2, first_sends: { delivered: 0, failed: 2 } });
    for (const { id } of tasks) {
      const requests = receiver.requestsFor(id).filter(({ path }) => path === '/flaky');
      expect(requests.map(({ headers, key }) => [headers['x-retry-run'], key])).to.deep.equal([['1', `${id}|0`], ['1', `${id}|1`], ['2', `${id}|0`], ['2', `${id}|1`]]);
      expect(new Set(requests.map(({ body }) => body.toString())).size).to.equal(1);
    }
    for (const path of ['/dead-a', '/dead-b']) expect(receiver.requestsTo(path)).to.have.lengthOf(1);
  }).timeout(30_000);

  it('brings a task that fails again to its own dead destination again, and counts it as failed again', async () => {
    await service.startWorker();
    const tasks = ['/dead-a', '/dead-b'].map((dead) => httpTask(receiver.url('/hook'), { dead_destination: { url: receiver.url(dead) } }));
    await submitAll(service.baseUrl, tasks);
    for (const { id } of tasks) await waitForState(service.baseUrl, id, 'dead_lettered');
    for (const round of [2, 3]) {
      const shown = await waitUntilSettled(service.baseUrl, await startBulkAction(service.baseUrl, { action: 'redrive', ids: tasks.map(({ id }) => id) }));
      expect(shown).to.deep.include({ started: 2, failed_again: 2, first_sends: { delivered: 0, failed: 2 } });
      for (const path of ['/dead-a', '/dead-b']) expect(receiver.requestsTo(path)).to.have.lengthOf(round);
    }
  }).timeout(30_000);

  it('makes waiting tasks due, the same attempt, and an idle worker wakes', async () => {
    isDown = false;
    await service.startWorker();
    const tasks = Array.from({ length: 30 }, (_, nth) => httpTask(receiver.url('/hook'), { initial_delay: HOUR_S, is_priority: nth % 2 === 0 }));
    await submitAll(service.baseUrl, tasks);
    const shown = await waitUntilSettled(service.baseUrl, await startBulkAction(service.baseUrl, { action: 'send_now', ids: tasks.map(({ id }) => id) }));
    expect(shown).to.deep.include({ state: 'done', started: 30, in_progress: 0, delivered: 0 });
    for (const { id } of tasks) {
      const { run } = await waitForState(service.baseUrl, id, 'delivered');
      expect(run).to.equal(1);
    }
  }).timeout(30_000);

  it('cancels what waits, and says in each task who did it', async () => {
    await service.startWorker();
    const tasks = Array.from({ length: 20 }, () => httpTask(receiver.url('/hook'), { initial_delay: HOUR_S }));
    await submitAll(service.baseUrl, tasks);
    const id = await startBulkAction(service.baseUrl, { action: 'cancel', ids: tasks.map((task) => task.id), expected: 20, reason: 'acme has left' }, { 'x-operator': 'Anna' });
    expect(await waitUntilSettled(service.baseUrl, id)).to.deep.include({ state: 'done', started: 20 });
    const { state, timeline } = await getTask(service.baseUrl, tasks[0]?.id ?? '');
    expect(state).to.equal('cancelled');
    expect(timeline.at(-1)).to.deep.include({ bulk_action_id: id, by: { type: 'anonymous', id: null, name: null, operator: 'Anna' } });
  }).timeout(30_000);

  it('deletes parked tasks alone, and leaves no trace of them', async () => {
    await service.startWorker();
    const [first = '', second = ''] = await parked(2);
    const waiting = httpTask(receiver.url('/hook'), { initial_delay: HOUR_S });
    await submitNew(service.baseUrl, waiting);
    const id = await startBulkAction(service.baseUrl, { action: 'delete', ids: [first, second, waiting.id], expected: 3, reason: 'broken for good' });
    expect(await waitUntilSettled(service.baseUrl, id)).to.deep.include({ started: 2, skipped: { changed: 1, gone: 0, being_sent: 0, over_limit: 0 } });
    for (const task of [first, second]) {
      expect((await call(service.baseUrl, `/tasks/${task}`)).status).to.equal(404);
      await submitNew(service.baseUrl, httpTask(receiver.url('/hook'), { id: task, initial_delay: HOUR_S }));
      expect((await getTask(service.baseUrl, task)).run).to.equal(1);
    }
  }).timeout(30_000);

  it('counts a redriven task that a person cancels', async () => {
    await service.startWorker();
    const [task = ''] = await parked(1, { max_retries: 1, base_delay: 0.05 });
    receiver.on('/hook', { kind: 'answer', status: 503, headers: { 'retry-after': '3600' } });
    const id = await startBulkAction(service.baseUrl, { action: 'redrive', ids: [task] });
    await receiver.waitForRequests(3);
    await eventually(async () => { expect((await cancel(service.baseUrl, task)).status).to.equal(200); });
    expect(await waitUntilSettled(service.baseUrl, id)).to.deep.include({ started: 1, cancelled: 1, in_progress: 0 });
  }).timeout(30_000);

  it('takes the first ones of all shards, where a limit is set', async () => {
    const tasks = Array.from({ length: 20 }, (_, nth) => httpTask(receiver.url('/hook'), { initial_delay: HOUR_S + nth }));
    await submitAll(service.baseUrl, tasks);
    await service.startWorker();
    const ids = tasks.map(({ id }) => id);
    const ask = { action: 'cancel', ids, expected: 20, reason: 'too many', limit: 5 };
    const oldest = await waitUntilSettled(service.baseUrl, await startBulkAction(service.baseUrl, ask));
    expect(oldest).to.deep.include({ matched: 20, started: 5, skipped: { changed: 0, gone: 0, being_sent: 0, over_limit: 15 } });
    await waitUntilSettled(service.baseUrl, await startBulkAction(service.baseUrl, { ...ask, order: 'newest' }));
    const states = await Promise.all(ids.map(async (id) => (await getTask(service.baseUrl, id)).state));
    expect(states).to.deep.equal([...Array<string>(5).fill('cancelled'), ...Array<string>(10).fill('scheduled'), ...Array<string>(5).fill('cancelled')]);
  }).timeout(30_000);

  it('starts nothing any more when a pause is answered, stays paused while its rate is set, and goes on after the resume', async () => {
    await service.startWorker();
    await service.startWorker();
    const ids = await parked(60);
    isDown = false;
    const id = await startBulkAction(service.baseUrl, { action: 'redrive', ids, rate: 4 });
    await eventually(async () => { expect((await readBulkAction(service.baseUrl, id)).started).to.be.greaterThan(0); });
    const answer = await tellBulkAction(service.baseUrl, id, 'pause');
    expect([answer.status, answer.body['state']]).to.deep.equal([200, 'paused']);
    const { started } = answer.body as { started: number };
    const changed = await setRate(id, null);
    expect([changed.status, changed.body['state'], changed.body['rate']]).to.deep.equal([200, 'paused', null]);
    // Another action goes through meanwhile, so the workers have looked again.
    await waitUntilSettled(service.baseUrl, await startBulkAction(service.baseUrl, { action: 'redrive', ids: ['nobody'] }));
    expect((await readBulkAction(service.baseUrl, id)).started).to.equal(started);
    expect((await tellBulkAction(service.baseUrl, id, 'pause')).status, 'it is paused already').to.equal(200);
    expect((await tellBulkAction(service.baseUrl, id, 'resume')).body['state_reason']).to.equal(null);
    expect(await waitUntilSettled(service.baseUrl, id)).to.deep.include({ state: 'done', started: 60, delivered: 60 });
  }).timeout(60_000);

  it('starts nothing any more when a cancellation is answered, and never ends twice', async () => {
    await service.startWorker();
    const ids = await parked(40);
    isDown = false;
    const id = await startBulkAction(service.baseUrl, { action: 'redrive', ids, rate: 2 });
    await eventually(async () => { expect((await readBulkAction(service.baseUrl, id)).started).to.be.greaterThan(0); });
    const answer = await tellBulkAction(service.baseUrl, id, 'cancel');
    const { started } = answer.body as { started: number };
    expect([answer.status, answer.body['state']]).to.deep.equal([200, 'cancelled']);
    const shown = await waitUntilSettled(service.baseUrl, id);
    expect(shown).to.deep.include({ state: 'cancelled', started, delivered: started, pending: 40 - started });
    expect((await tellBulkAction(service.baseUrl, id, 'cancel')).status).to.equal(200);
    for (const verb of ['pause', 'resume'] as const) {
      const refused = await tellBulkAction(service.baseUrl, id, verb);
      expect([refused.status, refused.body['code']]).to.deep.equal([409, 'finished']);
    }
  }).timeout(60_000);

  it('keeps its rate, whatever the number of workers', async () => {
    isDown = false;
    const tasks = Array.from({ length: 150 }, () => httpTask(receiver.url('/hook'), { initial_delay: HOUR_S }));
    await submitAll(service.baseUrl, tasks);
    for (let workers = 0; workers < 3; workers += 1) await service.startWorker();
    const id = await startBulkAction(service.baseUrl, { action: 'send_now', ids: tasks.map((task) => task.id), rate: 50 });
    const { matched_at: from, done_at: to } = await waitForBulkAction(service.baseUrl, id, 'done');
    const seconds = (Date.parse(to ?? '') - Date.parse(from ?? '')) / 1_000;
    // 150 at 50/s are 3 s. A crowded machine may be slower, never much faster.
    expect(seconds).to.be.greaterThan(2.4);
  }).timeout(60_000);

  it('pauses itself when the circuit of its only destination opens, and goes on when it is resumed', async () => {
    await service.startWorker({ circuit: { failuresInARow: 5, baseCoolMs: 200, maxCoolMs: 200 } });
    const ids = await parked(30);
    receiver.on('/hook', () => (isDown ? { kind: 'break', when: 'before_headers' } : { kind: 'answer' }));
    const id = await startBulkAction(service.baseUrl, { action: 'redrive', ids, rate: 6 });
    const paused = await waitForBulkAction(service.baseUrl, id, 'paused');
    expect(paused.state_reason?.code).to.be.oneOf(['circuit_open', 'failing']);
    isDown = false;
    expect((await setRate(id, null)).status).to.equal(200);
    await eventually(
      async () => {
        if ((await readBulkAction(service.baseUrl, id)).state === 'paused') await tellBulkAction(service.baseUrl, id, 'resume');
        expect((await readBulkAction(service.baseUrl, id)).state).to.equal('done');
      },
      { withinMs: 30_000, everyMs: 200 },
    );
    expect((await waitUntilSettled(service.baseUrl, id)).started).to.equal(30);
  }).timeout(90_000);

  describe('by a filter', () => {
    const ofClient = (client: string): ReturnType<typeof parked> => parked(20, { client_id: client });

    it('take what the dry run and the list show, over several pages and shards, and nothing else', async () => {
      await service.startWorker();
      const [mine] = await Promise.all([parked(200, { client_id: 'acme' }), ofClient('acme,b')]);
      await submitNew(service.baseUrl, httpTask(receiver.url('/hook'), { client_id: 'acme', initial_delay: HOUR_S }));
      isDown = false;
      const filter = { client_id: ['acme'] };
      const dry = await askBulkAction(service.baseUrl, { action: 'redrive', filter, dry_run: true });
      expect([dry.status, dry.body['matched'], dry.body['is_exact'], dry.body['next_cursor']]).to.deep.equal([200, 200, true, null]);
      expect(dry.body['by_error_code']).to.deep.equal([{ value: 'http_client_error', count: 200 }]);
      expect(dry.body['by_destination_key']).to.deep.equal([{ value: receiver.url('/hook'), count: 200 }]);
      expect(dry.body['samples']).to.have.lengthOf(10);
      const listed = await call(service.baseUrl, '/tasks?client_id="acme"&state=parked&limit=1000');
      expect(new Set((listed.body['tasks'] as { id: string }[]).map(({ id }) => id))).to.deep.equal(new Set(mine));
      const id = await startBulkAction(service.baseUrl, { action: 'redrive', filter, expected: 200 });
      expect(await waitUntilSettled(service.baseUrl, id)).to.deep.include({ state: 'done', matched: 200, started: 200, delivered: 200 });
      const changed = await call(service.baseUrl, `/tasks?bulk_action_id=${id}&limit=1000`);
      expect(new Set((changed.body['tasks'] as { id: string }[]).map((task) => task.id))).to.deep.equal(new Set(mine));
      expect((await call(service.baseUrl, '/counts?state=parked')).body['count']).to.equal(20);
    }).timeout(60_000);

    it('can be found again by the action that changed them last', async () => {
      await service.startWorker();
      await parked(12);
      const first = await startBulkAction(service.baseUrl, { action: 'redrive', filter: { state: 'parked' } });
      const { state, failed_again: failedAgain } = await eventually(async () => {
        const shown = await readBulkAction(service.baseUrl, first);
        if (shown.state === 'paused') await tellBulkAction(service.baseUrl, first, 'resume');
        expect(shown.settled_at).to.be.a('string');
        return shown;
      }, { withinMs: 20_000 });
      expect([state, failedAgain]).to.deep.equal(['done', 12]);
      expect((await call(service.baseUrl, `/counts?bulk_action_id=${first}&state=parked,dead_lettered`)).body['count']).to.equal(12);
      isDown = false;
      const [one = '', two = ''] = ((await call(service.baseUrl, '/tasks?state=parked&limit=2')).body['tasks'] as { id: string }[]).map(({ id }) => id);
      await waitUntilSettled(service.baseUrl, await startBulkAction(service.baseUrl, { action: 'redrive', ids: [one, two] }));
      expect((await readBulkAction(service.baseUrl, first)).failed_again, 'the second action does not rewrite the first').to.equal(12);
    }).timeout(60_000);

    it('cancel waiting tasks, due ones too, and fix their times when they are asked for', async () => {
      const tasks = Array.from({ length: 30 }, (_, nth) => httpTask(receiver.url('/hook'), { initial_delay: nth < 10 ? 0 : HOUR_S, is_priority: nth % 3 === 0 }));
      await call(service.baseUrl, '/destinations/*/pause', { method: 'POST' });
      await submitAll(service.baseUrl, tasks);
      await service.startWorker();
      // A worker looks at a due task before it defers it, and meanwhile no action takes it.
      await Promise.all(tasks.slice(0, 10).map(({ id }) => eventually(async () => { expect((await getTask(service.baseUrl, id)).waiting_for).to.deep.include({ code: 'paused' }); })));
      const ask = { action: 'cancel', filter: { q: 'state:waiting created_at:>-1h' }, reason: 'acme has left' };
      const dry = await askBulkAction(service.baseUrl, { ...ask, dry_run: true });
      expect(dry.body['matched']).to.equal(30);
      const shown = await waitUntilSettled(service.baseUrl, await startBulkAction(service.baseUrl, { ...ask, expected: 30 }));
      expect(shown).to.deep.include({ matched: 30, started: 30 });
    }).timeout(60_000);
  });

  it('touches nothing when another number matches than expected, and keeps nothing of it', async () => {
    await service.startWorker();
    const ids = await parked(3);
    const { id, answer } = await askUntilRefused(service.baseUrl, { action: 'redrive', ids, expected: 2 });
    expect(answer.body['details']).to.deep.equal([{ field: 'expected', message: 'expected 2 tasks, and 3 match; none was touched', matched: 3 }]);
    for (const task of ids) expect((await getTask(service.baseUrl, task)).state).to.equal('parked');
    expect((await call(service.baseUrl, `/bulk-actions/${id}`)).status).to.equal(404);
  }).timeout(30_000);
});

describe('bulk actions while Redis refuses writes', () => {
  let redis: RefusingRedis;
  let service: InProcessService;
  let receiver: Receiver;

  beforeEach(async () => {
    redis = await RefusingRedis.start();
    receiver = await createReceiver();
    service = await InProcessService.ready({ redis: redis.redis.address });
  });
  afterEach(async () => {
    await service.close();
    await receiver.close();
    await redis.close();
  });

  it('wait, and then go on: no task is forgotten, and none starts twice', async () => {
    receiver.on('/hook', ({ headers }) => ({ kind: 'answer', status: headers['x-retry-run'] === '1' ? 400 : 200 }));
    await service.startWorker();
    const ids = await parkTasks(service.baseUrl, receiver.url('/hook'), 40);
    const id = await startBulkAction(service.baseUrl, { action: 'redrive', ids, rate: 4 });
    await eventually(async () => { expect((await readBulkAction(service.baseUrl, id)).started).to.be.greaterThan(0); });
    await refusals.readOnly.begin(redis.admin);
    await eventually(() => { expect(service.log).to.include('bulk actions: cannot go on now'); }, { withinMs: 10_000 });
    // After a READONLY connections are made anew, and a call that meets this is 503.
    const shown = await eventually(() => readBulkAction(service.baseUrl, id));
    expect(shown).to.deep.include({ state: 'running', matched: 40 });
    await refusals.readOnly.end(redis.admin);
    await eventually(async () => { expect((await call(service.baseUrl, `/bulk-actions/${id}`, { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: '{"rate":null}' })).status).to.equal(200); });
    expect(await waitUntilSettled(service.baseUrl, id)).to.deep.include({ state: 'done', started: 40, delivered: 40 });
    for (const task of ids) expect(new Set(receiver.requestsFor(task).map(({ headers }) => headers['x-retry-run'])).size).to.equal(2);
  }).timeout(90_000);
});

describe('bulk actions on a Redis Cluster', () => {
  let cluster: RedisCluster;
  let service: InProcessService;
  let receiver: Receiver;

  beforeEach(async () => {
    cluster = await RedisCluster.start({ masters: 3, replicas: 0 });
    receiver = await createReceiver();
    service = await InProcessService.ready({ shards: 6, redis: { mode: 'cluster', nodes: cluster.nodes.map(({ address }) => address), username: undefined, password: undefined, tls: false } });
  });
  afterEach(async () => {
    await service.close();
    await receiver.close();
    await cluster.close();
  });

  it('are carried out in every shard, with a limit over all of them', async () => {
    receiver.on('/hook', ({ headers }) => ({ kind: 'answer', status: headers['x-retry-run'] === '1' ? 400 : 200 }));
    await service.startWorker();
    const ids = await parkTasks(service.baseUrl, receiver.url('/hook'), 60);
    const id = await startBulkAction(service.baseUrl, { action: 'redrive', ids, limit: 50, rate: 500 });
    expect(await waitUntilSettled(service.baseUrl, id)).to.deep.include({ state: 'done', matched: 60, started: 50, delivered: 50, skipped: { changed: 0, gone: 0, being_sent: 0, over_limit: 10 } });
    const deleted = await startBulkAction(service.baseUrl, { action: 'delete', ids, expected: 60, reason: 'the rest is not needed' });
    expect(await waitUntilSettled(service.baseUrl, deleted)).to.deep.include({ started: 10, skipped: { changed: 50, gone: 0, being_sent: 0, over_limit: 0 } });
  }).timeout(90_000);
});

import { expect } from 'chai';

import { queueName, shardOf } from '../../shared/queue/names.js';
import { startBulkAction, waitForBulkAction } from '../support/bulk-actions.js';
import { eventually } from '../support/eventually.js';
import { idInShard } from '../support/id-in-shard.js';
import { waitUntilPauseIsKnown } from '../support/known-pause.js';
import { createReceiver, type Receiver } from '../support/receiver.js';
import { InProcessService } from '../support/service-in-process.js';
import { call, cancel, getTask, httpTask, retryNow, submit, submitNew, uniqueId, waitForState, type Answer, type WireTask } from '../support/tasks.js';
import { topologies, type Topology } from './topologies.js';

const SHARDS = 16;
const WORKERS = 2;
/** More than the cases have that are not about circuits. */
const FAILURES_IN_A_ROW = 40;

/** What a case is about: the service on one topology, and a receiver of the case's own. */
interface Place {
  readonly baseUrl: string;
  readonly receiver: Receiver;
}

const json = (method: string, body: unknown): RequestInit => ({ method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });

/** One task for each shard. */
function overAll({ receiver }: Place, path: string, changes: Partial<WireTask> = {}): WireTask[] {
  return Array.from({ length: SHARDS }, (_, shard) => httpTask(receiver.url(path), { id: idInShard(shard, SHARDS), dead_destination: { url: receiver.url('/dead') }, ...changes }));
}

async function submitAll({ baseUrl }: Place, tasks: readonly WireTask[]): Promise<void> {
  await Promise.all(tasks.map((task) => submitNew(baseUrl, task)));
}

const idsOf = (tasks: readonly { readonly id: string }[]): string[] => tasks.map(({ id }) => id).sort();
const arrived = ({ receiver }: Place, path: string): string[] => receiver.requestsTo(path).map(({ taskId }) => taskId).sort();

async function allAre({ baseUrl }: Place, tasks: readonly WireTask[], state: Parameters<typeof waitForState>[2]): Promise<void> {
  await Promise.all(tasks.map(({ id }) => waitForState(baseUrl, id, state)));
}

/** A change to the destination that has this path. */
async function change({ baseUrl, receiver }: Place, path: string, method: string, action = '', body?: unknown): Promise<Answer> {
  const answer = await call(baseUrl, `/destinations/${encodeURIComponent(receiver.url(path))}${action}`, body === undefined ? { method } : json(method, body));
  expect(answer.status, JSON.stringify(answer.body)).to.equal(200);
  return answer;
}

/** The same on every topology. */
const cases: Readonly<Record<string, (place: Place) => Promise<void>>> = {
  'submits to each shard, and delivers over HTTP with key and bytes as they came': async (place) => {
    const tasks = overAll(place, '/hook', { message_data: '{"order": 1.0}' });
    await submitAll(place, tasks);
    await allAre(place, tasks, 'delivered');
    const requests = place.receiver.requestsTo('/hook');
    expect(requests.map(({ key, body }) => `${key} ${body.toString()}`).sort()).to.deep.equal(tasks.map(({ id }) => `${id}|0 {"order": 1.0}`).sort());
  },
  'takes a batch over all shards, and each id once': async (place) => {
    const tasks = overAll(place, '/hook');
    const [first, second] = tasks;
    const batch = [...tasks, first, { ...second, message_data: 'another' }];
    const { status, body } = await call(place.baseUrl, '/tasks/batch', json('POST', batch));
    expect([status, (body['results'] as { status: number }[]).map((result) => result.status)]).to.deep.equal([207, [...tasks.map(() => 201), 200, 409]]);
    await allAre(place, tasks, 'delivered');
    expect(arrived(place, '/hook')).to.deep.equal(idsOf(tasks));
  },
  'knows a repeated id as the same task, and refuses it with another content': async (place) => {
    const tasks = overAll(place, '/hook', { initial_delay: 3_600 });
    await submitAll(place, tasks);
    const again = await Promise.all(tasks.map((task) => submit(place.baseUrl, task)));
    expect(again.map(({ status, body }) => [status, body['is_duplicate']])).to.deep.equal(tasks.map(() => [200, true]));
    const other = await Promise.all(tasks.map((task) => submit(place.baseUrl, { ...task, message_data: 'another' })));
    expect(other.map(({ status }) => status)).to.deep.equal(tasks.map(() => 409));
  },
  'retries, dead-letters with the history, and delivers to the dead destination once': async (place) => {
    place.receiver.on('/hook', { kind: 'answer', status: 500 });
    const tasks = overAll(place, '/hook', { max_retries: 1 });
    await submitAll(place, tasks);
    await allAre(place, tasks, 'dead_lettered');
    expect(place.receiver.requestsTo('/hook').map(({ key }) => key).sort()).to.deep.equal(tasks.flatMap(({ id }) => [`${id}|0`, `${id}|1`]).sort());
    expect(place.receiver.requestsTo('/dead').map(({ key }) => key).sort()).to.deep.equal(tasks.map(({ id }) => `${id}|dead|2`).sort());
  },
  'parks, and redrives the parked tasks of all shards with all their retries': async (place) => {
    let isDown = true;
    place.receiver.on('/hook', () => ({ kind: 'answer', status: isDown ? 500 : 200 }));
    const tasks = overAll(place, '/hook', { on_exhausted: 'park', client_id: uniqueId('client') });
    await submitAll(place, tasks);
    await allAre(place, tasks, 'parked');
    isDown = false;
    const id = await startBulkAction(place.baseUrl, { action: 'redrive', filter: { client_id: tasks[0]?.client_id, state: 'parked' } });
    expect(await waitForBulkAction(place.baseUrl, id, 'done')).to.include({ matched: SHARDS, started: SHARDS });
    await allAre(place, tasks, 'delivered');
    expect(place.receiver.requestsTo('/hook').map(({ taskId }) => taskId).sort()).to.deep.equal(tasks.flatMap(({ id: task }) => [task, task]).sort());
  },
  'cancels what waits, and sends what is made due': async (place) => {
    const tasks = overAll(place, '/hook', { initial_delay: 3_600 });
    await submitAll(place, tasks);
    const [cancelled, hurried] = [tasks.filter((_, nth) => nth % 2 === 0), tasks.filter((_, nth) => nth % 2 === 1)];
    expect((await Promise.all(cancelled.map(({ id }) => cancel(place.baseUrl, id)))).map(({ status }) => status)).to.deep.equal(cancelled.map(() => 200));
    expect((await Promise.all(hurried.map(({ id }) => retryNow(place.baseUrl, id)))).map(({ status }) => status)).to.deep.equal(hurried.map(() => 202));
    await allAre(place, cancelled, 'cancelled');
    await allAre(place, hurried, 'delivered');
    expect(arrived(place, '/hook')).to.deep.equal(idsOf(hurried));
  },
  'pauses over the fleet, and after that keeps a limit over all shards and workers, and takes priority tasks first': async (place) => {
    place.receiver.on('/hook', { kind: 'answer', delayMs: 5 });
    await change(place, '/hook', 'POST', '/pause');
    const probe = await waitUntilPauseIsKnown(place.baseUrl, () => httpTask(place.receiver.url('/hook')));
    const before = arrived(place, '/hook').length;
    // A worker that knows of the resume knows of the limit: it was set before.
    await change(place, '/hook', 'PUT', '', { max_concurrency: 2 });
    const inOneShard = (count: number, changes: Partial<WireTask>): WireTask[] => Array.from({ length: count }, () => httpTask(place.receiver.url('/hook'), { id: idInShard(shardOf(probe.id, SHARDS), SHARDS), ...changes }));
    // By then the other worker knows of the pause as well: each asks five times a second.
    const soon = { initial_delay: 1 };
    const [others, normal, urgent] = [overAll(place, '/hook', soon), inOneShard(10, soon), inOneShard(2, { ...soon, is_priority: true })];
    for (const each of [others, normal, urgent]) await submitAll(place, each);
    const held = [...others, ...normal, ...urgent];
    await eventually(async () => {
      const codes = await Promise.all(held.map(async ({ id }) => (await getTask(place.baseUrl, id)).waiting_for?.code));
      expect(codes).to.deep.equal(held.map(() => 'paused'));
    }, { everyMs: 200 });
    expect(arrived(place, '/hook')).to.have.lengthOf(before);
    await change(place, '/hook', 'POST', '/resume');
    await allAre(place, [probe, ...held], 'delivered');
    expect(place.receiver.maxInFlight, 'at once').to.be.at.most(2);
    const ofShard = place.receiver.requestsTo('/hook').map(({ taskId }) => taskId).filter((id) => [...normal, ...urgent].some((task) => task.id === id));
    expect(ofShard).to.have.lengthOf(12);
    for (const { id } of urgent) expect(ofShard.indexOf(id), 'among those of its shard').to.be.below(6);
  },
  'opens one circuit for all shards, and closes it when told': async (place) => {
    let isDown = true;
    place.receiver.on('/hook', () => ({ kind: 'answer', status: isDown ? 500 : 200 }));
    const tasks = overAll(place, '/hook', { max_retries: 100, base_delay: 0.05, max_delay: 0.05 });
    await submitAll(place, tasks);
    await eventually(async () => {
      const { body } = await change(place, '/hook', 'GET');
      expect([(body['circuit'] as { state: string }).state, body['deferred']]).to.deep.equal(['open', SHARDS]);
    }, { withinMs: 20_000 });
    const codes = await Promise.all(tasks.map(async ({ id }) => (await getTask(place.baseUrl, id)).waiting_for?.code));
    expect(new Set(codes)).to.deep.equal(new Set(['circuit_open']));
    isDown = false;
    await change(place, '/hook', 'POST', '/resume');
    await allAre(place, tasks, 'delivered');
  },
  'finds and counts over all shards': async (place) => {
    const tasks = overAll(place, '/hook', { initial_delay: 3_600, client_id: uniqueId('client') });
    await submitAll(place, tasks);
    const filter = `client_id=${tasks[0]?.client_id}`;
    const { body: list } = await call(place.baseUrl, `/tasks?${filter}`);
    expect([idsOf(list['tasks'] as { id: string }[]), list['is_complete'], list['shards_away']]).to.deep.equal([idsOf(tasks), true, []]);
    expect((await call(place.baseUrl, `/counts?${filter}`)).body).to.include({ count: SHARDS, is_exact: true });
  },
  'shows all queues on the board, and a job of each': async (place) => {
    const tasks = overAll(place, '/hook', { initial_delay: 3_600 });
    await submitAll(place, tasks);
    const board = `${place.baseUrl}/admin/queues/api/queues`;
    const { queues } = (await (await fetch(`${board}?activeQueue=${queueName(0)}&status=delayed&page=1&jobsPerPage=10`)).json()) as { queues: { name: string }[] };
    expect(queues.map(({ name }) => name).sort()).to.deep.equal(Array.from({ length: SHARDS }, (_, shard) => queueName(shard)).sort());
    const shown = await Promise.all(tasks.map(({ id }) => fetch(`${board}/${queueName(shardOf(id, SHARDS))}/t-${id}`)));
    expect(shown.map(({ status }) => status)).to.deep.equal(tasks.map(() => 200));
  },
};

for (const [name, start] of Object.entries(topologies)) {
  describe(`topology: the whole service with 16 queues on ${name}`, function () {
    this.timeout(60_000);
    let topology: Topology;
    let service: InProcessService;
    let receiver: Receiver;

    before(async () => {
      topology = await start();
      service = await InProcessService.ready({ redis: topology.redis, shards: SHARDS, ...(topology.prefix === undefined ? {} : { prefix: topology.prefix }) });
      for (let nth = 0; nth < WORKERS; nth += 1) await service.startWorker({ circuit: { failuresInARow: FAILURES_IN_A_ROW, baseCoolMs: 5_000, maxCoolMs: 60_000 } });
    });
    after(async () => {
      await service.close();
      await topology.close();
    });
    beforeEach(async () => { receiver = await createReceiver(); });
    afterEach(() => receiver.close());

    for (const [sentence, run] of Object.entries(cases)) it(sentence, () => run({ baseUrl: service.baseUrl, receiver }));

    it('is answered with 200 by /readyz and /health, and has been refused nothing by Redis', async () => {
      for (const path of ['/readyz', '/health']) expect((await call(service.baseUrl, path)).status, path).to.equal(200);
      // A search does without it.
      expect(((await topology.refused?.()) ?? []).filter((entry) => !entry.includes('object,sort_ro'))).to.deep.equal([]);
    });
  });
}

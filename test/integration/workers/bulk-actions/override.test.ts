import { expect } from 'chai';

import { askBulkAction, parkTasks, readBulkAction, startBulkAction, submitAll, tellBulkAction, waitForBulkAction, waitUntilSettled } from '../../../support/bulk-actions.js';
import { eventually } from '../../../support/eventually.js';
import { createReceiver, type Receiver } from '../../../support/receiver.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { call, getTask, httpTask, uniqueId, waitForState, type Answer } from '../../../support/tasks.js';

describe('a redrive with an override', () => {
  let service: InProcessService;
  let receiver: Receiver;

  beforeEach(async () => {
    receiver = await createReceiver();
    receiver.on('/old', { kind: 'answer', status: 400 });
    service = await InProcessService.ready({ shards: 3 });
    await service.startWorker();
  });
  afterEach(async () => {
    await service.close();
    await receiver.close();
  });

  const submissionOf = async (id: string): Promise<Answer['body']> => (await call(service.baseUrl, `/tasks/${id}/submission`)).body;

  it('sends each task to the new destination, with its message, history and priority, and with edit 1', async () => {
    const ids = await parkTasks(service.baseUrl, receiver.url('/old'), 30, { is_priority: true, message_data: '{"n":12345678901234567890,"t":"ü"}' });
    const override = { destination: { url: receiver.url('/new') }, max_retries: 7, base_delay: 0.5 };
    const id = await startBulkAction(service.baseUrl, { action: 'redrive', ids, override, reason: 'acme has moved' }, { 'x-operator': 'Anna' });
    expect(await waitUntilSettled(service.baseUrl, id)).to.deep.include({ state: 'done', started: 30, delivered: 30, override, override_errors: [], skipped: { changed: 0, gone: 0, being_sent: 0, over_limit: 0, invalid: 0 } });
    for (const task of ids) {
      const [old, sent, ...more] = receiver.requestsFor(task);
      expect([old?.path, sent?.path, more.length], task).to.deep.equal(['/old', '/new', 0]);
      expect(sent?.body).to.deep.equal(old?.body);
      expect([sent?.headers['x-retry-run'], sent?.headers['x-retry-edit']]).to.deep.equal(['2', '1']);
    }
    const shown = await getTask(service.baseUrl, ids[0] ?? '');
    expect(shown).to.deep.include({ run: 2, edits: 1, destination: override.destination, is_priority: true });
    expect((await submissionOf(ids[0] ?? ''))).to.deep.include({ max_retries: 7, base_delay: 0.5, initial_delay: 0 });
    const by = { type: 'anonymous', id: null, name: null, operator: 'Anna' };
    expect(shown.timeline.map(({ kind }) => kind)).to.deep.equal(['attempt', 'edited', 'redriven', 'attempt']);
    expect(shown.timeline[1]).to.deep.include({ by, edit: 1 });
    expect(shown.timeline[2]).to.deep.include({ by, bulk_action_id: id });
    const { body } = await call(service.baseUrl, `/audit?target=${id}&action=create`);
    const [entry] = body['entries'] as { after: Record<string, string> }[];
    expect(Object.keys(entry?.after ?? {})).to.have.members(['override.destination', 'override.max_retries', 'override.base_delay']);
    expect(JSON.stringify(entry), 'no value stands in the audit').to.not.include('/new');
    expect((await call(service.baseUrl, `/counts?destination_key=${encodeURIComponent(receiver.url('/new'))}`)).body['count']).to.equal(30);
  }).timeout(60_000);

  it('brings a task that fails there, too, to the new dead destination, after all its new retries', async () => {
    receiver.on('/new', { kind: 'answer', status: 400 });
    const task = httpTask(receiver.url('/old'), { dead_destination: { url: receiver.url('/dead-old') } });
    await submitAll(service.baseUrl, [task]);
    await waitForState(service.baseUrl, task.id, 'dead_lettered');
    const override = { destination: { url: receiver.url('/new') }, dead_destination: { url: receiver.url('/dead-new') }, max_retries: 2, base_delay: 0.05 };
    const id = await startBulkAction(service.baseUrl, { action: 'redrive', ids: [task.id], override });
    expect(await waitUntilSettled(service.baseUrl, id)).to.deep.include({ started: 1, failed_again: 1 });
    expect(receiver.requestsFor(task.id).map(({ path }) => path)).to.deep.equal(['/old', '/dead-old', '/new', '/new', '/new', '/dead-new']);
  }).timeout(30_000);

  it('counts the tasks that it does not fit, says which rule one of them breaks, and touches none of them', async () => {
    const fitting = await parkTasks(service.baseUrl, receiver.url('/old'), 5);
    const other = httpTask(receiver.url('/old'), { on_exhausted: 'park', dead_destination_type: 'kafka', dead_destination: { topic: 'dead-letters' } });
    await submitAll(service.baseUrl, [other]);
    await waitForState(service.baseUrl, other.id, 'parked');
    const id = await startBulkAction(service.baseUrl, { action: 'redrive', filter: { state: 'parked' }, override: { dead_destination: { url: receiver.url('/dead') } }, rate: 1_000 });
    await waitForBulkAction(service.baseUrl, id, 'done');
    const shown = await waitUntilSettled(service.baseUrl, id);
    expect(shown).to.deep.include({ matched: 6, started: 5, skipped: { changed: 0, gone: 0, being_sent: 0, over_limit: 0, invalid: 1 } });
    expect(shown.override_errors?.map(({ code, count, task_id: task }) => [code, count, task])).to.deep.equal([['invalid_task', 1, other.id]]);
    expect(shown.override_errors?.[0]?.message).to.match(/^override\.dead_destination\..* \(this task's dead_destination_type is kafka\)$/);
    expect(await getTask(service.baseUrl, other.id)).to.deep.include({ state: 'parked', run: 1, edits: 0, dead_destination: { topic: 'dead-letters' } });
    expect(await getTask(service.baseUrl, fitting[0] ?? '')).to.deep.include({ run: 2, edits: 1 });
  }).timeout(30_000);

  it('leaves the edits of a task that has the wanted values already', async () => {
    const [task = ''] = await parkTasks(service.baseUrl, receiver.url('/old'), 1, { max_retries: 0 });
    receiver.on('/old', { kind: 'answer' });
    await waitUntilSettled(service.baseUrl, await startBulkAction(service.baseUrl, { action: 'redrive', ids: [task], override: { max_retries: 0 } }));
    expect(await getTask(service.baseUrl, task)).to.deep.include({ state: 'delivered', run: 2, edits: 0 });
  }).timeout(30_000);

  it('keeps a password that is *** only where the task goes on to the same origin, and shows none', async () => {
    const login = (path: string, password: string): string => receiver.url(path).replace('://', `://anna:${password}@`);
    const [same = ''] = await parkTasks(service.baseUrl, login('/old', 'geheim'), 1);
    const [without = ''] = await parkTasks(service.baseUrl, receiver.url('/old'), 1);
    const id = await startBulkAction(service.baseUrl, { action: 'redrive', ids: [same, without], override: { destination: { url: login('/new', '***') } } });
    const shown = await waitUntilSettled(service.baseUrl, id);
    expect(shown).to.deep.include({ started: 1, delivered: 1 });
    expect(shown.override_errors?.map(({ task_id: task }) => task)).to.deep.equal([without]);
    expect(receiver.requestsFor(same).at(-1)?.headers['authorization']).to.equal(`Basic ${Buffer.from('anna:geheim').toString('base64')}`);
    const secret = uniqueId('secret');
    const open = await startBulkAction(service.baseUrl, { action: 'redrive', ids: ['nobody'], override: { destination: { url: login('/new', secret) } } });
    expect(JSON.stringify(await waitUntilSettled(service.baseUrl, open))).to.include('***@').and.not.include(secret);
  }).timeout(30_000);

  it('is written only into a task that is still as it was found: an edit meanwhile stays', async () => {
    const ids = await parkTasks(service.baseUrl, receiver.url('/old'), 3);
    // Paused behind its first task, so that the edit comes between finding and turn.
    const id = await startBulkAction(service.baseUrl, { action: 'redrive', ids, rate: 0.001, override: { max_retries: 3 } });
    await eventually(async () => { expect((await readBulkAction(service.baseUrl, id)).started).to.equal(1); });
    await tellBulkAction(service.baseUrl, id, 'pause');
    const runs = await Promise.all(ids.map(async (each) => ({ each, run: (await getTask(service.baseUrl, each)).run })));
    const task = runs.find(({ run }) => run === 1)?.each ?? '';
    const patched = await call(service.baseUrl, `/tasks/${task}`, { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ message_data: 'corrected', destination: { url: receiver.url('/new') } }) });
    expect(patched.status).to.equal(200);
    await call(service.baseUrl, `/bulk-actions/${id}`, { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: '{"rate":null}' });
    await tellBulkAction(service.baseUrl, id, 'resume');
    await waitForState(service.baseUrl, task, 'delivered');
    const shown = await getTask(service.baseUrl, task);
    expect(shown).to.deep.include({ destination: { url: receiver.url('/new') }, edits: 2 });
    expect(await submissionOf(task)).to.deep.include({ max_retries: 3 });
    expect(receiver.requestsFor(task).at(-1)?.body.toString()).to.equal('corrected');
  }).timeout(30_000);

  it('counts a task as unreadable that is never as it was read, since its data is no UTF-8, and goes on', async () => {
    const [broken = '', sound = ''] = await parkTasks(service.baseUrl, receiver.url('/old'), 2, { message_data: 'XYZ' });
    for (const { keys } of await service.queue.shards()) {
      const data = await service.redis.hgetBuffer(keys.job(broken), 'data');
      if (data !== null) await service.redis.hset(keys.job(broken), 'data', Buffer.from(data.toString('latin1').replace('XYZ', 'X\u00ffZ'), 'latin1'));
    }
    const id = await startBulkAction(service.baseUrl, { action: 'redrive', ids: [broken, sound], override: { max_retries: 3 } });
    const shown = await waitForBulkAction(service.baseUrl, id, 'done');
    expect(shown).to.deep.include({ started: 1, skipped: { changed: 0, gone: 0, being_sent: 0, over_limit: 0, invalid: 1 } });
    expect(shown.override_errors?.map(({ code, count, task_id: task }) => [code, count, task])).to.deep.equal([['task_unreadable', 1, broken]]);
    expect(await getTask(service.baseUrl, broken)).to.deep.include({ state: 'parked', run: 1, edits: 0 });
  }).timeout(30_000);

  const refused: readonly (readonly [name: string, body: object, field: string])[] = [
    ['an override of a cancellation', { action: 'cancel', ids: ['a'], expected: 1, reason: 'x', override: { max_retries: 1 } }, 'override'],
    ['an empty override', { action: 'redrive', ids: ['a'], override: {} }, 'override'],
    ['an override that is no object', { action: 'redrive', ids: ['a'], override: [] }, 'override'],
    ['an unknown field', { action: 'redrive', ids: ['a'], override: { max_retry: 1 } }, 'override.max_retry'],
    ['a retry policy, whose name is reserved', { action: 'redrive', ids: ['a'], override: { retry: { max_retries: 1 } } }, 'override.retry'],
    ['a field that may not change', { action: 'redrive', ids: ['a'], override: { message_data: 'x' } }, 'override.message_data'],
    ['a null', { action: 'redrive', ids: ['a'], override: { dead_destination: null } }, 'override.dead_destination'],
    ['too many retries', { action: 'redrive', ids: ['a'], override: { max_retries: 101 } }, 'override.max_retries'],
    ['a base_delay of 0', { action: 'redrive', ids: ['a'], override: { base_delay: 0 } }, 'override.base_delay'],
    ['a url that is none', { action: 'redrive', ids: ['a'], override: { destination: { url: 'ftp://a/' } } }, 'override.destination.url'],
    ['a destination of another type than named', { action: 'redrive', ids: ['a'], override: { destination_type: 'kafka', destination: { url: 'https://a/' } } }, 'override.destination.topic'],
    ['a destination of no type', { action: 'redrive', ids: ['a'], override: { destination: {} } }, 'override.destination.topic'],
    ['an unknown type', { action: 'redrive', ids: ['a'], override: { destination_type: 'smtp', destination: { url: 'https://a/' } } }, 'override.destination_type'],
    ['a type without a destination', { action: 'redrive', ids: ['a'], override: { destination_type: 'kafka' } }, 'override.destination_type'],
    ['a header with *** as its name and an array as its value', { action: 'redrive', ids: ['a'], override: { destination_type: 'kafka', destination: { topic: 'x', headers: { '***': ['***'] } } } }, 'override.destination.headers.***'],
  ];
  for (const [name, body, field] of refused) {
    it(`refuses ${name}, also in a dry run, and keeps nothing`, async () => {
      for (const more of [{}, { dry_run: true }]) {
        const answer = await askBulkAction(service.baseUrl, { ...body, ...more });
        expect([answer.status, answer.body['code']], JSON.stringify(answer.body)).to.deep.equal([400, 'invalid_request']);
        expect((answer.body['details'] as { field: string }[]).map((detail) => detail.field)).to.include(field);
      }
      expect((await call(service.baseUrl, '/bulk-actions')).body['bulk_actions']).to.deep.equal([]);
    });
  }
});

import { expect } from 'chai';

import { parseDestinationRule } from '../../../../shared/domain/addresses/destination-rule.js';
import { refusalReasons, type RefusalReason } from '../../../../shared/domain/refusals/refusal-reason.js';
import { ADMIN_KEY, bearer, callWith, makeKey, WRONG_KEY } from '../../../support/access-keys.js';
import { eventually } from '../../../support/eventually.js';
import { sendRaw } from '../../../support/raw-request.js';
import { CollectedLog, InProcessService } from '../../../support/service-in-process.js';
import { httpTask, uniqueId, type WireTask } from '../../../support/tasks.js';

const reasons = Object.keys(refusalReasons) as RefusalReason[];

describe('a refusal', function () {
  this.timeout(60_000);

  let service: InProcessService;
  let open: InProcessService;
  const log = new CollectedLog();

  before(async () => {
    service = await InProcessService.ready({ bootstrapKey: ADMIN_KEY, log, maxMessageBytes: 1_000, destinationPolicy: { level: 'any', allow: [], deny: [parseDestinationRule('10.0.0.0/8') ?? expect.fail('no rule')] } });
    open = await InProcessService.ready({ log });
  });
  after(async () => {
    await service.close();
    await open.close();
  });

  const taskOf = (client: string, changes: Partial<WireTask> = {}): WireTask => httpTask('https://receiver.example/hook', { client_id: client, initial_delay: 3_600, ...changes });
  const count = (reason: RefusalReason): number => service.refusals.get(reason) ?? NaN;
  const get = async (key: string | undefined, path = '/stats'): Promise<number> => (await fetch(`${service.baseUrl}${path}`, { headers: key === undefined ? {} : bearer(key) })).status;
  const post = async (key: string, body: unknown, path = '/tasks'): Promise<number> => (await callWith(key, service.baseUrl, path, { method: 'POST', body })).status;

  it('counts each reason from the start, so that the first one of its kind is seen', () => {
    expect([...open.refusals.keys()]).to.have.members(reasons);
    expect([...open.refusals.values()].every((each) => each === 0)).to.equal(true);
  });

  it('is counted by its reason, and logged with who and why', async () => {
    const bound = (await makeKey(service.baseUrl, { role: 'operate', client_ids: ['c2'] })).key;
    const reader = (await makeKey(service.baseUrl, { role: 'read' })).key;
    const slow = await makeKey(service.baseUrl, { role: 'read', rate_limit: 0.01 });
    const fullClient = uniqueId('client');
    const full = (await makeKey(service.baseUrl, { role: 'operate', client_ids: [fullClient], quota: 1 })).key;
    const foreign = taskOf('c1');
    await post(ADMIN_KEY, foreign);
    await post(full, taskOf(fullClient));
    await get(slow.key);

    const calls: readonly (readonly [reason: RefusalReason, ask: () => Promise<number>, status: number])[] = [
      ['no_key', () => get(undefined), 401],
      ['malformed_key', () => get('krs_x'), 401],
      ['unknown_key', () => get(WRONG_KEY), 401],
      ['wrong_secret', () => get(`${bound.slice(0, -64)}${'0123456789abcdef'.repeat(4)}`), 401],
      ['role', () => get(reader, '/keys'), 403],
      ['permission', () => get(reader, `/tasks/${foreign.id}/submission`), 403],
      ['bound_key', () => get(bound, '/stats'), 403],
      ['foreign_client', () => post(bound, taskOf('c1')), 403],
      ['foreign_task', () => get(bound, `/tasks/${foreign.id}`), 404],
      ['foreign_task', () => post(bound, {}, `/tasks/${foreign.id}/retry`), 404],
      ['foreign_id', () => post(bound, taskOf('c2', { id: foreign.id })), 409],
      ['address', () => post(ADMIN_KEY, taskOf('c1', { destination: { url: 'http://10.0.0.1/' } })), 400],
      ['size', () => post(ADMIN_KEY, taskOf('c1', { message_data: 'x'.repeat(1_001) })), 413],
      ['rate_limit', () => get(slow.key), 429],
      ['quota', () => post(full, taskOf(fullClient)), 429],
      ['origin', async () => (await sendRaw(service.baseUrl, { method: 'POST', path: '/tasks', headers: { ...bearer(ADMIN_KEY), origin: 'https://evil.example' } })).status, 403],
      ['headers', async () => (await sendRaw(service.baseUrl, { path: '/stats', headers: { x: 'x'.repeat(20_000) } })).status, 431],
    ];
    for (const [reason, ask, status] of calls) {
      const before = count(reason);
      expect(await ask(), reason).to.equal(status);
      await eventually(() => { expect(count(reason), reason).to.equal(before + 1); });
    }
    const batchBefore = count('foreign_client') + count('address');
    await post(bound, [taskOf('c1'), taskOf('c2', { destination: { url: 'http://10.0.0.1/' } }), taskOf('c2')], '/tasks/batch');
    expect(count('foreign_client') + count('address'), 'single tasks of a batch').to.equal(batchBefore + 2);

    // One line at least is written of the first ones of a second.
    for (const [reason, ask] of calls.filter(([each]) => ['foreign_task', 'foreign_id', 'quota', 'address'].includes(each))) {
      await eventually(async () => {
        await ask();
        const line = log.text.split('\n').find((each) => each.includes('request refused') && each.includes(`"why":"${refusalReasons[reason]}"`));
        expect(line, reason).to.match(/"key_id":"\w+"/).and.to.match(/"remote_address":"[^"]+"/);
      });
    }
  });

  it('for another name is counted, too', async () => {
    expect((await sendRaw(open.baseUrl, { path: '/stats', headers: { host: 'rebound.example' } })).status).to.equal(421);
    await eventually(() => { expect(open.refusals.get('host')).to.equal(1); });
    await eventually(() => { expect(log.text).to.match(/"code":"unknown_host"[^\n]*"why":"name of the API"|more requests were refused/); });
  });
});

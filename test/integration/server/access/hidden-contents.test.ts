import { expect } from 'chai';

import { ADMIN_KEY, callWith, makeKey } from '../../../support/access-keys.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { httpTask } from '../../../support/tasks.js';

const TOKEN = 'a1b2c3d4e5f6g7h8i9j0';
const SECRET_VALUE = 'card-4711';
const URL_WITH_ALL = `http://user:hunter2@127.0.0.1:9/hook/${TOKEN}?api_key=query-key#part`;

describe('With access keys, what a task holds', () => {
  let service: InProcessService;
  let reader: string;
  let seer: string;
  let operator: string;
  let taskId: string;
  let actionId: string;

  before(async () => {
    service = await InProcessService.ready({ bootstrapKey: ADMIN_KEY });
    [reader, seer, operator] = (await Promise.all([makeKey(service.baseUrl, { role: 'read' }), makeKey(service.baseUrl, { role: 'read', permissions: ['payload'] }), makeKey(service.baseUrl, { role: 'operate' })])).map(({ key }) => key) as [string, string, string];
    const task = httpTask(URL_WITH_ALL, { initial_delay: 3_600, dead_destination: { url: URL_WITH_ALL }, message_data: JSON.stringify({ card: SECRET_VALUE }) });
    taskId = task.id;
    expect((await as(ADMIN_KEY, '/tasks', { method: 'POST', body: task })).status).to.equal(201);
    const made = await as(ADMIN_KEY, '/bulk-actions', { method: 'POST', body: { action: 'send_now', filter: { 'data.card': SECRET_VALUE, q: `data.card:${SECRET_VALUE}* state:waiting` }, reason: 'a test' } });
    expect(made.status).to.equal(201);
    actionId = String(made.body['id']);
  });
  after(() => service.close());

  const as = (key: string, path: string, init?: Parameters<typeof callWith>[3]) => callWith(key, service.baseUrl, path, init);

  it('is shown as whole urls to a key with the permission payload alone, and their password to nobody', async () => {
    const hidden = { url: `http://***@127.0.0.1:9/hook/*10ee68888777ddca9eee1b40378c22d1?...#...` };
    const whole = { url: URL_WITH_ALL.replace('hunter2', '***') };
    for (const [key, shown] of [[reader, hidden], [operator, hidden], [seer, whole], [ADMIN_KEY, whole]] as const) {
      expect((await as(key, `/tasks/${taskId}`)).body).to.deep.include({ destination: shown, dead_destination: shown });
    }
    for (const path of ['/tasks?state=waiting', '/counts?by=destination_key', '/destinations', '/failures']) {
      for (const key of [reader, seer]) expect(JSON.stringify((await as(key, path)).body), path).to.not.include(TOKEN).and.not.include('hunter2').and.not.include('query-key');
    }
  });

  it('is hidden in the filter of a bulk action from keys without the permission payload', async () => {
    const hidden = { 'data.card': '"***"', q: 'data.card:"***" state:waiting' };
    const whole = { 'data.card': SECRET_VALUE, q: `data.card:${SECRET_VALUE}* state:waiting` };
    for (const [key, filter] of [[reader, hidden], [operator, hidden], [seer, whole], [ADMIN_KEY, whole]] as const) {
      expect((await as(key, `/bulk-actions/${actionId}`)).body['filter']).to.deep.equal(filter);
      expect(((await as(key, '/bulk-actions')).body['bulk_actions'] as { filter: object }[])[0]?.filter).to.deep.equal(filter);
    }
    for (const [method, path, body] of [['POST', '/pause', {}], ['PATCH', '', { rate: 5 }], ['POST', '/resume', {}], ['POST', '/cancel', {}]] as const) {
      expect((await as(operator, `/bulk-actions/${actionId}${path}`, { method, body })).body['filter'], path).to.deep.equal(hidden);
    }
  });

  it('is neither in the audit nor in the log', async () => {
    const audit = JSON.stringify((await as(ADMIN_KEY, '/audit')).body);
    expect(audit).to.include(actionId);
    for (const text of [audit, service.log]) expect(text).to.not.include(SECRET_VALUE).and.not.include(TOKEN).and.not.include('hunter2').and.not.include('query-key');
  });
});

import { expect } from 'chai';

import { eventually } from '../../../support/eventually.js';
import { sendRaw } from '../../../support/raw-request.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { call, httpTask, submitNew, uniqueId } from '../../../support/tasks.js';

describe('who asks for a change, and why', () => {
  const key = encodeURIComponent('http://127.0.0.1:9');
  const changes = ['/tasks/:id/retry', `/destinations/${key}/pause`, `/destinations/${key}/resume`];
  const id = uniqueId();
  let service: InProcessService;

  before(async () => {
    service = await InProcessService.ready();
    await submitNew(service.baseUrl, httpTask('http://127.0.0.1:9/', { id, initial_delay: 3_600 }));
  });
  after(() => service.close());

  const send = (path: string, body: string, type = 'application/json', method = 'POST') => sendRaw(service.baseUrl, { method, path: path.replace(':id', id), headers: { 'content-type': type }, body });

  for (const path of changes) {
    it(`may be left out, or hold a reason: ${path}`, async () => {
      for (const body of ['', '{}', '{"reason":null}', '{"reason":"the receiver is back"}', JSON.stringify({ reason: '\u{1f69a}'.repeat(500) })]) {
        const { status, text } = await send(path, body);
        expect(status, text).to.be.oneOf([200, 202]);
      }
    });

    for (const [body, status, field] of [
      ['{"untl":"2026-11-28T12:00:00Z"}', 400, 'untl'],
      ['{"raeson":"x"}', 400, 'raeson'],
      ['{"reason":""}', 400, 'reason'],
      ['{"reason":1}', 400, 'reason'],
      [JSON.stringify({ reason: 'x'.repeat(501) }), 400, 'reason'],
      ['{"reason":"\\ud800"}', 400, 'reason'],
      ['[]', 400, ''],
      ['"x"', 400, ''],
      ['{', 400, undefined],
      [`{"reason":"${'x'.repeat(70_000)}"}`, 413, undefined],
    ] as const) {
      it(`is refused as ${body.slice(0, 40)}: ${path}`, async () => {
        const { status: seen, text } = await send(path, body);
        const { details } = JSON.parse(text) as { details?: readonly { field: string }[] };
        expect([seen, details?.[0]?.field], text).to.deep.equal([status, field]);
      });
    }

    it(`is refused as a form: ${path}`, async () => {
      expect((await send(path, 'a=b', 'application/x-www-form-urlencoded')).status).to.equal(415);
    });
  }

  for (const path of ['/tasks/:id', `/destinations/${key}`]) {
    it(`is refused with DELETE ${path}, and nothing is changed`, async () => {
      const { status, text } = await send(path, '{}', 'application/json', 'DELETE');
      expect([status, (JSON.parse(text) as { code: string }).code]).to.deep.equal([400, 'invalid_request']);
      expect((await call(service.baseUrl, `/tasks/${id}`)).body['state']).to.equal('scheduled');
    });
  }

  for (const path of ['/tasks/:id/retry', `/destinations/${key}/resume`]) {
    it(`has no end in time: ${path}`, async () => {
      const { status, text } = await send(path, '{"until":"+30m"}');
      expect([status, (JSON.parse(text) as { details: readonly { field: string }[] }).details[0]?.field]).to.deep.equal([400, 'until']);
    });
  }

  const operations = [
    ['POST', '/tasks/:id/retry', ''],
    ['DELETE', '/tasks/none', ''],
    ['PUT', `/destinations/${key}`, '{}'],
    ['DELETE', `/destinations/${key}`, ''],
    ['POST', `/destinations/${key}/pause`, ''],
    ['POST', `/destinations/${key}/resume`, ''],
  ] as const;
  for (const [method, path, body] of operations) {
    it(`may stand in the query, and is refused there by the same rule: ${method} ${path}`, async () => {
      const { status, text } = await send(`${path}?reason=${encodeURIComponent('the receiver is b\u00e4ck')}`, body, 'application/json', method);
      expect(status, text).to.be.oneOf([200, 202, 404]);
      for (const reason of ['', 'x'.repeat(501)]) expect((await send(`${path}?reason=${reason}`, body, 'application/json', method)).status).to.equal(400);
    });

    it(`takes a name that is percent-encoded, and no other: ${method} ${path}`, async () => {
      const sendAs = (operator: string): Promise<{ status: number; text: string }> => sendRaw(service.baseUrl, { method, path: path.replace(':id', id), headers: { 'x-operator': operator, ...(body === '' ? {} : { 'content-type': 'application/json' }) }, ...(body === '' ? {} : { body }) });
      for (const operator of ['anna', 'J%C3%BCrgen%20M.', '%F0%9F%9A%9A'.repeat(100)]) {
        const { status, text } = await sendAs(operator);
        expect(status, text).to.be.oneOf([200, 202, 404]);
      }
      for (const operator of ['', '%20', 'a'.repeat(101), '%', '%C3', '%ED%A0%80', 'a%0Ab', 'J\u00fcrgen', '%F0%9F%9A%9A'.repeat(101)]) {
        const { status, text } = await sendAs(operator);
        const { code, details } = JSON.parse(text) as { code: string; details?: readonly { field: string }[] };
        expect([status, code, details?.[0]?.field], operator).to.deep.equal([400, 'invalid_request', 'X-Operator']);
      }
    });
  }

  it('is refused when the reason stands in the query and in the body', async () => {
    for (const [path, method, body] of [[`/destinations/${key}/pause`, 'POST', '{"reason":"a"}'], [`/destinations/${key}`, 'PUT', '{"rate":1,"reason":"a"}'], ['/tasks/:id/retry', 'POST', '{"reason":"a"}']] as const) {
      const { status, text } = await send(`${path}?reason=b`, body, 'application/json', method);
      expect([status, (JSON.parse(text) as { details: readonly { field: string }[] }).details[0]?.field], path).to.deep.equal([400, 'reason']);
    }
  });

  it('stands in one line of the log for each change, with what it is about', async () => {
    const [task, name] = [uniqueId(), uniqueId('tenant')];
    await submitNew(service.baseUrl, httpTask('http://127.0.0.1:9/', { id: task, initial_delay: 3_600 }));
    const headers = { 'x-operator': 'J%C3%BCrgen%20M.', 'x-request-id': 'req-1' };
    const json = { ...headers, 'content-type': 'application/json' };
    await sendRaw(service.baseUrl, { method: 'PUT', path: `/destinations/${name}`, headers: json, body: '{"rate":1,"reason":"too many 429"}' });
    await sendRaw(service.baseUrl, { method: 'POST', path: `/destinations/${name}/pause?reason=down`, headers });
    await sendRaw(service.baseUrl, { method: 'POST', path: `/destinations/${name}/resume`, headers });
    await sendRaw(service.baseUrl, { method: 'POST', path: `/tasks/${task}/retry`, headers: json, body: '{"reason":"now"}' });
    await sendRaw(service.baseUrl, { method: 'DELETE', path: `/tasks/${task}`, headers });
    await sendRaw(service.baseUrl, { method: 'DELETE', path: `/tasks/${task}`, headers });
    const lines = await eventually(() => {
      const found = service.log
        .split('\n')
        .filter((line) => line.includes('"operator action"'))
        .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>)
        .filter(({ target }) => target === name || target === task);
      expect(found).to.have.lengthOf(6);
      return found;
    });
    for (const line of lines) expect(line).to.include({ level: 'info', operator: 'J\u00fcrgen M.', actor: 'anonymous', request_id: 'req-1' });
    expect(lines.map(({ action, outcome, reason, error_code: code }) => [action, outcome, reason, code])).to.deep.equal([
      ['destination.limits', 'done', 'too many 429', undefined],
      ['destination.pause', 'done', 'down', undefined],
      ['destination.resume', 'done', undefined, undefined],
      ['task.retry', 'done', 'now', undefined],
      ['task.cancel', 'done', undefined, undefined],
      ['task.cancel', 'failed', undefined, 'finished'],
    ]);
    expect(lines.map(({ target_type: type }) => type)).to.deep.equal(['destination', 'destination', 'destination', 'task', 'task', 'task']);
  });

  it('changes nothing when it is refused', async () => {
    await send(`/destinations/${key}/resume`, '');
    await send(`/destinations/${key}/pause`, '{"untl":"2026-11-28T12:00:00Z"}');
    await send(`/destinations/${key}/pause?reason=a`, '{"reason":"b"}');
    expect((await call(service.baseUrl, `/destinations/${key}`)).body['paused']).to.equal(null);
  });
});

import { expect } from 'chai';

import { sendRaw } from '../../../support/raw-request.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { call, httpTask, submitNew, uniqueId } from '../../../support/tasks.js';

describe('the body of a change that needs none', () => {
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
      for (const body of ['', '{}', '{"reason":"the receiver is back"}', JSON.stringify({ reason: '\u{1f69a}'.repeat(500) })]) {
        const { status, text } = await send(path, body);
        expect(status, text).to.be.oneOf([200, 202]);
      }
    });

    for (const [body, status, field] of [
      ['{"until":"2026-11-28T12:00:00Z"}', 400, 'until'],
      ['{"raeson":"x"}', 400, 'raeson'],
      ['{"reason":""}', 400, 'reason'],
      ['{"reason":1}', 400, 'reason'],
      ['{"reason":null}', 400, 'reason'],
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

  it('changes nothing when it is refused', async () => {
    await send(`/destinations/${key}/resume`, '');
    await send(`/destinations/${key}/pause`, '{"until":"2026-11-28T12:00:00Z"}');
    expect((await call(service.baseUrl, `/destinations/${key}`)).body['paused']).to.equal(false);
  });
});

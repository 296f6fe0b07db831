import { createBullBoard } from '@bull-board/api';
import { ExpressAdapter } from '@bull-board/express';
import { expect } from 'chai';

import { boardCalls } from '../../../../server/ops/board-calls.js';
import { boardRoutes } from '../../../../server/ops/board-routes.js';
import { ADMIN_KEY, bearer, makeKey } from '../../../support/access-keys.js';
import { sendRaw } from '../../../support/raw-request.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { signIn } from '../../../support/sign-in.js';

/** Writes down what Bull Board gives its router, by itself. */
class RecordingAdapter extends ExpressAdapter {
  readonly calls: string[] = [];

  override setEntryRoute(...[entry]: Parameters<ExpressAdapter['setEntryRoute']>): this {
    this.#note(entry);
    super.setEntryRoute(entry);
    return this;
  }

  override setApiRoutes(...[routes]: Parameters<ExpressAdapter['setApiRoutes']>): ReturnType<ExpressAdapter['setApiRoutes']> {
    for (const route of routes) this.#note(route);
    return super.setApiRoutes(routes);
  }

  #note({ method, route }: { readonly method: string | readonly string[]; readonly route: string | readonly string[] }): void {
    for (const verb of [method].flat()) for (const path of [route].flat()) this.calls.push(`${verb.toUpperCase()} ${path}`);
  }
}

const READ = ['GET', 'HEAD'];
const METHODS = [...READ, 'POST', 'PUT', 'PATCH', 'DELETE'];

describe('the calls of Bull Board', function () {
  this.timeout(60_000);

  it('are all decided about: those of its own router are in our list, and no others', () => {
    const recording = new RecordingAdapter();
    createBullBoard({ queues: [], serverAdapter: recording });
    expect(recording.calls.length).to.be.at.least(30);
    expect(Object.keys(boardCalls)).to.have.members(recording.calls);
  });

  it('that somebody may make have a row of our route table with that role, and there is no further row but those of our own', () => {
    const own = ['GET /static/*', 'GET /*', 'GET /task'];
    const allowed = Object.entries(boardCalls).flatMap(([call, role]) => (role === 'nobody' ? [] : [`${call.replace('queueName', 'queue').replace('jobId', 'job').replace(':queueStatus', 'failed').replace(/ \/$/, ' ')} ${role}`]));
    const rows = boardRoutes.map(({ method, path, role }) => `${method} ${path.slice('/admin/queues'.length)} ${role}`);
    expect(rows).to.have.members([...allowed, ...own.map((call) => `${call} read`)]);
  });

  describe('by role', () => {
    let service: InProcessService;
    const callers = new Map<string, Readonly<Record<string, string>>>();
    before(async () => {
      service = await InProcessService.ready({ bootstrapKey: ADMIN_KEY });
      for (const [name, settings] of Object.entries({ read: { role: 'read', permissions: ['payload', 'edit'] }, operate: { role: 'operate' }, submit: { role: 'submit', permissions: ['payload'] }, bound: { role: 'operate', client_ids: ['c2'] } })) {
        const { key } = await makeKey(service.baseUrl, settings);
        callers.set(`${name} key`, bearer(key));
        callers.set(`${name} session`, { ...(await signIn(service.baseUrl, key)) });
      }
    });
    after(() => service.close());

    const urls = [...new Set(Object.keys(boardCalls).map((call) => call.split(' ')[1] ?? ''))];
    for (const url of urls) {
      it(`${url}: the role read changes nothing by any method, and other roles only what is allowed`, async () => {
        const path = `/admin/queues${url.replace(':queueName', 'deliver-0').replace(':queueStatus', 'failed').replace(/:\w+/g, 't-none')}`;
        for (const [name, headers] of callers) {
          for (const method of METHODS) {
            const { status } = await sendRaw(service.baseUrl, { method, path, headers });
            const message = `${name}: ${method} ${path}`;
            const role = Object.entries(boardCalls).find(([call]) => call === `${method === 'HEAD' ? 'GET' : method} ${url}`)?.[1] ?? 'nobody';
            if (/^(submit|bound)/.test(name)) expect(status, message).to.equal(403);
            else if (READ.includes(method)) expect(status, message).to.be.oneOf(role === 'read' ? [200, 404] : [404]);
            else if (name.startsWith('read')) expect(status, message).to.equal(403);
            else expect(status, message).to.be.oneOf(role === 'operate' ? [200, 404, 405] : [405]);
          }
        }
      });
    }

    it('are refused without a key, as is the page', async () => {
      for (const url of urls) for (const method of METHODS) expect((await sendRaw(service.baseUrl, { method, path: `/admin/queues${url.replace(/:\w+/g, 'x')}` })).status, `${method} ${url}`).to.equal(401);
    });
  });
});

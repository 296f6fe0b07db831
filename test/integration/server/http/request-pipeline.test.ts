import { request } from 'node:http';
import { connect as connectSocket, type Socket } from 'node:net';

import { expect } from 'chai';

import type { AnswerTiming, RequestCheck } from '../../../../server/http/request-pipeline.js';
import { routeTable } from '../../../../server/route-table.js';
import { anonymousCaller } from '../../../../shared/domain/access/caller.js';
import { RequestError } from '../../../../shared/domain/errors.js';
import { eventually } from '../../../support/eventually.js';
import { sendRaw, type RawAnswer, type RawRequest } from '../../../support/raw-request.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { httpTask, uniqueId } from '../../../support/tasks.js';

/** A request for each row: names filled in, and a body where one is read. */
const requestsOfTable: readonly (RawRequest & { readonly method: string; readonly label: string; readonly role: string })[] = routeTable.map(({ method, path, body, metricLabel, role }) => ({
  method,
  path: path.replace(':queue', 'deliver-0').replace(':file', 'swagger-ui.css').replace(':job', 't-x').replace(/:\w+/g, 'x').replace('/static/*', '/static/images/logo.svg').replace('/*', ''),
  label: metricLabel,
  role,
  ...(body === 'none' ? {} : { headers: { 'content-type': 'application/json' }, body: method === 'PUT' ? '{}' : '[]' }),
}));

const bodyOf = ({ text }: RawAnswer): Readonly<Record<string, unknown>> => JSON.parse(text) as Readonly<Record<string, unknown>>;

/** A row of files: there is nothing at a made-up name. */
const isOfFiles = (path: string | undefined): boolean => path?.startsWith('/admin/assets/') === true || path === '/admin/queues/static';

describe('the request pipeline', () => {
  let service: InProcessService;
  const timings: AnswerTiming[] = [];
  /** What a test puts into the stages. */
  let checkOrigin: RequestCheck = () => undefined;
  const letPass: RequestCheck = (context) => {
    context.caller = anonymousCaller;
    return undefined;
  };
  let checkAccess = letPass;

  before(async () => {
    service = await InProcessService.ready({
      stages: {
        checkOrigin: (context) => checkOrigin(context),
        checkAccess: (context) => checkAccess(context),
        onAnswered: (timing) => { timings.push(timing); },
      },
    });
  });
  after(() => service.close());
  beforeEach(() => {
    checkOrigin = () => undefined;
    checkAccess = letPass;
    timings.length = 0;
  });

  const send = (wanted: RawRequest): Promise<RawAnswer> => sendRaw(service.baseUrl, wanted);

  describe('serves', () => {
    for (const wanted of requestsOfTable) {
      it(`${wanted.method} ${wanted.path} by its row`, async () => {
        const { status, headers, text } = await send(wanted);
        expect(!isOfFiles(wanted.path) && [404, 405].includes(status) && /"(not_found|method_not_allowed|action_refused)"/.test(text), text).to.equal(false);
        expect(status).to.not.equal(500);
        expect(headers['cache-control']).to.equal('no-store');
        expect(headers['x-content-type-options']).to.equal('nosniff');
        expect(headers['x-request-id']).to.match(/^[0-9a-f-]{36}$/);
        expect(headers['x-powered-by']).to.equal(undefined);
        await eventually(() => { expect(timings.map(({ metricLabel, method, status: seen }) => [metricLabel, method, seen])).to.deep.equal([[wanted.label, wanted.method, status]]); });
      });
    }

    for (const wanted of requestsOfTable.filter(({ method }) => method === 'GET')) {
      it(`HEAD ${wanted.path} as GET, without the body`, async () => {
        const [get, head] = [await send(wanted), await send({ ...wanted, method: 'HEAD' })];
        expect([head.status, head.text, head.headers['content-type']]).to.deep.equal([get.status, '', get.headers['content-type']]);
      });
    }
  });

  describe('refuses by a check', () => {
    const everything: readonly RawRequest[] = [
      ...requestsOfTable,
      ...requestsOfTable.filter(({ method }) => method === 'GET').map((wanted) => ({ ...wanted, method: 'HEAD' })),
      ...requestsOfTable.map(({ path }) => ({ method: 'OPTIONS', path })),
      ...requestsOfTable.map(({ path }) => ({ method: 'PATCH', path })),
      { method: 'OPTIONS', path: '*' },
      ...['/nothing', '/Tasks', '//tasks', '/tasks/%zz', '/admin', '/admin/queues/static/none.js'].map((path) => ({ path })),
      ...['/tasks/', '/%74asks', '/tasks?x=1', 'http://other.example/tasks'].map((path) => ({ method: 'POST', path })),
      { method: 'DELETE', path: '/admin/queues/api/queues/deliver-0' },
      { method: 'POST', path: '/tasks', headers: { expect: 'something else' } },
    ];
    const refuse = (): never => {
      throw new RequestError('conflict', 'not you');
    };
    const stages: readonly (readonly [name: string, set: () => void])[] = [
      ['the access check', () => { checkAccess = refuse; }],
      ['an access check that has to wait', () => { checkAccess = async () => { await Promise.resolve(); refuse(); }; }],
      ['the Host and Origin check', () => { checkOrigin = refuse; }],
    ];
    for (const [name, set] of stages) {
      it(`whatever is asked for, when ${name} refuses`, async () => {
        set();
        for (const wanted of everything) {
          const { status, text } = await send(wanted);
          expect(status, `${wanted.method ?? 'GET'} ${wanted.path}: ${text}`).to.equal(409);
        }
      });
    }

    it('before anything is stored, of one task and of a batch', async () => {
      checkAccess = refuse;
      const tasks = [httpTask('http://127.0.0.1:9/', { id: uniqueId(), initial_delay: 3_600 }), httpTask('http://127.0.0.1:9/', { id: uniqueId(), initial_delay: 3_600 })] as const;
      const headers = { 'content-type': 'application/json' };
      for (const [path, body] of [['/tasks', tasks[0]], ['/tasks/batch', [tasks[1]]]] as const) expect((await send({ method: 'POST', path, headers, body: JSON.stringify(body) })).status).to.equal(409);
      for (const { id } of tasks) expect(await service.queue.find(id)).to.equal(undefined);
    });

    it('by the role of the row', async () => {
      checkAccess = ({ match }) => {
        throw new RequestError('conflict', match.served.role);
      };
      for (const wanted of requestsOfTable) expect(bodyOf(await send(wanted))['error'], wanted.path).to.equal(wanted.role);
      expect(bodyOf(await send({ path: '/nothing' }))['error'], 'unknown paths ask for a key, too').to.equal('any_key');
    });
  });

  describe('request ids', () => {
    for (const id of ['a', 'Order-1.2_3', 'x'.repeat(128)]) {
      it(`takes ${id.slice(0, 20)}, and answers with it`, async () => {
        const answer = await send({ path: '/nothing', headers: { 'x-request-id': id } });
        expect([answer.headers['x-request-id'], bodyOf(answer)['request_id']]).to.deep.equal([id, id]);
      });
    }

    for (const id of ['', 'x'.repeat(129), 'a b', 'a,b', 'a"b', 'a/b', 'ä']) {
      it(`makes one instead of ${JSON.stringify(id.slice(0, 20))}`, async () => {
        const answer = await send({ path: '/nothing', headers: { 'x-request-id': Buffer.from(id).toString('latin1') } });
        expect(answer.headers['x-request-id']).to.match(/^[0-9a-f-]{36}$/);
        expect(bodyOf(answer)['request_id']).to.equal(answer.headers['x-request-id']);
      });
    }

    it('stands in the answer to a bug, in its old form, and in the line that is logged', async () => {
      checkAccess = () => {
        throw new TypeError('a bug for this test');
      };
      const id = uniqueId('bug');
      const answer = await send({ method: 'POST', path: '/tasks', headers: { 'x-request-id': id } });
      expect([answer.status, bodyOf(answer)]).to.deep.equal([500, { error: 'failed to schedule task', code: 'internal', request_id: id }]);
      expect(service.log.split('\n').find((line) => line.includes(id))).to.match(/bug: a request failed.*"method":"POST","path":"\/tasks".*a bug for this test/);
    });

    it('stands in what the board refuses', async () => {
      const answer = await send({ method: 'DELETE', path: '/admin/queues/api/queues/deliver-0', headers: { 'x-request-id': 'board-1' } });
      expect([answer.status, answer.headers['x-request-id'], bodyOf(answer)['request_id']]).to.deep.equal([405, 'board-1', 'board-1']);
    });
  });

  describe('paths', () => {
    const spellings: readonly (readonly [method: string, path: string, label: string])[] = [
      ['POST', '/tasks', '/tasks'],
      ['POST', '/tasks/', '/tasks'],
      ['POST', '/tasks?', '/tasks'],
      ['POST', '/%74asks', '/tasks'],
      ['POST', 'http://other.example/tasks', '/tasks'],
      ['POST', 'HTTP://other.example:1/tasks/', '/tasks'],
      ['POST', '/tasks/b%61tch', '/tasks/batch'],
      ['POST', '/Tasks', 'unknown path'],
      ['POST', '//tasks', 'unknown path'],
      ['POST', '/tasks//', 'unknown path'],
      ['POST', '/tasks%2Fbatch', 'unknown path'],
      ['GET', '/STATS', 'unknown path'],
      ['GET', '/stats/', '/stats'],
      ['GET', '/tasks/batch', '/tasks/:id'],
      ['GET', '/tasks/a%2Fb', '/tasks/:id'],
      ['GET', '/tasks/%zz', 'malformed path'],
      ['GET', '/%zz', 'malformed path'],
      ['GET', '/admin/queues/', '/admin/queues'],
      ['GET', '/admin/queues/queue/deliver-0', '/admin/queues'],
      ['GET', '/Admin/queues', 'unknown path'],
      ['PUT', '/admin/queues/api/queues/deliver-0/t-x/%72etry', '/admin/queues'],
      ['GET', 'http://other.example', '/'],
      ['GET', '/?utm_source=x', '/'],
    ];
    for (const [method, path, label] of spellings) {
      it(`answers ${method} ${path} as ${label}`, async () => {
        await send({ method, path });
        await eventually(() => { expect(timings.map(({ metricLabel }) => metricLabel)).to.deep.equal([label]); });
      });
    }

    const options: readonly (readonly [path: string, allow: string])[] = [
      ['/tasks', 'GET, HEAD, POST, OPTIONS'],
      ['/tasks/batch', 'GET, HEAD, POST, PATCH, DELETE, OPTIONS'],
      ['/tasks/x', 'GET, HEAD, PATCH, DELETE, OPTIONS'],
      ['/destinations/x', 'GET, HEAD, PUT, DELETE, OPTIONS'],
      ['/health', 'GET, HEAD, OPTIONS'],
      ['/admin/queues', 'GET, HEAD, OPTIONS'],
      ['*', 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'],
    ];
    for (const [path, allow] of options) {
      it(`OPTIONS ${path} is 204, allows ${allow}, and no other origin anything`, async () => {
        const { status, headers, text } = await send({ method: 'OPTIONS', path, headers: { origin: 'https://other.example', 'access-control-request-method': 'POST' } });
        expect([status, headers.allow, text]).to.deep.equal([204, allow, '']);
        expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).to.deep.equal([]);
      });
    }

    it('names in a 405 what OPTIONS names, under the board too', async () => {
      const paths = [...new Set(requestsOfTable.map(({ path }) => path)), '/admin/queues/api/queues/deliver-0/pause', '/admin/queues/api/queues/deliver-0/clean/retry'];
      for (const path of paths) {
        const allow = (await send({ method: 'OPTIONS', path })).headers.allow ?? '';
        for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'TRACE'].filter((each) => !allow.split(', ').includes(each))) {
          const answer = await send({ method, path });
          expect([answer.status, answer.headers.allow], `${method} ${path}`).to.deep.equal([405, allow]);
        }
      }
      // The board would clean the queue. It is a retry of the task with this id, and there is none.
      expect((await send({ method: 'PUT', path: '/admin/queues/api/queues/deliver-0/clean/retry' })).status).to.equal(404);
    });

    it('OPTIONS of nothing is 404', async () => {
      expect((await send({ method: 'OPTIONS', path: '/nothing' })).status).to.equal(404);
    });
  });

  describe('query parameters', () => {
    const table: readonly (readonly [method: string, path: string, fault: string | undefined])[] = [
      ['GET', '/tasks/x?inlcude=message_data', 'inlcude'],
      ['GET', '/tasks/x?include=message_data&include=message_data', 'include'],
      ['GET', '/destinations?limit=1&limit=2', 'limit'],
      ['GET', '/stats?verbose=1', 'verbose'],
      ['POST', '/tasks?dry_run=1', 'dry_run'],
      ['GET', '/destinations?limit=1', undefined],
      ['GET', '/tasks/x?', undefined],
      ['GET', '/admin/queues/api/queues?activeQueue=deliver-0&page=1&jobsPerPage=10', undefined],
    ];
    for (const [method, path, fault] of table) {
      it(`${fault === undefined ? 'takes' : 'refuses'} ${method} ${path}`, async () => {
        const answer = await send({ method, path });
        if (fault === undefined) {
          expect(answer.status).to.not.equal(400);
          return;
        }
        const { code, details } = bodyOf(answer);
        expect([answer.status, code, (details as { field: string }[])[0]?.field]).to.deep.equal([400, 'invalid_request', fault]);
      });
    }
  });

  describe('timing', () => {
    it('says how long an answer took, and that it was whole', async () => {
      checkAccess = async () => { await new Promise((resolve) => setTimeout(resolve, 50)); };
      await send({ path: '/livez' });
      await eventually(() => { expect(timings).to.have.lengthOf(1); });
      const [timing] = timings;
      expect(timing).to.include({ metricLabel: '/livez', method: 'GET', status: 200, isAborted: false });
      expect(timing?.durationMs).to.be.within(45, 5_000);
    });

    for (const [by, cut] of [
      ['its client', (client: Socket): void => { client.destroy(); }],
      ['us', (_client: Socket, ours: Socket): void => { ours.destroy(); }],
    ] as const) {
      it(`says that an answer was cut off by ${by} before it was read`, async () => {
        let ours: Socket | undefined;
        checkAccess = ({ request: { socket }, response }) => {
          ours = socket;
          // More than the buffers of both ends hold.
          response.end(Buffer.alloc(64 * 1_048_576));
          return new Promise(() => undefined);
        };
        const { hostname, port } = new URL(service.baseUrl);
        const client = connectSocket(Number(port), hostname);
        client.on('error', () => undefined);
        client.write(`GET /livez HTTP/1.1\r\nHost: ${hostname}:${port}\r\n\r\n`);
        const sending = await eventually(() => {
          if (ours === undefined) throw new Error('the request has not arrived');
          return ours;
        });
        cut(client, sending);
        await eventually(() => { expect(timings.map(({ status, isAborted }) => [status, isAborted])).to.deep.equal([[200, true]]); });
        client.destroy();
      });
    }

    it('says that a client went away before it had its answer', async () => {
      let isWaiting = false;
      checkAccess = async ({ response }) => {
        isWaiting = true;
        await new Promise((resolve) => response.once('close', resolve));
      };
      const sent = request(`${service.baseUrl}/livez`, { agent: false });
      sent.on('error', () => undefined);
      sent.end();
      await eventually(() => { expect(isWaiting).to.equal(true); });
      // The end of its side alone would not say that it has gone.
      sent.socket?.resetAndDestroy();
      await eventually(() => { expect(timings.map(({ metricLabel, status, isAborted }) => [metricLabel, status, isAborted])).to.deep.equal([['/livez', null, true]]); });
    });
  });
});

import { expect } from 'chai';

import type { Route } from '../../../../server/http/route.js';
import { routeTable, type ApiParts } from '../../../../server/route-table.js';
import { ADMIN_KEY, bearer, makeKey, WRONG_KEY } from '../../../support/access-keys.js';
import { sendRaw } from '../../../support/raw-request.js';
import { signIn, type SessionHeaders } from '../../../support/sign-in.js';
import { InProcessService } from '../../../support/service-in-process.js';

/** Role and permissions of the keys that call every route. */
const unboundKeys = ['submit', 'submit cancel', 'read', 'read payload', 'operate', 'operate payload edit', 'admin'] as const;
type KeyKind = (typeof unboundKeys)[number];
/** The same, bound to one client. An admin key cannot be. */
const boundKeys = unboundKeys.filter((kind) => kind !== 'admin');

const everybody: readonly KeyKind[] = unboundKeys;
const submitters: readonly KeyKind[] = ['submit', 'submit cancel', 'operate', 'operate payload edit', 'admin'];
const readers: readonly KeyKind[] = ['read', 'read payload', 'operate', 'operate payload edit', 'admin'];
const payloadReaders: readonly KeyKind[] = ['read payload', 'operate payload edit', 'admin'];
const operators: readonly KeyKind[] = ['operate', 'operate payload edit', 'admin'];
const editors: readonly KeyKind[] = ['operate payload edit', 'admin'];
const admins: readonly KeyKind[] = ['admin'];

interface Expectation {
  /** Keys that may call it; `public`: no key is needed. */
  readonly may: readonly KeyKind[] | 'public';
  /** What those get that may. */
  readonly status: number;
  /** A key that is bound to a client may call it as well, if one without may. */
  readonly isNarrowed?: true;
}

/** Written by hand, from the rules in docs/SECURITY.md: a route that is not here fails the test. */
const expected: Readonly<Record<string, Expectation>> = {
  'POST /tasks': { may: submitters, status: 400, isNarrowed: true },
  'POST /tasks/batch': { may: submitters, status: 207, isNarrowed: true },
  'GET /tasks/:id': { may: everybody, status: 404, isNarrowed: true },
  'DELETE /tasks/:id': { may: ['submit cancel', ...operators], status: 404, isNarrowed: true },
  'POST /tasks/:id/retry': { may: operators, status: 404, isNarrowed: true },
  'PATCH /tasks/:id': { may: editors, status: 404, isNarrowed: true },
  'GET /tasks/:id/submission': { may: payloadReaders, status: 404, isNarrowed: true },
  'POST /bulk-actions': { may: operators, status: 400, isNarrowed: true },
  'GET /bulk-actions': { may: readers, status: 200, isNarrowed: true },
  'GET /bulk-actions/:id': { may: readers, status: 404, isNarrowed: true },
  'PATCH /bulk-actions/:id': { may: operators, status: 400, isNarrowed: true },
  'POST /bulk-actions/:id/pause': { may: operators, status: 404, isNarrowed: true },
  'POST /bulk-actions/:id/resume': { may: operators, status: 404, isNarrowed: true },
  'POST /bulk-actions/:id/cancel': { may: operators, status: 404, isNarrowed: true },
  'GET /tasks': { may: readers, status: 200, isNarrowed: true },
  'GET /counts': { may: readers, status: 200, isNarrowed: true },
  'GET /destinations': { may: readers, status: 200 },
  'GET /destinations/:key': { may: readers, status: 200 },
  'PUT /destinations/:key': { may: operators, status: 200 },
  'DELETE /destinations/:key': { may: operators, status: 200 },
  'POST /destinations/:key/pause': { may: operators, status: 200 },
  'POST /destinations/:key/resume': { may: operators, status: 200 },
  'GET /destinations/:key/credentials': { may: admins, status: 400 },
  'PATCH /destinations/:key/credentials': { may: admins, status: 400 },
  'DELETE /destinations/:key/credentials': { may: admins, status: 400 },
  'POST /test-sends': { may: editors, status: 400 },
  'GET /audit': { may: admins, status: 200 },
  'POST /keys': { may: admins, status: 400 },
  'GET /keys': { may: admins, status: 200 },
  'PATCH /keys/:id': { may: admins, status: 404 },
  'DELETE /keys/:id': { may: admins, status: 404 },
  'POST /keys/:id/rotate': { may: admins, status: 404 },
  'POST /session': { may: 'public', status: 400 },
  'GET /session': { may: everybody, status: 200, isNarrowed: true },
  'DELETE /session': { may: 'public', status: 204 },
  'GET /stats': { may: readers, status: 200 },
  'GET /status': { may: readers, status: 200 },
  'GET /history': { may: readers, status: 200 },
  'GET /failures': { may: readers, status: 200 },
  'GET /metrics': { may: readers, status: 200 },
  'GET /admin/queues': { may: readers, status: 200 },
  'GET /admin/queues/queue/:queue': { may: readers, status: 200 },
  'GET /admin/queues/static/*': { may: readers, status: 404 },
  'GET /admin/queues/*': { may: readers, status: 404 },
  'GET /admin/queues/api/redis/stats': { may: readers, status: 200 },
  'GET /admin/queues/api/queues': { may: readers, status: 200 },
  'GET /admin/queues/api/queues/:queue/metrics': { may: readers, status: 404 },
  'GET /admin/queues/api/queues/:queue/default-job-options': { may: readers, status: 404 },
  'GET /admin/queues/api/queues/:queue/workers': { may: readers, status: 404 },
  'GET /admin/queues/api/queues/:queue/rate-limit': { may: readers, status: 404 },
  'GET /admin/queues/api/queues/:queue/job-data-schema': { may: readers, status: 404 },
  'GET /admin/queues/api/queues/:queue/:job': { may: readers, status: 404 },
  'GET /admin/queues/api/queues/:queue/:job/flow': { may: readers, status: 404 },
  'GET /admin/queues/api/queues/:queue/:job/logs': { may: readers, status: 404 },
  'GET /admin/queues/queue/:queue/:job': { may: readers, status: 200 },
  'GET /admin/queues/task': { may: readers, status: 404 },
  'PUT /admin/queues/api/queues/:queue/:job/retry': { may: operators, status: 404 },
  'PUT /admin/queues/api/queues/:queue/retry/failed': { may: operators, status: 404 },
  ...Object.fromEntries(['', '/tasks', '/task', '/destinations', '/destination', '/failures', '/bulk-actions', '/bulk-action', '/audit'].map((view) => [`GET /admin${view}`, { may: readers, status: 200 }] as const)),
  'GET /admin/assets/:version/*': { may: 'public', status: 404 },
  'GET /health': { may: 'public', status: 200 },
  'GET /livez': { may: 'public', status: 200 },
  'GET /readyz': { may: 'public', status: 200 },
  'GET /openapi.yaml': { may: 'public', status: 200 },
  'GET /openapi.json': { may: 'public', status: 200 },
  'GET /docs': { may: 'public', status: 200 },
  'GET /docs/:file': { may: 'public', status: 404 },
  'GET /': { may: 'public', status: 200 },
  'GET /login': { may: 'public', status: 200 },
};

const nameOf = ({ method, path }: Route<ApiParts>): string => `${method} ${path}`;

/** A request that changes nothing: it names what there is not, or its body is not valid. */
function requestOf({ method, path, body }: Route<ApiParts>): { method: string; path: string; headers: Readonly<Record<string, string>>; body?: string } {
  const at = path.replace('/*', '/nothing').replace(/:\w+/g, 'nothing');
  const content = { none: undefined, reason: undefined, json: '{}', merge_patch: '{}', json_or_ndjson: '[]' }[body];
  return { method, path: at, headers: content === undefined ? {} : { 'content-type': 'application/json' }, ...(content === undefined ? {} : { body: content }) };
}

describe('access to every route', function () {
  this.timeout(120_000);

  let service: InProcessService;
  /** By kind: what a request with the key sends, and one with a session that was started with it. */
  const keys = new Map<string, string>();
  const sessions = new Map<string, SessionHeaders>();

  before(async () => {
    service = await InProcessService.ready({ bootstrapKey: ADMIN_KEY });
    for (const kind of unboundKeys) {
      const [role = '', ...permissions] = kind.split(' ');
      keys.set(kind, (await makeKey(service.baseUrl, { role, permissions })).key);
      if (kind !== 'admin') keys.set(`${kind} bound`, (await makeKey(service.baseUrl, { role, permissions, client_ids: ['c2'] })).key);
    }
    for (const [kind, key] of keys) sessions.set(kind, await signIn(service.baseUrl, key));
  });
  after(() => service.close());

  /** Both ways to show a key. */
  const ways: readonly (readonly [way: string, headersOf: (kind: string) => Readonly<Record<string, string>>])[] = [
    ['key', (kind) => bearer(keys.get(kind) ?? '')],
    ['session', (kind) => ({ ...sessions.get(kind) })],
  ];

  /** What a request gets: its status, and the code of a refusal. */
  async function ask(route: Route<ApiParts>, headers: Readonly<Record<string, string>>): Promise<{ status: number; code: unknown; text: string }> {
    const request = requestOf(route);
    const { cookie, ...others } = headers;
    // Signing out would end the session that the next requests need.
    const sent = cookie === undefined || nameOf(route) === 'DELETE /session' ? others : headers;
    const { status, text } = await sendRaw(service.baseUrl, { ...request, headers: { ...request.headers, ...sent } });
    return { status, code: text.startsWith('{') ? (JSON.parse(text) as { code?: unknown }).code : undefined, text };
  }

  it('is written down for each row of the route table, and for no other', () => {
    expect(Object.keys(expected)).to.have.members(routeTable.map(nameOf));
  });

  for (const route of routeTable) {
    const { may, status, isNarrowed } = expected[nameOf(route)] ?? { may: [], status: 0 };
    it(`${nameOf(route)}: ${may === 'public' ? 'needs no key' : may.join(', ')}`, async () => {
      const without = await ask(route, {});
      if (may === 'public') expect(without.status).to.equal(status);
      else expect(without, 'without a key').to.include({ status: 401, code: 'unauthenticated' });
      for (const [way, headersOf] of ways) {
        for (const kind of unboundKeys) {
          const got = await ask(route, headersOf(kind));
          if (may === 'public' || may.includes(kind)) expect(got.status, `${kind} ${way}: ${got.text.slice(0, 200)}`).to.equal(status);
          else expect(got, `${kind} ${way}`).to.include({ status: 403, code: 'forbidden' });
        }
        for (const kind of boundKeys) {
          const got = await ask(route, headersOf(`${kind} bound`));
          if (may === 'public' || (isNarrowed === true && may.includes(kind))) expect(got.status, `${kind}, bound ${way}: ${got.text.slice(0, 200)}`).to.equal(status);
          else expect(got, `${kind}, bound ${way}`).to.include({ status: 403, code: 'forbidden' });
        }
      }
    });
  }

  it('takes no change from a page of another origin, whoever is signed in there, and whatever key it shows', async () => {
    for (const route of routeTable.filter(({ method }) => method !== 'GET')) {
      for (const [way, headersOf] of ways) {
        for (const foreign of [{ 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }, { origin: 'http://127.0.0.1:1' }, { origin: 'null' }]) {
          expect(await ask(route, { ...headersOf('admin'), ...foreign }), `${nameOf(route)}, ${way}, ${JSON.stringify(foreign)}`).to.include({ status: 403, code: 'origin_refused' });
        }
      }
    }
  });

  it('answers missing and wrong keys alike on every path, also where there is nothing', async () => {
    const headers = [{}, bearer(WRONG_KEY), bearer('krs_short'), { authorization: 'Basic YTpi' }, { authorization: `Bearer ${ADMIN_KEY} x` }, { authorization: 'Bearer' }];
    const asked = [['GET', '/tasks/a'], ['GET', '/nothing-here'], ['PUT', '/tasks'], ['GET', '/%ff'], ['OPTIONS', '/keys'], ['GET', '/Keys']] as const;
    const answers = new Set<string>();
    for (const sent of headers) {
      for (const [method, path] of asked) {
        const { status, headers: got, text } = await sendRaw(service.baseUrl, { method, path, headers: { ...sent, 'x-request-id': 'same' } });
        answers.add(`${status} ${String(got['www-authenticate'])} ${String(got.allow)} ${text}`);
      }
    }
    expect([...answers]).to.have.lengthOf(1);
    expect([...answers][0]).to.match(/^401 Bearer undefined \{.*"code":"unauthenticated"/);
  });

  for (const path of ['/keys/', '/%6Beys', '/k%65ys?limit=1', '/keys?limit=1&limit=2']) {
    it(`${path}: no spelling of a path goes round its role, whatever the method`, async () => {
      for (const method of ['GET', 'HEAD', 'POST']) {
        const { status } = await sendRaw(service.baseUrl, { method, path, headers: bearer(keys.get('read') ?? '') });
        expect(status, method).to.equal(403);
      }
    });
  }

  it('takes other spellings for other paths, for keys alike', async () => {
    for (const path of ['/KEYS', '//keys', '/keys//', '/nothing']) {
      for (const kind of ['read', 'admin']) expect((await sendRaw(service.baseUrl, { method: 'GET', path, headers: bearer(keys.get(kind) ?? '') })).status, `${kind} ${path}`).to.equal(404);
    }
  });

  it('needs the permission payload to show a message, and to look for a value in messages', async () => {
    const payload = ['/tasks/nothing?include=message_data', '/tasks?data.order=1', '/counts?q=data.order%3A1', '/counts?q=-data.order%3A*'];
    for (const path of payload) {
      const status = async (kind: string): Promise<number> => (await sendRaw(service.baseUrl, { method: 'GET', path, headers: bearer(keys.get(kind) ?? '') })).status;
      expect(await status('read'), path).to.equal(403);
      expect(await status('operate'), path).to.equal(403);
      expect(await status('read payload'), path).to.be.oneOf([200, 404]);
    }
  });

  it('needs the permissions payload and edit for bulk actions that look into messages or change tasks', async () => {
    const bodies = [
      { action: 'redrive', filter: { 'data.order': '1' }, dry_run: true },
      { action: 'redrive', filter: { q: 'data.order:1' }, dry_run: true },
      { action: 'redrive', ids: ['a'], override: { max_retries: 1 }, dry_run: true },
    ];
    for (const body of bodies) {
      const got = async (kind: string): Promise<number> => (await sendRaw(service.baseUrl, { method: 'POST', path: '/bulk-actions', headers: { ...bearer(keys.get(kind) ?? ''), 'content-type': 'application/json' }, body: JSON.stringify(body) })).status;
      expect(await got('operate'), JSON.stringify(body)).to.equal(403);
      expect(await got('operate payload edit'), JSON.stringify(body)).to.equal(200);
    }
  });
});

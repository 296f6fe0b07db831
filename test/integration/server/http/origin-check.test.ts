import { expect } from 'chai';

import { routeTable } from '../../../../server/route-table.js';
import { sendRaw, type RawAnswer, type RawRequest } from '../../../support/raw-request.js';
import { sendBytes } from '../../../support/raw-connection.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { httpTask, submitNew, uniqueId } from '../../../support/tasks.js';

const READING = ['GET', 'HEAD', 'OPTIONS'];

/** A request for each row, and for what has no row. */
const everything: readonly (RawRequest & { readonly method: string })[] = [
  ...routeTable.map(({ method, path }) => ({ method, path: path.replace(/:\w+/g, 'x').replace('/*', '') })),
  ...['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE', 'TRACE'].flatMap((method) => ['/', '/livez', '/readyz', '/health', '/nothing', '/admin/queues/static/none.js', '/tasks/%zz'].map((path) => ({ method, path }))),
  { method: 'OPTIONS', path: '*' },
];

const codeOf = ({ text }: RawAnswer): unknown => (JSON.parse(text) as { code?: unknown }).code;

describe('names and origins', () => {
  let service: InProcessService;
  before(async () => { service = await InProcessService.ready({ allowedHosts: 'Retry.Example.com, *.corp.example' }); });
  after(() => service.close());

  const send = (wanted: RawRequest): Promise<RawAnswer> => sendRaw(service.baseUrl, wanted);
  const own = (): string => new URL(service.baseUrl).host;

  describe('of the Host header', () => {
    const good = ['127.0.0.1', '127.0.0.1:1', '10.1.2.3:8080', '[::1]', '[::1]:8080', '[fd00::7]', 'localhost', 'LOCALHOST:8080', 'localhost.', 'localhost.:80', 'localhost:', 'retry.example.com', 'RETRY.EXAMPLE.COM.:443', 'a.corp.example', 'a.b.corp.example:8080'];
    for (const host of good) {
      it(`answers as ${host}`, async () => {
        expect((await send({ path: '/livez', headers: { host } })).status).to.equal(200);
      });
    }

    const foreign = ['rebind.test', 'rebind.test:8080', 'corp.example', '.corp.example', 'xcorp.example', 'retry.example.com.evil.test', 'evil-retry.example.com', 'localhost.evil.test', '127.0.0.1.evil.test', '127.1', '0x7f000001', 'a,b', 'retry.example.com..'];
    for (const host of foreign) {
      it(`is 421 for ${host}`, async () => {
        const answer = await send({ path: '/livez', headers: { host } });
        expect([answer.status, codeOf(answer)]).to.deep.equal([421, 'unknown_host']);
      });
    }

    it('is 421 for a foreign name whatever is asked for, reads and probes too', async () => {
      for (const wanted of everything) {
        const { status, headers } = await send({ ...wanted, headers: { host: 'rebind.test' } });
        expect(status, `${wanted.method} ${wanted.path}`).to.equal(421);
        expect(headers['content-type']).to.equal('application/json; charset=utf-8');
      }
    });

    for (const host of ['a b,c/@evil', 'user@127.0.0.1', '127.0.0.1/x', '127.0.0.1:x', '127.0.0.1:99999', '[::1']) {
      it(`is 400 for ${JSON.stringify(host)}, which is no host`, async () => {
        const answer = await send({ path: '/livez', headers: { host } });
        expect([answer.status, codeOf(answer)]).to.deep.equal([400, 'invalid_request']);
      });
    }

    const raw: readonly (readonly [name: string, head: string, status: number])[] = [
      ['two Host headers', 'GET /livez HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n', 400],
      ['two Authorization headers', 'GET /livez HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer a\r\nauthorization: Bearer b\r\n\r\n', 400],
      ['two Content-Type headers', 'POST /tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\ncontent-type: text/plain\r\nContent-Length: 2\r\n\r\n{}', 400],
      ['two headers of another name with as many letters', 'GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Auth-Header: a\r\nX-Auth-Header: b\r\nFrom: a\r\nFrom: b\r\n\r\n', 200],
      ['two Host headers, written differently', 'GET /livez HTTP/1.1\r\nhost: localhost\r\nX-A: 1\r\nHOST: evil.test\r\n\r\n', 400],
      ['an empty Host header', 'GET /livez HTTP/1.1\r\nHost:\r\n\r\n', 400],
      ['no Host header', 'GET /livez HTTP/1.1\r\n\r\n', 400],
      ['no Host header in HTTP/1.0', 'GET /livez HTTP/1.0\r\n\r\n', 200],
      ['a foreign name in HTTP/1.0', 'GET /livez HTTP/1.0\r\nHost: evil.test\r\n\r\n', 421],
      ['a whole address, whose name counts', 'GET http://localhost:1/livez HTTP/1.1\r\nHost: evil.test\r\n\r\n', 200],
      ['a whole address with a foreign name', 'GET http://evil.test/livez HTTP/1.1\r\nHost: localhost\r\n\r\n', 421],
      ['a whole address with a user', 'GET http://localhost@evil.test/livez HTTP/1.1\r\nHost: localhost\r\n\r\n', 400],
      ['a whole address without a name', 'GET http:///livez HTTP/1.1\r\nHost: localhost\r\n\r\n', 400],
      ['a whole address and a Host that is none', 'GET http://localhost/livez HTTP/1.1\r\nHost: a b\r\n\r\n', 400],
    ];
    for (const [name, head, status] of raw) {
      it(`is ${status} for ${name}`, async () => {
        expect((await sendBytes(service.baseUrl, head)).statuses).to.deep.equal([status]);
      });
    }
  });

  describe('of the sender', () => {
    const foreign: readonly (readonly [name: string, headers: (host: string) => Record<string, string>])[] = [
      ['another site', () => ({ 'sec-fetch-site': 'cross-site' })],
      ['another port or a sister name', () => ({ 'sec-fetch-site': 'same-site' })],
      ['two verdicts of the browser', () => ({ 'sec-fetch-site': 'same-origin, cross-site' })],
      ['another origin', () => ({ origin: 'https://evil.test' })],
      ['an origin that is hidden', () => ({ origin: 'null' })],
      ['an empty origin', () => ({ origin: '' })],
      ['two origins', (host) => ({ origin: `http://${host}, http://evil.test` })],
      ['another port', (host) => ({ origin: `http://${host}1` })],
      ['no port', () => ({ origin: 'http://127.0.0.1' })],
      ['another scheme', (host) => ({ origin: `ftp://${host}` })],
      ['a path behind the origin', (host) => ({ origin: `http://${host}/` })],
      ['another origin, whatever the browser says of the site', () => ({ origin: 'http://evil.test', 'sec-fetch-site': 'same-origin' })],
      ['another site, whatever the origin', (host) => ({ origin: `http://${host}`, 'sec-fetch-site': 'cross-site' })],
    ];
    for (const [name, headers] of foreign) {
      it(`refuses every change from ${name}`, async () => {
        for (const wanted of everything) {
          const answer = await send({ ...wanted, headers: headers(own()) });
          const isRead = READING.includes(wanted.method);
          expect(answer.status === 403, `${wanted.method} ${wanted.path}: ${answer.text}`).to.equal(!isRead);
          if (!isRead) expect(codeOf(answer)).to.equal('origin_refused');
        }
      });
    }

    const good: readonly (readonly [name: string, headers: (host: string) => Record<string, string>])[] = [
      ['no browser', () => ({})],
      ['our own page', (host) => ({ 'origin': `http://${host}`, 'sec-fetch-site': 'same-origin' })],
      ['our own page in a browser without Sec-Fetch-Site', (host) => ({ origin: `http://${host}` })],
      ['the person at the browser', () => ({ 'sec-fetch-site': 'none' })],
      ['our own page behind a proxy that ends TLS', () => ({ host: 'retry.example.com', origin: 'https://retry.example.com' })],
      ['the same, with the port written out', () => ({ host: 'retry.example.com:443', origin: 'https://retry.example.com' })],
      ['the same on another port', () => ({ host: 'retry.example.com:8443', origin: 'https://retry.example.com:8443' })],
      ['our own page on port 80', () => ({ host: 'localhost:80', origin: 'http://localhost' })],
      ['our own page by its name in capitals', () => ({ host: 'LOCALHOST', origin: 'http://localhost' })],
    ];
    for (const [name, headers] of good) {
      it(`takes a change from ${name}`, async () => {
        const { status, text } = await send({ method: 'DELETE', path: `/tasks/${uniqueId()}`, headers: headers(own()) });
        expect(status, text).to.equal(404);
      });
    }

    describe('compares Origin with Host by name and port, and the default port is that of the origin', () => {
      const table: readonly (readonly [origin: string, host: string, isSame: boolean])[] = [
        ['https://retry.example.com', 'retry.example.com', true],
        ['https://retry.example.com', 'retry.example.com:443', true],
        ['https://retry.example.com:443', 'retry.example.com', true],
        ['HTTPS://RETRY.EXAMPLE.COM', 'retry.example.com', true],
        ['https://retry.example.com', 'RETRY.Example.COM.:443', true],
        ['http://retry.example.com', 'retry.example.com', true],
        ['http://retry.example.com', 'retry.example.com:80', true],
        ['http://retry.example.com', 'retry.example.com:443', false],
        ['http://retry.example.com:443', 'retry.example.com', false],
        ['https://retry.example.com', 'retry.example.com:80', false],
        ['https://retry.example.com:8443', 'retry.example.com', false],
        ['https://retry.example.com', 'retry.example.com:8443', false],
        ['https://[2001:db8::1]', '[2001:db8::1]:443', true],
        ['https://[2001:db8::1]', '[2001:DB8:0:0::1]', true],
        ['https://[2001:db8::1]', '[2001:db8::2]', false],
        ['https://a.corp.example', 'retry.example.com', false],
        ['https://retry.example.com.evil.test', 'retry.example.com', false],
        ['https://retry.example.com@evil.test', 'retry.example.com', false],
      ];
      for (const [origin, host, isSame] of table) {
        it(`${origin} is ${isSame ? 'the same as' : 'another one than'} ${host}`, async () => {
          const { status, text } = await send({ method: 'DELETE', path: '/tasks/x', headers: { host, origin } });
          expect(status, text).to.equal(isSame ? 404 : 403);
          if (!isSame) expect(text, 'it says which two differ').to.include(JSON.stringify(JSON.stringify(origin)).slice(1, -1)).and.to.include(host);
        });
      }
    });

    it('takes no name from a header that anybody can set', async () => {
      const forwarded: readonly Readonly<Record<string, string>>[] = [{ 'x-forwarded-host': 'evil.example' }, { forwarded: 'host=evil.example;proto=https' }, { 'x-original-host': 'evil.example' }, { 'x-forwarded-server': 'evil.example' }, { 'x-http-method-override': 'GET' }];
      for (const headers of forwarded) {
        const answer = await send({ method: 'DELETE', path: '/tasks/x', headers: { host: 'retry.example.com', origin: 'https://evil.example', ...headers } });
        expect([answer.status, codeOf(answer)], JSON.stringify(headers)).to.deep.equal([403, 'origin_refused']);
        expect((await send({ path: '/livez', headers: { host: 'evil.example', ...headers, 'x-forwarded-host': 'retry.example.com' } })).status).to.equal(421);
      }
    });

    it('changes nothing when it refuses', async () => {
      const task = httpTask('http://127.0.0.1:9/', { initial_delay: 3_600 });
      await submitNew(service.baseUrl, task);
      const headers = { origin: 'https://evil.test' };
      const other = httpTask('http://127.0.0.1:9/', { initial_delay: 3_600 });
      const key = encodeURIComponent('http://127.0.0.1:9');
      const json = { ...headers, 'content-type': 'application/json' };
      for (const wanted of [
        { method: 'DELETE', path: `/tasks/${task.id}`, headers },
        { method: 'POST', path: `/tasks/${task.id}/retry`, headers },
        { method: 'POST', path: `/destinations/${key}/pause`, headers },
        { method: 'PUT', path: `/destinations/${key}`, headers: json, body: '{"paused":true}' },
        { method: 'POST', path: '/tasks', headers: json, body: JSON.stringify(other) },
        { method: 'POST', path: '/tasks/batch', headers: json, body: JSON.stringify([other]) },
      ]) expect((await send(wanted)).status, wanted.path).to.equal(403);
      expect((await service.queue.find(task.id))?.state).to.equal('scheduled');
      expect(await service.queue.find(other.id)).to.equal(undefined);
      expect(JSON.parse((await send({ path: `/destinations/${key}` })).text)).to.include({ paused: null });
    });
  });

  it('lets no page of another origin embed, frame or cache what it answers, whatever that is', async () => {
    const bytes = await Promise.all(['GET / HTTP/9', 'nothing\r\n\r\n', 'CONNECT a:1 HTTP/1.1\r\nHost: localhost\r\n\r\n'].map(async (head) => (await sendBytes(service.baseUrl, Buffer.from(`${head}\r\n\r\n`))).text));
    const answers = await Promise.all([...everything, { method: 'GET', path: '/docs/swagger-ui.css' }, { method: 'GET', path: '/admin/queues/static/favicon.ico' }].flatMap((wanted) => [{}, { accept: 'text/html', 'sec-fetch-site': 'cross-site' }, { host: 'rebind.test' }].map(async (headers) => {
      const { headers: got } = await send({ ...wanted, headers: { origin: 'https://evil.test', ...headers } });
      return [`${wanted.method} ${wanted.path} ${JSON.stringify(headers)}`, got] as const;
    })));
    for (const [name, headers] of answers) {
      expect(headers['cross-origin-resource-policy'], name).to.equal('same-origin');
      expect([headers['cache-control'], headers['x-content-type-options']], name).to.deep.equal(['no-store', 'nosniff']);
      expect(headers['content-security-policy'], name).to.match(/^default-src 'none'; .*frame-ancestors 'none'$/).and.not.match(/script-src[^;]*unsafe/);
      expect(headers['referrer-policy'], name).to.be.oneOf(['no-referrer', 'same-origin']);
      expect(Object.keys(headers).filter((each) => each.startsWith('access-control')), name).to.deep.equal([]);
    }
    for (const text of bytes) expect(text).to.include("\r\nContent-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n").and.to.include('\r\nReferrer-Policy: no-referrer\r\n');
  });
});

import { readFile } from 'node:fs/promises';
import { createServer as createHttpsServer } from 'node:https';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';

import { expect } from 'chai';

import { AddressGuard } from '../../../shared/addresses/address-guard.js';
import { parseDestinationRule } from '../../../shared/domain/addresses/destination-rule.js';
import type { PolicyLevel } from '../../../shared/domain/addresses/destination-policy.js';
import type { Credentials } from '../../../shared/domain/credentials/credential-values.js';
import { defaultPathMask } from '../../../shared/domain/destinations/path-mask.js';
import { deliveryError } from '../../../shared/domain/errors.js';
import { noSecretKeys } from '../../../shared/domain/secrets/secret-box.js';
import { createLogger } from '../../../shared/logging/logger.js';
import { TlsClient } from '../../../shared/tls/tls-client.js';
import { ConnectionPools } from '../../../workers/adapters/http/connection-pools.js';
import { failureFrom } from '../../../workers/adapters/http/credentials/token-record.js';
import { requestToken } from '../../../workers/adapters/http/credentials/token-request.js';
import { createHttpAdapter, type HttpAdapterOptions } from '../../../workers/adapters/http/http-adapter.js';
import type { ProxySettings } from '../../../workers/adapters/http/proxy-tunnel.js';
import { TestAuthority, type IssuedCertificate } from '../../support/certificates.js';
import { ConnectProxy } from '../../support/connect-proxy.js';
import { eventually } from '../../support/eventually.js';
import { createReceiver, type Receiver } from '../../support/receiver.js';
import { CollectedLog } from '../../support/service-in-process.js';
import { Closing } from '../kafka/sending.js';
import { inShort, sendTo } from './sending.js';

describe('http adapter: through a proxy', function () {
  this.timeout(30_000);
  const closing = new Closing();
  const stopping = new Closing();
  let authority: TestAuthority;
  let proxy: ConnectProxy;
  let receiver: Receiver;

  before(async () => {
    [authority, receiver] = await Promise.all([TestAuthority.create(), createReceiver()]);
    stopping.add(authority);
    stopping.add(receiver);
  });
  after(() => stopping.closeAll());
  beforeEach(async () => {
    proxy = closing.add(await ConnectProxy.start());
  });
  afterEach(() => closing.closeAll());

  const settings = (more: Partial<ProxySettings> = {}): ProxySettings => ({ host: '127.0.0.1', port: proxy.port, isSecure: false, authorization: undefined, resolves: false, bypass: [], ...more });
  /** Names lead to these addresses; a name that is not here has none. */
  const guardOf = (hosts: Readonly<Record<string, string>>, level: PolicyLevel = 'any'): AddressGuard =>
    new AddressGuard({
      policy: { level, allow: [parseDestinationRule('127.0.0.1') ?? expect.fail('no rule')], deny: [] },
      isOwnRedis: () => false,
      lookup: (name, _options, callback) => {
        const address = hosts[name];
        if (address === undefined) callback(Object.assign(new Error(`getaddrinfo ENOTFOUND ${name}`), { code: 'ENOTFOUND', syscall: 'getaddrinfo' }), []);
        else callback(null, [{ address, family: address.includes(':') ? 6 : 4 }]);
      },
    });
  const adapterWith = (options: HttpAdapterOptions) => closing.add(createHttpAdapter(options));
  const withCredentials = (values: Credentials): NonNullable<HttpAdapterOptions['credentials']> => ({
    watch: { has: () => true, find: () => ({ key: 'https://shop.test', identity: 'own', values }) },
    tokens: () => expect.fail('no token is asked for here'),
    secrets: noSecretKeys,
    mask: defaultPathMask,
  });

  it('gives the proxy the address that was judged, and the receiver the name; connections are kept', async () => {
    const adapter = adapterWith({ proxy: settings(), guard: guardOf({ 'shop.test': '127.0.0.1' }) });
    for (let nth = 0; nth < 6; nth += 1) expect(inShort(await sendTo(adapter, `http://shop.test:${receiver.port}/orders?a=b`))).to.equal('delivered 200');
    expect(new Set(proxy.asked)).to.deep.equal(new Set([`127.0.0.1:${receiver.port}`]));
    expect(proxy.asked.length).to.be.at.most(2);
    const seen = receiver.requestsTo('/orders').at(-1);
    expect([seen?.path, seen?.headers['host']]).to.deep.equal(['/orders?a=b', `shop.test:${receiver.port}`]);
    expect(seen?.headers).to.not.have.any.keys('proxy-authorization', 'proxy-connection', 'via');
    await adapter.close();
    await eventually(() => { expect(proxy.openConnections).to.equal(0); });
  });

  it('asks it for nothing that is forbidden or has no address', async () => {
    const adapter = adapterWith({ proxy: settings(), guard: guardOf({ 'inner.test': '10.0.0.7', 'cloud.test': '169.254.169.254' }, 'public') });
    const urls = ['http://inner.test/', 'http://cloud.test/', 'http://[::ffff:a00:7]/', 'http://10.0.0.7/', 'http://169.254.169.254/'];
    expect(await Promise.all(urls.map(async (url) => inShort(await sendTo(adapter, url))))).to.deep.equal(urls.map(() => 'address_forbidden'));
    expect(inShort(await sendTo(adapter, 'http://unknown.test/'))).to.equal('host_not_found');
    expect(proxy.asked).to.deep.equal([]);
  });

  it('leaves names to a proxy that resolves, and judges literal addresses all the same', async () => {
    const resolving = closing.add(await ConnectProxy.start({ hosts: { 'only-there.test': '127.0.0.1' } }));
    const adapter = adapterWith({ proxy: settings({ port: resolving.port, resolves: true }), guard: guardOf({}, 'public') });
    expect(inShort(await sendTo(adapter, `http://only-there.test:${receiver.port}/`))).to.equal('delivered 200');
    expect(resolving.asked).to.deep.equal([`only-there.test:${receiver.port}`]);
    for (const url of ['http://10.0.0.7/', 'http://only-there.test:25/', 'http://only-there.test:6379/']) expect(inShort(await sendTo(adapter, url)), url).to.equal('address_forbidden');
    expect(resolving.asked).to.have.length(1);
  });

  it('connects directly to what is to go past the proxy, and judges that in full', async () => {
    const bypass = ['*.direct.test', '127.0.0.0/8'].map((text) => parseDestinationRule(text) ?? expect.fail(text));
    const adapter = adapterWith({ proxy: settings({ bypass }), guard: guardOf({ 'a.direct.test': '127.0.0.1', 'b.direct.test': '10.0.0.7' }, 'public') });
    for (const host of ['a.direct.test', 'A.DIRECT.test', '127.0.0.1']) expect(inShort(await sendTo(adapter, `http://${host}:${receiver.port}/`)), host).to.equal('delivered 200');
    expect(inShort(await sendTo(adapter, 'http://b.direct.test/'))).to.equal('address_forbidden');
    expect(proxy.asked).to.deep.equal([]);
  });

  it('logs in to the proxy, and says when the proxy is at fault: no attempt is used', async () => {
    const locked = closing.add(await ConnectProxy.start({ login: 'us:secret-of-proxy' }));
    const guard = guardOf({ 'shop.test': '127.0.0.1' });
    const url = `http://shop.test:${receiver.port}/`;
    const login = { port: locked.port, authorization: `Basic ${Buffer.from('us:secret-of-proxy').toString('base64')}` };
    expect(inShort(await sendTo(adapterWith({ proxy: settings(login), guard }), url))).to.equal('delivered 200');
    expect(inShort(await sendTo(adapterWith({ proxy: settings({ port: locked.port }), guard }), url))).to.equal('proxy_unavailable');
    const closed = await sendTo(adapterWith({ proxy: settings({ port: 9 }), guard }), url);
    expect(inShort(closed)).to.equal('proxy_unavailable');
    expect(closed.kind === 'failed' && closed.detail).to.include('ECONNREFUSED').and.to.not.include('127.0.0.1:9');
    for (const [fate, code] of [['close', 'proxy_refused'], [{ answer: 'SSH-2.0-x\r\n\r\n' }, 'proxy_unavailable'], [{ answer: 'HTTP/1.1 403 Forbidden\r\n\r\n' }, 'proxy_refused'], [{ answer: 'HTTP/1.1 503 Unreachable\r\n\r\n' }, 'proxy_refused']] as const) {
      proxy.fate = fate;
      expect(inShort(await sendTo(adapterWith({ proxy: settings(), guard }), url)), JSON.stringify(fate)).to.equal(code);
    }
    proxy.fate = 'hang';
    expect(inShort(await sendTo(adapterWith({ proxy: settings(), guard, connectTimeoutMs: 300 }), url))).to.equal('connect_timed_out');
    await eventually(() => { expect(proxy.openConnections).to.equal(0); });
  });

  it('ends with the attempt while the proxy still tries', async () => {
    proxy.fate = 'hang';
    const adapter = adapterWith({ proxy: settings(), guard: guardOf({ 'shop.test': '127.0.0.1' }) });
    expect(inShort(await sendTo(adapter, `http://shop.test:${receiver.port}/`, { limitMs: 200 }))).to.equal('timed_out');
    await eventually(() => { expect(proxy.openConnections).to.equal(0); });
  });

  it('uses an attempt for whatever a proxy that has let us in does to one CONNECT, so no task to one receiver is without an end', async () => {
    const guard = guardOf({ 'shop.test': '127.0.0.1', 'other.test': '127.0.0.1' });
    const adapter = adapterWith({ proxy: settings(), guard });
    expect(inShort(await sendTo(adapter, `http://shop.test:${receiver.port}/`))).to.equal('delivered 200');
    for (const fate of ['close', { answer: 'HTTP/1.1 407 Proxy Authentication Required\r\n\r\n' }, { answer: 'SSH-2.0-x\r\n\r\n' }, { answer: '' }] as const) {
      proxy.fate = fate;
      expect(inShort(await sendTo(adapter, `http://other.test:${receiver.port}/`)), JSON.stringify(fate)).to.equal('proxy_refused');
    }
    proxy.fate = 'pass';
    expect(inShort(await sendTo(adapter, `http://other.test:${receiver.port}/`))).to.equal('delivered 200');
  });

  it('is tried by one send at a time while it swallows what it is sent: the others end at once', async () => {
    let connections = 0;
    const silent = createTcpServer((socket) => {
      connections += 1;
      socket.resume().on('error', () => undefined);
      closing.add({ close: async () => { socket.destroy(); } });
    });
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    closing.add({ close: () => new Promise((resolve) => { silent.close(resolve); }) });
    // It listens on TCP. Its handshake never ends.
    const adapter = adapterWith({ proxy: settings({ port: (silent.address() as AddressInfo).port, isSecure: true }), guard: guardOf({ 'shop.test': '127.0.0.1' }), connectTimeoutMs: 600 });
    const sendMany = (): Promise<string[]> => Promise.all(Array.from({ length: 10 }, async () => inShort(await sendTo(adapter, 'http://shop.test/'))));
    const all = Array<string>(10).fill('proxy_unavailable');
    expect(inShort(await sendTo(adapter, 'http://shop.test/'))).to.equal('proxy_unavailable');
    expect(await sendMany()).to.deep.equal(all);
    expect(connections).to.equal(1);
    await eventually(async () => {
      expect(await sendMany()).to.deep.equal(all);
      expect(connections).to.be.above(1);
    });
    expect(connections).to.equal(2);
  });

  it('stands in the log once when it cannot be used, without its login, and when it can again', async () => {
    const log = new CollectedLog();
    const logger = createLogger({ level: 'info', environment: 'prod', role: 'worker' }, log);
    const way: { -readonly [K in keyof ProxySettings]: ProxySettings[K] } = { ...settings({ port: 9, authorization: `Basic ${Buffer.from('us:secret-of-proxy').toString('base64')}` }) };
    const adapter = adapterWith({ proxy: way, guard: guardOf({ 'shop.test': '127.0.0.1' }), logger });
    const send = async (): Promise<string> => inShort(await sendTo(adapter, `http://shop.test:${receiver.port}/`));
    for (let nth = 0; nth < 3; nth += 1) expect(await send()).to.equal('proxy_unavailable');
    way.port = proxy.port;
    await eventually(async () => { expect(await send()).to.equal('delivered 200'); });
    logger.flush();
    const lines = log.text.trim().split('\n').map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
    expect(lines.map(({ level, event, code, error }) => [level, event, code, error])).to.deep.equal([['error', 'proxy_unusable', 'proxy_unavailable', 'the proxy cannot be reached: ECONNREFUSED'], ['info', 'proxy_usable', undefined, undefined]]);
    expect(log.text).to.not.include('secret-of-proxy').and.to.not.include('Basic');
  });

  it('uses no attempt of a task that needs a token while it is away, and the token server is asked again soon', async () => {
    const pools = closing.add(new ConnectionPools({ connectTimeoutMs: 1_000, maxIdleOrigins: 1, maxAgeMs: 30_000, random: Math.random, guard: guardOf({}), proxy: settings({ port: 9 }) }));
    const client = { token_url: `http://127.0.0.1:${receiver.port}/token`, client_id: 'c', client_secret: 's', client_authentication: 'header' } as const;
    const failure = { code: 'proxy_unavailable', detail: 'the token server could not be asked: proxy_unavailable' } as const;
    expect(await requestToken(pools, client, new AbortController().signal)).to.deep.equal({ failure });
    expect(deliveryError(failure.code).usesAttempt).to.equal(false);
    expect([failureFrom(failure, 6, 0), failureFrom({ code: 'token_unavailable', detail: '' }, 6, 0)].map((record) => record.kind === 'failure' && [record.failures, record.until])).to.deep.equal([[6, 2_000], [7, 60_000]]);
  });

  describe('with TLS', () => {
    let ofShop: IssuedCertificate;
    let ofUs: IssuedCertificate;
    const seen: { readonly servername: unknown; readonly who: string; readonly host: string | undefined }[] = [];
    let port: number;

    before(async () => {
      [ofShop, ofUs] = await Promise.all([authority.issue({ names: ['DNS:shop.test'] }), authority.issue({ commonName: 'us', names: [] })]);
      const server = createHttpsServer({ cert: await readFile(ofShop.cert), key: await readFile(ofShop.key), requestCert: true, rejectUnauthorized: false }, (request, response) => {
        const socket = request.socket as TLSSocket & { readonly servername?: unknown };
        seen.push({ servername: socket.servername, who: String((socket.getPeerCertificate().subject as { CN?: string } | undefined)?.CN), host: request.headers.host });
        request.resume().on('end', () => response.end());
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      // It listens on TCP.
      port = (server.address() as AddressInfo).port;
      stopping.add({ close: () => new Promise((resolve) => { server.close(resolve).closeAllConnections(); }) });
    });

    async function own(): Promise<Credentials> {
      const [certificate, key, ca] = await Promise.all([ofUs.cert, ofUs.key, authority.ca].map((file) => readFile(file, 'utf8')));
      return { bearer: { token: 'token-of-shop' }, client_certificate: { certificate: certificate ?? '', key: key ?? '', ca: ca ?? '' } };
    }

    it('speaks with the receiver itself: its name and our certificate are shown there, through proxies of both kinds', async () => {
      const ofProxy = await authority.issue();
      const secure = closing.add(await ConnectProxy.start({ tls: { cert: await readFile(ofProxy.cert, 'utf8'), key: await readFile(ofProxy.key, 'utf8') } }));
      const guard = guardOf({ 'shop.test': '127.0.0.1', 'other.test': '127.0.0.1' });
      for (const [through, way] of [[proxy, settings()], [secure, settings({ port: secure.port, isSecure: true, tls: new TlsClient({ ca: authority.ca }) })]] as const) {
        const adapter = adapterWith({ proxy: way, guard, credentials: withCredentials(await own()) });
        const results = await Promise.all(Array.from({ length: 5 }, () => sendTo(adapter, `https://shop.test:${port}/`)));
        results.push(await sendTo(adapter, `https://shop.test:${port}/`));
        expect(results.map(inShort)).to.deep.equal(results.map(() => 'delivered 200'));
        expect(seen.splice(0)).to.deep.equal(results.map(() => ({ servername: 'shop.test', who: 'us', host: `shop.test:${port}` })));
        expect(new Set(through.asked)).to.deep.equal(new Set([`127.0.0.1:${port}`]));
        expect(through.asked).to.have.length(5);
        expect(through.passed.toString('latin1')).to.not.include('token-of-shop').and.to.not.include('CONNECT');
        // Each hop is checked by its own name.
        expect(inShort(await sendTo(adapter, `https://other.test:${port}/`))).to.equal('tls_failed');
        await adapter.close();
        await eventually(() => { expect(through.openConnections).to.equal(0); });
      }
      const untrusted = adapterWith({ proxy: settings({ port: secure.port, isSecure: true }), guard, credentials: withCredentials(await own()) });
      expect(inShort(await sendTo(untrusted, `https://shop.test:${port}/`))).to.equal('proxy_unavailable');
    });
  });
});

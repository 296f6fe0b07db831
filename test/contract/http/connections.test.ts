import { openGuard } from '../../../shared/addresses/address-guard.js';
import type { Socket } from 'node:net';

import { expect } from 'chai';

import type { HttpDestination } from '../../../shared/domain/destinations/http.js';
import type { DeliveryAdapter } from '../../../shared/domain/ports.js';
import { ShuttingDown, TimeLimitReached } from '../../../shared/domain/ports.js';
import { ConnectionPools } from '../../../workers/adapters/http/connection-pools.js';
import { exchange } from '../../../workers/adapters/http/exchange.js';
import { createHttpAdapter, type HttpAdapterOptions } from '../../../workers/adapters/http/http-adapter.js';
import { eventually } from '../../support/eventually.js';
import { createReceiver, type Behaviour, type Receiver } from '../../support/receiver.js';
import { UNKNOWN_HOST } from '../../support/unknown-host.js';
import { freePort } from '../../../scripts/servers/free-port.mjs';
import { attemptFor, createTcpServer, inShort, sendTo, type TcpServer } from './sending.js';

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n';

describe('http adapter: its connections', function () {
  this.timeout(30_000);

  let adapter: DeliveryAdapter<HttpDestination>;
  let receiver: Receiver;
  const tcpServers: TcpServer[] = [];

  beforeEach(async () => {
    adapter = createHttpAdapter();
    receiver = await createReceiver();
  });
  afterEach(async () => {
    await adapter.close();
    await Promise.all([receiver.close(), ...tcpServers.splice(0).map((server) => server.close())]);
  });

  /** Instead of the default adapter; closed like it. */
  async function useAdapter(options: HttpAdapterOptions): Promise<void> {
    await adapter.close();
    adapter = createHttpAdapter(options);
  }

  async function tcpServer(onBytes?: (bytes: Buffer, socket: Socket) => void): Promise<TcpServer> {
    const server = await createTcpServer(onBytes);
    tcpServers.push(server);
    return server;
  }

  async function sendOften(url: string, times: number): Promise<string[]> {
    const results: string[] = [];
    for (let i = 0; i < times; i += 1) results.push(inShort(await sendTo(adapter, url)));
    return results;
  }

  describe('kept alive', () => {
    it('uses a connection again', async () => {
      expect(new Set(await sendOften(receiver.url('/'), 50))).to.deep.equal(new Set(['delivered 200']));
      // Two, not one: a connection is lent again one turn of the event loop after its answer.
      expect(receiver.connectionsMade).to.be.at.most(2);
    });

    it('makes as many connections as there are sends at the same time', async () => {
      receiver.on('/slow', { kind: 'answer', delayMs: 100 });
      const results = await Promise.all(Array.from({ length: 50 }, () => sendTo(adapter, receiver.url('/slow'))));
      expect(new Set(results.map(inShort))).to.deep.equal(new Set(['delivered 200']));
      expect(receiver.maxInFlight).to.equal(50);
    });

    it('delivers over a new connection when the receiver closed the idle one', async () => {
      const sockets = new Set<Socket>();
      const server = await tcpServer((_bytes, socket) => { sockets.add(socket); socket.write(ok); });
      const url = `http://127.0.0.1:${server.port}/`;
      for (let i = 1; i <= 20; i += 1) {
        expect(inShort(await sendTo(adapter, url))).to.equal('delivered 200');
        for (const socket of sockets) socket.end();
        sockets.clear();
        await eventually(() => { expect(server.openConnections).to.equal(0); });
        expect(server.connectionsMade).to.equal(i);
      }
    });

    it('delivers when the receiver closes after each answer without having said so', async () => {
      const server = await tcpServer((_bytes, socket) => { socket.end(ok); });
      const results = await sendOften(`http://127.0.0.1:${server.port}/`, 100);
      expect(results.filter((result) => result === 'delivered 200')).to.have.lengthOf(100);
    });

    it('does not use a connection again that the receiver announced to close', async () => {
      receiver.on('/', { kind: 'answer', headers: { connection: 'close' } });
      expect(new Set(await sendOften(receiver.url('/'), 10))).to.deep.equal(new Set(['delivered 200']));
      expect(receiver.connectionsMade).to.equal(10);
    });

    it('closes an unused connection by itself after 4 s, even if the receiver would keep it for long', async () => {
      receiver.on('/', { kind: 'answer', headers: { connection: 'keep-alive', 'keep-alive': 'timeout=600' } });
      await sendTo(adapter, receiver.url('/'));
      const idleSince = performance.now();
      expect(receiver.openConnections).to.equal(1);
      await eventually(() => { expect(receiver.openConnections).to.equal(0); }, { withinMs: 20_000 });
      expect(performance.now() - idleSince, 'ms').to.be.within(2_500, 15_000);
    });
  });

  describe('to many origins', () => {
    it('keeps no more idle origins than it may, and closes the longest unused first', async () => {
      await useAdapter({ maxIdleOrigins: 10 });
      const servers = await Promise.all(Array.from({ length: 100 }, () => tcpServer((_bytes, socket) => socket.write(ok))));
      for (const server of servers) {
        expect(inShort(await sendTo(adapter, `http://127.0.0.1:${server.port}/`))).to.equal('delivered 200');
      }
      await eventually(() => {
        expect(servers.map((server) => server.openConnections)).to.deep.equal([...Array<number>(90).fill(0), ...Array<number>(10).fill(1)]);
      });
    });

    it('leaves those alone that are in use, however many', async () => {
      await useAdapter({ maxIdleOrigins: 0 });
      const waiting: Socket[] = [];
      const servers = await Promise.all(Array.from({ length: 50 }, () => tcpServer((_bytes, socket) => waiting.push(socket))));
      const sends = servers.map((server) => sendTo(adapter, `http://127.0.0.1:${server.port}/`));
      await eventually(() => { expect(waiting).to.have.lengthOf(50); });
      for (const socket of waiting) socket.write(ok);
      expect(new Set((await Promise.all(sends)).map(inShort))).to.deep.equal(new Set(['delivered 200']));
      await eventually(() => { expect(servers.reduce((sum, server) => sum + server.openConnections, 0)).to.equal(0); });
    });

    it('leaves an origin alone as long as any of its sends is under way', async () => {
      await useAdapter({ maxIdleOrigins: 0 });
      const waiting: Socket[] = [];
      const server = await tcpServer((_bytes, socket) => waiting.push(socket));
      const sends = [1, 2].map(() => sendTo(adapter, `http://127.0.0.1:${server.port}/`));
      await eventually(() => { expect(waiting).to.have.lengthOf(2); });
      waiting[0]?.write(ok);
      expect(inShort(await Promise.race(sends))).to.equal('delivered 200');
      waiting[1]?.write(ok);
      expect((await Promise.all(sends)).map(inShort)).to.deep.equal(['delivered 200', 'delivered 200']);
    });

    it('leaves an origin alone that was idle and is in use again', async () => {
      await useAdapter({ maxIdleOrigins: 1 });
      receiver.on('/slow', { kind: 'answer', delayMs: 200 });
      const others = await Promise.all([1, 2].map(() => tcpServer((_bytes, socket) => socket.write(ok))));
      await sendTo(adapter, receiver.url('/'));
      const slow = sendTo(adapter, receiver.url('/slow'));
      await receiver.waitForRequests(1, { path: '/slow' });
      for (const other of others) {
        expect(inShort(await sendTo(adapter, `http://127.0.0.1:${other.port}/`))).to.equal('delivered 200');
      }
      expect(inShort(await slow)).to.equal('delivered 200');
    });

    it('remembers nothing of an origin whose connections are closed', async () => {
      const pools = new ConnectionPools({ connectTimeoutMs: 1_000, maxIdleOrigins: 256, maxAgeMs: 30_000, random: Math.random, guard: openGuard() });
      const closing = await tcpServer((_bytes, socket) => { socket.end(ok); });
      for (const origin of [`http://127.0.0.1:${closing.port}`, `http://127.0.0.1:${await freePort()}`]) {
        const borrowed = pools.borrow(origin);
        expect(pools.originCount).to.equal(1);
        await exchange(borrowed.connection, { method: 'POST', path: '/', body: 'x' }, new AbortController().signal);
        pools.giveBack(borrowed);
        await eventually(() => { expect(pools.originCount).to.equal(0); });
      }
      await pools.close();
    });

    it('forgets 1,000 origins within some seconds, without being closed', async () => {
      const servers = await Promise.all(Array.from({ length: 1_000 }, () => tcpServer((_bytes, socket) => socket.write(ok))));
      const openNow = (): number => servers.reduce((sum, server) => sum + server.openConnections, 0);
      const results: string[] = [];
      let next = 0;
      await Promise.all(Array.from({ length: 50 }, async () => {
        for (let server = servers[next++]; server !== undefined; server = servers[next++]) {
          results.push(inShort(await sendTo(adapter, `http://127.0.0.1:${server.port}/`)));
        }
      }));
      expect(results.filter((result) => result === 'delivered 200')).to.have.lengthOf(1_000);
      await eventually(() => { expect(openNow()).to.be.at.most(256); });
      await eventually(() => { expect(openNow()).to.equal(0); }, { withinMs: 10_000 });
    });
  });

  describe('that cannot be made', () => {
    it('is connection_refused when nothing listens', async () => {
      expect(inShort(await sendTo(adapter, `http://127.0.0.1:${await freePort()}/`))).to.equal('connection_refused');
    });

    it('is connection_refused when nothing listens on any address of the host', async () => {
      expect(inShort(await sendTo(adapter, `http://localhost:${await freePort()}/`))).to.equal('connection_refused');
    });

    it('is host_not_found when the name does not exist', async () => {
      expect(inShort(await sendTo(adapter, `http://${UNKNOWN_HOST}/`))).to.equal('host_not_found');
    });

    it('reaches a host through whichever of its addresses answers', async () => {
      expect(inShort(await sendTo(adapter, `http://localhost:${receiver.port}/`))).to.equal('delivered 200');
    });

    it('is connect_timed_out when the handshake never ends', async () => {
      await useAdapter({ connectTimeoutMs: 200 });
      const silent = await tcpServer();
      const startedAt = performance.now();
      expect(inShort(await sendTo(adapter, `https://127.0.0.1:${silent.port}/`))).to.equal('connect_timed_out');
      expect(performance.now() - startedAt, 'ms; without the setting it is 10 s').to.be.below(8_000);
      await eventually(() => { expect(silent.openConnections).to.equal(0); });
    });

    for (const [reason, code] of [[new TimeLimitReached(50), 'timed_out'], [new ShuttingDown(), 'shutting_down']] as const) {
      it(`is ${code} at once when the signal aborts during the handshake, and the connection is dropped`, async () => {
        const silent = await tcpServer();
        const limit = new AbortController();
        const sending = adapter.send(attemptFor('task'), { type: 'http', url: `https://127.0.0.1:${silent.port}/` }, limit.signal);
        await eventually(() => { expect(silent.received.length).to.be.above(0); });
        const abortedAt = performance.now();
        limit.abort(reason);
        expect(inShort(await sending)).to.equal(code);
        expect(performance.now() - abortedAt, 'ms; the handshake has 10 s').to.be.below(5_000);
        await adapter.close();
        await eventually(() => { expect(silent.openConnections).to.equal(0); });
      });
    }

    it('sends nothing more when the signal aborts while the connection is being made', async () => {
      const limit = new AbortController();
      const sending = adapter.send(attemptFor('never'), { type: 'http', url: receiver.url('/') }, limit.signal);
      limit.abort(new TimeLimitReached(1));
      expect(inShort(await sending)).to.equal('timed_out');
      await sendTo(adapter, receiver.url('/'), { attempt: attemptFor('behind') });
      expect(receiver.requests.map((request) => request.key)).to.deep.equal(['behind|0']);
    });

    it('closes soon while handshakes hang', async () => {
      const silent = await tcpServer();
      const sends = Array.from({ length: 20 }, () => sendTo(adapter, `https://127.0.0.1:${silent.port}/`));
      await eventually(() => { expect(silent.openConnections).to.equal(20); });
      const closedAt = performance.now();
      await adapter.close();
      expect(new Set((await Promise.all(sends)).map(inShort))).to.deep.equal(new Set(['shutting_down']));
      expect(performance.now() - closedAt, 'ms; the handshakes have 10 s').to.be.below(5_000);
      await eventually(() => { expect(silent.openConnections).to.equal(0); });
    });
  });

  describe('when something is wrong with us', () => {
    it('rejects when the signal aborts for a reason that is not in the contract', async () => {
      receiver.on('/', { kind: 'hang' });
      const limit = new AbortController();
      const failure = adapter.send(attemptFor('task'), { type: 'http', url: receiver.url('/') }, limit.signal).then(
        () => undefined,
        (error: unknown) => error,
      );
      await receiver.waitForRequests(1);
      limit.abort(new Error('because'));
      expect(await failure).to.be.an.instanceOf(Error);
      expect(String((await failure as Error).cause)).to.equal('Error: because');
    });

    it('rejects when the url is none, which the schema should have caught', async () => {
      const failure = await sendTo(adapter, 'not a url').then(() => undefined, (error: unknown) => error);
      expect(failure).to.be.an.instanceOf(TypeError);
    });
  });

  it('leaves no socket behind after 2,000 sends of all kinds', async () => {
    const closedPort = await freePort();
    const kinds: readonly (readonly [path: string, short: string, behaviour: Behaviour])[] = [
      ['/ok', 'delivered 200', { kind: 'answer' }],
      ['/500', 'http_server_error', { kind: 'answer', status: 500, body: 'no' }],
      ['/302', 'http_redirect', { kind: 'answer', status: 302, headers: { location: '/ok' } }],
      ['/429', 'http_busy', { kind: 'answer', status: 429 }],
      ['/reset', 'connection_reset', { kind: 'break', when: 'before_headers' }],
      ['/cut', 'delivered 200', { kind: 'break', when: 'in_body', how: 'close' }],
      ['/noise', 'response_invalid', { kind: 'raw', bytes: 'noise\r\n\r\n' }],
      ['/hang', 'timed_out', { kind: 'hang' }],
      ['/trickle', 'http_server_error', { kind: 'trickle', status: 500 }],
      ['/big', 'delivered 200', { kind: 'big', bodyBytes: 300_000 }],
    ];
    for (const [path, , behaviour] of kinds) receiver.on(path, behaviour);
    const socketsBefore = process.getActiveResourcesInfo().filter((kind) => kind.startsWith('TCPSocket')).length;

    const unexpected: string[] = [];
    let sent = 0;
    await Promise.all(Array.from({ length: 100 }, async () => {
      while (sent < 2_000) {
        const number = sent++;
        const kind = kinds[number % (kinds.length + 1)];
        const url = kind === undefined ? `http://127.0.0.1:${closedPort}/` : receiver.url(kind[0]);
        const expected = kind === undefined ? 'connection_refused' : kind[1];
        // A trickle must have begun by then, on a machine that does other things, too.
        const limitMs = kind?.[0] === '/hang' ? 100 : kind?.[0] === '/trickle' ? 2_000 : 10_000;
        const result = await sendTo(adapter, url, { attempt: attemptFor(`task-${number}`), limitMs });
        if (inShort(result) !== expected) unexpected.push(`${url}: ${JSON.stringify(result)}`);
      }
    }));
    expect(sent).to.equal(2_000);
    expect(unexpected).to.deep.equal([]);

    // Even before it is closed: what failed is gone, and what was kept alive has had its time.
    await eventually(() => { expect(receiver.openConnections).to.equal(0); }, { withinMs: 10_000 });
    await adapter.close();
    await eventually(() => {
      expect(process.getActiveResourcesInfo().filter((kind) => kind.startsWith('TCPSocket'))).to.have.lengthOf(socketsBefore);
    });
  });
});

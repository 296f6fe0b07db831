import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

import { expect } from 'chai';

import type { HttpDestination } from '../../../shared/domain/destinations/http.js';
import type { DeliveryAdapter } from '../../../shared/domain/ports.js';
import { createHttpAdapter } from '../../../workers/adapters/http/http-adapter.js';
import { eventually } from '../../support/eventually.js';
import { attemptFor, inShort, sendTo } from './sending.js';

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n';

describe('http adapter: what a receiver sends before it gets a request', function () {
  this.timeout(20_000);

  let adapter: DeliveryAdapter<HttpDestination>;
  let server: Server;
  let received = '';
  const sockets = new Set<Socket>();

  beforeEach(() => {
    adapter = createHttpAdapter();
    received = '';
  });
  afterEach(async () => {
    await adapter.close();
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => { server.close(resolve); });
  });

  /** @param onRequest  called with each piece that comes */
  async function receiverThat(onConnection: (socket: Socket) => void, onRequest: (socket: Socket) => void = () => undefined): Promise<string> {
    server = createServer((socket) => {
      sockets.add(socket.setNoDelay());
      socket.on('error', () => undefined);
      socket.once('close', () => sockets.delete(socket));
      socket.on('data', (bytes) => {
        received += bytes.toString('latin1');
        onRequest(socket);
      });
      onConnection(socket);
    });
    await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
    const { port } = server.address() as AddressInfo; // a listening TCP server has no other kind of address
    return `http://127.0.0.1:${port}/`;
  }

  for (const [what, bytes, quote] of [
    ['a 200', ok, 'HTTP/1.1 200 OK'],
    ['the beginning of a 200', 'HTTP/1.1 2', 'HTTP/1.1 2'],
    ['a 100', 'HTTP/1.1 100 Continue\r\n\r\n', 'HTTP/1.1 100 Continue'],
    ['a 503', 'HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n', 'HTTP/1.1 503 Busy'],
    ['a greeting of another protocol', '220 mail.example.com ESMTP\r\n', '220 mail.example.com ESMTP'],
    ['a 200 behind empty lines', `\r\n\r\n${ok}`, 'HTTP/1.1 200 OK'],
  ] as const) {
    it(`does not take ${what} for an answer, sends nothing, and closes the connection`, async () => {
      const url = await receiverThat((socket) => socket.write(bytes), (socket) => socket.end());
      const result = await sendTo(adapter, url);
      expect(result).to.deep.equal({ kind: 'failed', code: 'response_invalid', detail: `The receiver spoke before it had the request: "${quote}"` });
      await eventually(() => { expect(sockets.size).to.equal(0); });
      expect(received).to.equal('');
    });
  }

  it('does not take a 200 for an answer when the receiver closes behind it', async () => {
    const url = await receiverThat((socket) => socket.end(ok));
    expect(inShort(await sendTo(adapter, url))).to.equal('response_invalid');
  });

  for (const [how, end] of [
    ['closes', (socket: Socket) => socket.end()],
    ['resets', (socket: Socket) => socket.resetAndDestroy()],
  ] as const) {
    it(`is connection_reset when a receiver ${how} the connection at once, and makes no other one`, async () => {
      let made = 0;
      const url = await receiverThat((socket) => {
        made += 1;
        end(socket);
      });
      expect(inShort(await sendTo(adapter, url))).to.equal('connection_reset');
      expect(made).to.equal(1);
    });
  }

  it('skips empty lines', async () => {
    const url = await receiverThat((socket) => socket.write('\r\n\r\n'), (socket) => socket.write(ok));
    expect(inShort(await sendTo(adapter, url))).to.equal('delivered 200');
  });

  it('delivers the next message when the receiver has stopped that', async () => {
    let isEarly = true;
    const url = await receiverThat((socket) => { if (isEarly) socket.write(ok); }, (socket) => socket.write(ok));
    expect(inShort(await sendTo(adapter, url, { attempt: attemptFor('first') }))).to.equal('response_invalid');
    isEarly = false;
    expect(inShort(await sendTo(adapter, url, { attempt: attemptFor('second') }))).to.equal('delivered 200');
    expect(received).to.contain('second|0').and.not.contain('first|0');
  });

  it('ends soon when the signal aborts while it looks', async () => {
    const url = await receiverThat(() => undefined);
    const sends = Array.from({ length: 20 }, () => sendTo(adapter, url));
    await adapter.close();
    expect(new Set((await Promise.all(sends)).map(inShort))).to.deep.equal(new Set(['shutting_down']));
  });
});

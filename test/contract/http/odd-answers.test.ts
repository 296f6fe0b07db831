import { expect } from 'chai';

import type { HttpDestination } from '../../../shared/domain/destinations/http.js';
import type { DeliveryAdapter } from '../../../shared/domain/ports.js';
import { createHttpAdapter } from '../../../workers/adapters/http/http-adapter.js';
import { eventually } from '../../support/eventually.js';
import { oddAnswers, ok, processing } from './odd-answers.js';
import { createRawReceiver, type RawReceiver } from './raw-receiver.js';
import { attemptFor, createTcpServer, inShort, sendTo, type TcpServer } from './sending.js';

describe('http adapter: odd answers', function () {
  this.timeout(20_000);

  let adapter: DeliveryAdapter<HttpDestination>;
  let receiver: RawReceiver | undefined;

  beforeEach(() => {
    adapter = createHttpAdapter();
  });
  afterEach(async () => {
    await adapter.close();
    await receiver?.close();
  });

  // Of each one request arrives, never two, and the next message is delivered.
  for (const [short, odd] of Object.entries(oddAnswers)) {
    for (const { what, bytes, then = 'stay', detail, retryAfterMs } of odd) {
      it(`${short} at ${what}`, async () => {
        const pieces = typeof bytes === 'string' || Buffer.isBuffer(bytes) ? [bytes] : bytes;
        receiver = await createRawReceiver(({ key }) => key === 'next|0' ? { pieces: [ok] } : { pieces, then });
        const result = await sendTo(adapter, receiver.url(), { attempt: attemptFor('odd') });
        expect(inShort(result), JSON.stringify(result)).to.equal(short);
        if (result.kind === 'failed') {
          if (typeof detail === 'string') expect(result.detail).to.equal(detail);
          if (detail instanceof RegExp) expect(result.detail).to.match(detail);
          expect(result.retryAfterMs).to.equal(retryAfterMs);
        }
        // A second copy would have come before this.
        expect(inShort(await sendTo(adapter, receiver.url(), { attempt: attemptFor('next') }))).to.equal('delivered 200');
        expect(receiver.requests.map(({ key }) => key)).to.deep.equal(['odd|0', 'next|0']);
      });
    }
  }

  it('delivers wherever an answer with a 100 and a folded header is cut', async () => {
    const bytes = 'HTTP/1.1 100 C\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nX: one\r\n two\r\nContent-Length: 2\r\n\r\nok';
    receiver = await createRawReceiver(({ path }) => {
      const at = Number(path.slice(1));
      return { pieces: [bytes.slice(0, at), bytes.slice(at)] };
    });
    const base = receiver.url('');
    const cuts = Array.from({ length: bytes.length - 1 }, (_, nth) => nth + 1);
    const results = await Promise.all(cuts.map((at) => sendTo(adapter, `${base}/${at}`)));
    expect(results.map(inShort)).to.deep.equal(cuts.map(() => 'delivered 200'));
    expect(receiver.requests).to.have.lengthOf(cuts.length);
  });

  it('keeps the connection after an answer with a 100 or a folded header', async () => {
    receiver = await createRawReceiver(() => ({ pieces: ['HTTP/1.1 100 C\r\n', '\r\n', 'HTTP/1.1 200 OK\r\nX: one\r\n two\r\nContent-Length: 0\r\n\r\n'] }));
    for (let nth = 0; nth < 10; nth += 1) expect(inShort(await sendTo(adapter, receiver.url()))).to.equal('delivered 200');
    expect(receiver.connectionsMade).to.be.at.most(2);
  });

  for (const bytes of ['HTTP/1.1 200 OK\r\nContent-Length: 0\r\nBad Header: x\r\n\r\n', 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n', 'HTTP/1.1 205 Reset Content\r\nContent-Length: 5\r\n\r\n', 'HTTP/1.1 000 Zero\r\n\r\n']) {
    it(`drops the connection after ${JSON.stringify(bytes)}`, async () => {
      receiver = await createRawReceiver(() => ({ pieces: [bytes] }));
      await sendTo(adapter, receiver.url());
      await eventually(() => { expect(receiver?.openConnections).to.equal(0); });
      expect(receiver.connectionsMade).to.equal(1);
    });
  }

  it('says what is wrong when an answer never comes to its status line', async () => {
    receiver = await createRawReceiver(() => ({ pieces: [processing] }));
    expect(await sendTo(adapter, receiver.url(), { limitMs: 150 })).to.include({ code: 'timed_out', detail: 'no complete answer within 150 ms' });
  });

  describe('that come before the request is complete', () => {
    const body = 'x'.repeat(8 * 1024 * 1024);
    let early: TcpServer | undefined;

    afterEach(async () => {
      await early?.close();
    });

    it('waits until a message that is accepted early has gone out', async () => {
      early = await createTcpServer((_bytes, socket) => {
        if (socket.bytesWritten > 0) return;
        socket.write(ok);
        // It goes on reading a moment later.
        socket.pause();
        setTimeout(() => socket.resume(), 200);
      });
      const sending = sendTo(adapter, `http://127.0.0.1:${early.port}/`, { attempt: attemptFor('early', body) });
      expect(inShort(await sending)).to.equal('delivered 200');
      // What is still on its way has left this process.
      await adapter.close();
      await eventually(() => { expect(early?.received.length).to.be.above(body.length); });
    });

    for (const [what, answer, short] of [
      ['accepts', 'HTTP/1.1 202 Accepted\r\nConnection: close\r\nContent-Length: 0\r\n\r\n', 'delivered 202'],
      ['refuses', 'HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n', 'http_client_error'],
    ] as const) {
      it(`is ${short} when a receiver ${what} it early and closes`, async () => {
        early = await createTcpServer((_bytes, socket) => {
          if (socket.bytesWritten > 0) return;
          socket.write(answer, () => { socket.destroy(); });
        });
        const sending = sendTo(adapter, `http://127.0.0.1:${early.port}/`, { attempt: attemptFor('early', body) });
        expect(inShort(await sending)).to.equal(short);
      });
    }

    it('sends the next message over another connection when a receiver refuses one early and reads no more', async () => {
      early = await createTcpServer((_bytes, socket) => {
        if (socket.bytesWritten > 0) return;
        socket.write('HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n');
        socket.pause();
      });
      const url = `http://127.0.0.1:${early.port}/`;
      for (let nth = 1; nth <= 3; nth += 1) {
        expect(inShort(await sendTo(adapter, url, { attempt: attemptFor('early', body) }))).to.equal('http_client_error');
        expect(early.connectionsMade).to.equal(nth);
      }
    });
  });
});

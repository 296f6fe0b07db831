import dns from 'node:dns';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';

import { expect } from 'chai';

import type { HttpDestination } from '../../../shared/domain/destinations/http.js';
import type { DeliveryAdapter } from '../../../shared/domain/ports.js';
import { createHttpAdapter, type HttpAdapterOptions } from '../../../workers/adapters/http/http-adapter.js';
import { createRawReceiver, type RawAnswer, type RawReceiver, type RawRequest } from './raw-receiver.js';
import { attemptFor, inShort, sendTo } from './sending.js';

const ok: RawAnswer = { pieces: ['HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'] };
const idleTimeout = 'HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n';

describe('http adapter: kept connections', function () {
  this.timeout(30_000);

  let adapter: DeliveryAdapter<HttpDestination>;
  const receivers: RawReceiver[] = [];

  beforeEach(() => {
    adapter = createHttpAdapter();
  });
  afterEach(async () => {
    await adapter.close();
    await Promise.all(receivers.splice(0).map((receiver) => receiver.close()));
  });

  async function useAdapter(options: HttpAdapterOptions): Promise<void> {
    await adapter.close();
    adapter = createHttpAdapter(options);
  }

  async function receiverThat(answer: (request: RawRequest, socket: Socket) => RawAnswer): Promise<RawReceiver> {
    const receiver = await createRawReceiver(answer);
    receivers.push(receiver);
    return receiver;
  }

  /** Sends `first`, and when its connection is kept, `second`. @returns what became of the second one */
  async function sendSecond(receiver: RawReceiver): Promise<string> {
    expect(inShort(await sendTo(adapter, receiver.url(), { attempt: attemptFor('first') }))).to.equal('delivered 200');
    await aTurn();
    return inShort(await sendTo(adapter, receiver.url(), { attempt: attemptFor('second') }));
  }

  /** A connection is lent again from the next turn of the event loop on. */
  const aTurn = (): Promise<unknown> => new Promise((resolve) => { setImmediate(resolve); });

  /** Answers what comes first over a connection, and does something else with the second request. */
  const atReuse = (second: (socket: Socket) => RawAnswer) => (request: RawRequest, socket: Socket): RawAnswer => request.nthOfConnection === 1 ? ok : second(socket);

  describe('that end when a request is written to them', () => {
    for (const [what, then] of [['is closed', 'close'], ['is reset', 'reset']] as const) {
      it(`sends once more over a new connection when the kept one ${what}`, async () => {
        const receiver = await receiverThat(atReuse(() => ({ pieces: [''], then })));
        expect(await sendSecond(receiver)).to.equal('delivered 200');
        expect(receiver.requests.map(({ key, connection }) => `${key} over ${connection}`))
          .to.deep.equal(['first|0 over 1', 'second|0 over 1', 'second|0 over 2']);
      });

      it(`fails when the new connection ${what} too, and sends no third time`, async () => {
        const receiver = await receiverThat(({ key }) => key === 'first|0' ? ok : { pieces: [''], then });
        expect(await sendSecond(receiver)).to.equal('connection_reset');
        expect(receiver.requests.map(({ key }) => key)).to.deep.equal(['first|0', 'second|0', 'second|0']);
      });
    }

    it('does not send again over a new connection that ends', async () => {
      const receiver = await receiverThat(() => ({ pieces: [''], then: 'close' }));
      expect(inShort(await sendTo(adapter, receiver.url()))).to.equal('connection_reset');
      expect(receiver.requests).to.have.lengthOf(1);
    });

    it('does not send again when a receiver ends the connection half a second after the request', async () => {
      const receiver = await receiverThat(atReuse((socket) => {
        setTimeout(() => { socket.destroy(); }, 700);
        return { pieces: [] };
      }));
      expect(await sendSecond(receiver)).to.equal('connection_reset');
      expect(receiver.requests).to.have.lengthOf(2);
    });

    it('does not send again when an answer has begun', async () => {
      const receiver = await receiverThat(atReuse(() => ({ pieces: ['HTTP/1.1 2'], then: 'close' })));
      expect(await sendSecond(receiver)).to.equal('connection_reset');
      expect(receiver.requests).to.have.lengthOf(2);
    });

    it('uses no other kept connection for what it sends once more', async () => {
      let areEnding = false;
      const held: (() => void)[] = [];
      const receiver = await receiverThat(({ nthOfConnection }, socket) => {
        if (nthOfConnection > 1 && areEnding) return { pieces: [''], then: 'close' };
        if (!areEnding && nthOfConnection === 1) {
          held.push(() => socket.write(ok.pieces[0] ?? ''));
          if (held.length === 5) for (const answer of held) answer();
          return { pieces: [] };
        }
        return ok;
      });
      await Promise.all(Array.from({ length: 5 }, () => sendTo(adapter, receiver.url())));
      expect(receiver.openConnections).to.equal(5);
      areEnding = true;
      await aTurn();
      expect(inShort(await sendTo(adapter, receiver.url()))).to.equal('delivered 200');
      expect(receiver.requests).to.have.lengthOf(7);
    });
  });

  describe('to which something unasked is written', () => {
    for (const [what, answer] of [
      ['a 408 that announces the end', { pieces: [idleTimeout], then: 'close' }],
      ['a 408 and the end', { pieces: ['HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n'], then: 'close' }],
      ['a 408 of HTTP/1.0', { pieces: ['HTTP/1.0 408 Request Timeout\r\n\r\n'], then: 'close' }],
      ['a 408 with an illegal header', { pieces: ['HTTP/1.1 408 Request Timeout\r\nBad Header: x\r\n\r\n'] }],
    ] as const satisfies readonly (readonly [string, RawAnswer])[]) {
      it(`does not take ${what} for an answer`, async () => {
        const receiver = await receiverThat(atReuse(() => answer));
        expect(await sendSecond(receiver)).to.equal('delivered 200');
        expect(receiver.requests).to.have.lengthOf(3);
      });
    }

    for (const ms of [20, 200]) {
      it(`does not take a 408 for an answer whose end comes ${ms} ms later, although it announces none`, async () => {
        const receiver = await receiverThat(atReuse((socket) => {
          setTimeout(() => { socket.end(); }, ms);
          return { pieces: ['HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n'] };
        }));
        expect(await sendSecond(receiver)).to.equal('delivered 200');
        expect(receiver.requests).to.have.lengthOf(3);
      });
    }

    it('takes a 408 for an answer when the connection goes on', async () => {
      const receiver = await receiverThat(atReuse(() => ({ pieces: ['HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n'] })));
      expect(await sendSecond(receiver)).to.equal('http_client_error');
      expect(receiver.requests).to.have.lengthOf(2);
    });

    it('takes a 408 over the new connection for an answer', async () => {
      const receiver = await receiverThat(({ key }) => key === 'first|0' ? ok : { pieces: [idleTimeout], then: 'close' });
      expect(await sendSecond(receiver)).to.equal('http_client_error');
      expect(receiver.requests).to.have.lengthOf(3);
    });

    // All of them come at about the time of the next request: some before it, some across it.
    const idleMs = 20;
    for (const [what, spoil] of [
      ['a 408 and the end', (socket) => socket.end(idleTimeout)],
      ['the end', (socket) => socket.end()],
      ['a reset', (socket) => socket.resetAndDestroy()],
    ] as const satisfies readonly (readonly [string, (socket: Socket) => unknown])[]) {
      it(`delivers everything to a receiver that writes ${what} when a connection has been idle for ${idleMs} ms`, async () => {
        const receiver = await receiverThat((_request, socket) => {
          socket.setTimeout(idleMs, () => { spoil(socket); });
          return ok;
        });
        const results: string[] = [];
        for (let nth = 0; nth < 60; nth += 1) {
          results.push(inShort(await sendTo(adapter, receiver.url(), { attempt: attemptFor(`task-${nth}`) })));
          await wait(idleMs - 2 + nth % 4);
        }
        expect(new Set(results)).to.deep.equal(new Set(['delivered 200']));
        expect(new Set(receiver.requests.map(({ key }) => key)).size).to.equal(60);
      });
    }

    for (const [what, spoil] of [
      ['noise', (socket) => socket.write('\u0000\u0001noise')],
      ['a 200', (socket) => socket.write(ok.pieces[0] ?? '')],
      ['the beginning of a 200', (socket) => socket.write('HTTP/1.1 2')],
      ['a 408 and the end', (socket) => socket.end(idleTimeout)],
      ['the end', (socket) => socket.end()],
      ['a reset', (socket) => socket.resetAndDestroy()],
    ] as const satisfies readonly (readonly [string, (socket: Socket) => unknown])[]) {
      it(`writes no request to a connection over which ${what} came after it was chosen`, async () => {
        let kept: Socket | undefined;
        const receiver = await receiverThat((_request, socket) => {
          kept = socket;
          return ok;
        });
        expect(inShort(await sendTo(adapter, receiver.url(), { attempt: attemptFor('first') }))).to.equal('delivered 200');
        // Timers run before the event loop looks at the network, and a request is written after that look.
        await wait(10);
        if (kept === undefined) throw new Error('no connection');
        spoil(kept);
        expect(inShort(await sendTo(adapter, receiver.url(), { attempt: attemptFor('second') }))).to.equal('delivered 200');
        expect(receiver.requests.map(({ key, connection }) => `${key} over ${connection}`)).to.deep.equal(['first|0 over 1', 'second|0 over 2']);
      });
    }
  });

  describe('that grow old', () => {
    const realLookup = dns.lookup;
    let address = '127.0.0.1';

    beforeEach(() => {
      address = '127.0.0.1';
      // A resolver whose records can be changed: node:net asks this function.
      const lookup = (name: string, options: object, callback: (error: Error | null, addresses: object) => void): void => {
        if (name === 'moving.test') callback(null, [{ address, family: 4 }]);
        else (realLookup as unknown as typeof lookup)(name, options, callback); // its overloads, taken as one
      };
      dns.lookup = lookup as unknown as typeof dns.lookup; // its overloads, taken as one
    });
    afterEach(() => {
      dns.lookup = realLookup;
    });

    /** Two receivers at one port of two addresses, each of which counts the tasks that it got. */
    async function twoPlaces() {
      const from = await createRawReceiver(() => ok);
      const to = await createRawReceiver(() => ok, '127.0.0.2', from.port);
      receivers.push(from, to);
      return { from, to, url: `http://moving.test:${from.port}/` };
    }

    it('notice within their age that a name has moved, under steady traffic, and lose or repeat nothing', async () => {
      await useAdapter({ maxConnectionAgeMs: 600 });
      const { from, to, url } = await twoPlaces();
      const results: string[] = [];
      let movedAt = Infinity;
      let sent = 0;
      while (to.requests.length < 50) {
        if (sent === 40) {
          address = '127.0.0.2';
          movedAt = performance.now();
        }
        expect(performance.now() - movedAt, 'ms since the move').to.be.below(5_000);
        const batch = Array.from({ length: 4 }, () => sendTo(adapter, url, { attempt: attemptFor(`task-${sent++}`) }));
        results.push(...(await Promise.all(batch)).map(inShort));
        await wait(5);
      }
      expect(new Set(results)).to.deep.equal(new Set(['delivered 200']));
      expect([...from.requests, ...to.requests].map(({ key }) => key)).to.have.members(results.map((_, nth) => `task-${nth}|0`));
    });

    it('are renewed at different times when they were made together', async () => {
      let drawn = 0;
      await useAdapter({ maxConnectionAgeMs: 600, random: () => (drawn++ % 10) / 10 });
      const { from, url } = await twoPlaces();
      const startedAt = performance.now();
      const madeBy: number[] = [];
      while (performance.now() - startedAt < 900) {
        await Promise.all(Array.from({ length: 10 }, () => sendTo(adapter, url)));
        madeBy.push(from.connectionsMade);
        await wait(5);
      }
      const most = Math.max(...madeBy.slice(1).map((made, nth) => made - (madeBy[nth] ?? 0)));
      expect(from.connectionsMade, 'connections').to.be.within(15, 40);
      expect(most, 'connections made within one round').to.be.at.most(5);
    });

    it('are not cut in mid answer', async () => {
      await useAdapter({ maxConnectionAgeMs: 50 });
      const server = createServer((socket) => {
        socket.on('error', () => undefined);
        socket.once('data', () => { setTimeout(() => socket.write(ok.pieces[0] ?? ''), 300); });
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as AddressInfo; // a listening TCP server has no other kind of address
      try {
        expect(inShort(await sendTo(adapter, `http://127.0.0.1:${port}/`))).to.equal('delivered 200');
      } finally {
        await adapter.close();
        server.close();
      }
    });
  });
});

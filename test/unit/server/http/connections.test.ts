import type { RequestListener } from 'node:http';

import { expect } from 'chai';

import { sendAnswer } from '../../../../server/http/answer.js';
import { BodyBudget } from '../../../../server/http/body-budget.js';
import { readBody } from '../../../../server/http/json-body.js';
import { LargeAnswers } from '../../../../server/http/large-answers.js';
import { listen, type ListeningServer, type ListenOptions } from '../../../../server/http/listen.js';
import { WorkTurns } from '../../../../server/http/work-turns.js';
import { RequestError } from '../../../../shared/domain/errors.js';
import type { LogFields } from '../../../../shared/logging/log-line.js';
import { eventually } from '../../../support/eventually.js';
import { RawConnection } from '../../../support/raw-connection.js';

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;

describe('connections', () => {
  let listening: ListeningServer;
  let baseUrl: string;
  const opened: RawConnection[] = [];
  const lines: { readonly message: string; readonly fields: LogFields }[] = [];

  async function start(answer: RequestListener, options: Partial<ListenOptions> = {}): Promise<void> {
    listening = await listen(answer, { host: '127.0.0.1', port: 0, logger: { warn: (message, fields = {}) => lines.push({ message, fields }) }, ...options });
    baseUrl = `http://127.0.0.1:${listening.port}`;
  }

  async function open(): Promise<RawConnection> {
    const connection = await RawConnection.open(baseUrl);
    opened.push(connection);
    return connection;
  }

  beforeEach(() => { lines.length = 0; });
  afterEach(async () => {
    for (const connection of opened.splice(0)) connection.close();
    await listening.close(1_000);
  });

  describe('with many requests in one piece', () => {
    it('begin one after the other, and are answered in order', async () => {
      let inHand = 0;
      let most = 0;
      await start((request, response) => {
        inHand += 1;
        most = Math.max(most, inHand);
        response.once('close', () => { inHand -= 1; });
        setImmediate(() => response.end(`<${request.url ?? ''}>`));
      });
      const connection = await open();
      connection.write(Array.from({ length: 1_000 }, (_, nth) => get(`/${nth}`)).join(''));
      await connection.has(/<\/999>/);
      expect(most).to.equal(1);
      expect([...connection.text.matchAll(/<\/(\d+)>/g)].map(([, nth]) => Number(nth))).to.deep.equal(Array.from({ length: 1_000 }, (_, nth) => nth));
    });

    it('let another client have its turn between them', async () => {
      const order: string[] = [];
      await start((request, response) => {
        order.push(request.url ?? '');
        response.end('ok');
      });
      const [many, one] = [await open(), await open()];
      many.write(get('/many').repeat(1_000));
      await many.has(/ok/);
      one.write(get('/one'));
      await one.has(/ok/);
      await eventually(() => { expect(order).to.have.lengthOf(1_001); });
      expect(order.indexOf('/one')).to.be.below(500);
    });

    it('are not read on while the first is being answered', async () => {
      let release = (): void => undefined;
      let seen = 0;
      await start((_request, response) => {
        seen += 1;
        release = () => response.end('ok');
      });
      const connection = await open();
      const piece = get('/x').repeat(1_000);
      for (let megabytes = 0; megabytes < 20 * 1_048_576; megabytes += piece.length) connection.write(piece);
      await eventually(() => { expect(seen).to.equal(1); });
      // What the system takes off the client is all that leaves it.
      let left = -1;
      await eventually(() => {
        const before = left;
        left = connection.socket.writableLength;
        expect(left).to.equal(before).and.to.be.above(10 * 1_048_576);
      }, { everyMs: 200 });
      expect(seen).to.equal(1);
      release();
      await eventually(() => { expect(seen).to.equal(2); });
    });

    it('are not begun any more when their client has gone', async () => {
      let seen = 0;
      let finish = (): void => undefined;
      await start((_request, response) => {
        seen += 1;
        finish = () => response.end();
      });
      const connection = await open();
      connection.write(get('/x').repeat(10));
      await eventually(() => { expect(seen).to.equal(1); });
      connection.socket.resetAndDestroy();
      const witness = await open();
      finish();
      witness.write(get('/x'));
      await eventually(() => { expect(seen).to.be.at.least(2); });
      finish();
      await witness.has(/200 OK/);
      expect(seen).to.be.at.most(3);
    });

    it('read the body of the last one, however large it is', async () => {
      await start((request, response) => {
        let bytes = 0;
        request.on('data', (chunk: Buffer) => { bytes += chunk.length; });
        request.on('end', () => response.end(`<${bytes}>`));
      });
      const connection = await open();
      connection.write(`${get('/')}${get('/')}POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n${'x'.repeat(3_000_000)}${get('/')}`);
      await connection.has(/<0>[^]*<0>[^]*<3000000>[^]*<0>/);
    });

    it('are answered before the bytes behind them that are no request', async () => {
      await start((_request, response) => {
        setImmediate(() => response.end('ok'));
      });
      const connection = await open();
      connection.write(`${get('/')}${get('/')}no request at all\r\n\r\n`);
      await connection.closed();
      expect(connection.statuses).to.deep.equal([200, 200, 400]);
    });

    it('are not answered twice when the body of the last one breaks', async () => {
      await start((request, response) => {
        request.resume();
        request.on('end', () => response.end('ok'));
      });
      const connection = await open();
      connection.write(`${get('/')}POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`);
      await connection.closed();
      expect(connection.statuses).to.deep.equal([200, 400]);
    });
  });

  describe('whose answer is not read', () => {
    const answer: RequestListener = (request, response) => {
      response.end(request.url === '/big' ? Buffer.alloc(20 * 1_048_576, 'x') : 'ok');
    };

    it('are cut off', async () => {
      let cut = 0;
      await start((request, response) => {
        response.once('close', () => { cut += request.url === '/big' ? 1 : 0; });
        answer(request, response);
      }, { unreadMs: 200 });
      for (let nth = 0; nth < 20; nth += 1) {
        const silent = await open();
        silent.socket.pause();
        silent.write(get('/big'));
      }
      await eventually(() => { expect(cut).to.equal(20); });
      const witness = await open();
      witness.write(get('/'));
      await witness.has(/ok/);
    });

    it('may have 128 MiB over all connections, and beyond that the one that has waited longest is cut off', async () => {
      const most = Buffer.alloc(63 * 1_048_576, 'x');
      await start((_request, response) => { response.end(most); });
      const [first, ...others] = [await open(), await open(), await open()];
      for (const silent of [first, ...others]) {
        silent.socket.once('data', () => { silent.socket.pause(); });
        silent.write(get('/'));
        await silent.has(/HTTP\/1.1 200/);
      }
      await eventually(() => { expect(lines.map(({ fields }) => fields['unread'])).to.deep.equal([1]); });
      first.socket.resume();
      await first.closed();
      for (const kept of others) {
        kept.socket.resume();
        await eventually(() => { expect(kept.text.length).to.be.above(most.length); }, { withinMs: 10_000 });
      }
    }).timeout(30_000);

    it('are kept while their client takes some of it', async () => {
      await start(answer, { unreadMs: 200 });
      const slow = await open();
      slow.write(get('/big'));
      const reader = setInterval(() => {
        if (slow.socket.isPaused()) slow.socket.resume();
        else slow.socket.pause();
      }, 20);
      try {
        await eventually(() => { expect(slow.text.length).to.be.above(20 * 1_048_576); }, { withinMs: 30_000 });
      } finally {
        clearInterval(reader);
      }
      expect(slow.isClosed).to.equal(false);
    });
  });

  describe('up to their limit', () => {
    let hanging = 0;
    const answer: RequestListener = (request, response) => {
      if (request.url === '/hang') hanging += 1;
      else response.end('ok');
    };
    async function ask(connection: RawConnection, withinMs = 5_000): Promise<void> {
      connection.write(get('/'));
      await connection.has(/ok/, { withinMs });
    }

    it('give room to new ones: silent ones first, and one line says so', async () => {
      await start(answer, { maxConnections: 5 });
      const used = await open();
      await ask(used);
      const silent = await Promise.all(Array.from({ length: 20 }, open));
      await ask(await open());
      await eventually(() => { expect(silent.filter(({ isClosed }) => !isClosed).length).to.be.at.most(3); });
      expect(used.isClosed).to.equal(false);
      expect(lines).to.deep.equal([{ message: 'connections were closed: too many (HTTP_MAX_CONNECTIONS), or too many unread answers', fields: { limit: 5, silent: 1 } }]);
    });

    it('then those whose requests are answered', async () => {
      await start(answer, { maxConnections: 3 });
      const used = [await open(), await open(), await open()] as const;
      for (const connection of used) await ask(connection);
      const newest = await open();
      await ask(newest);
      await used[0].closed();
      expect([...used.slice(1), newest].map(({ isClosed }) => isClosed)).to.deep.equal([false, false, false]);
    });

    it('refuse new ones while all are in use, and take them again afterwards', async () => {
      await start(answer, { maxConnections: 2 });
      const busy = [await open(), await open()] as const;
      for (const connection of busy) connection.write(get('/hang'));
      await eventually(() => { expect(hanging).to.equal(2); });
      await eventually(async () => {
        const refused = await open();
        await refused.closed({ withinMs: 500 });
      });
      busy[0].close();
      await eventually(async () => { await ask(await open(), 500); });
      expect(lines[0]?.fields).to.deep.equal({ limit: 2, refused: 1 });
    });
  });

  describe('whose large answers are not read', () => {
    const ANSWER_BYTES = 20 * 1_048_576;

    it('make room for another one, and no more than three are made at once', async () => {
      const largeAnswers = new LargeAnswers(ANSWER_BYTES);
      let made = 0;
      let gone = 0;
      let most = 0;
      let refused = 0;
      await start((_request, response) => {
        largeAnswers.whenRoom(response).then(() => {
          made += 1;
          most = Math.max(most, made - gone);
          response.once('close', () => { gone += 1; });
          response.end(Buffer.alloc(ANSWER_BYTES, 'x'));
        }, () => {
          refused += 1;
          response.writeHead(503).end();
        });
      }, { largeAnswers });
      const silent = await Promise.all(Array.from({ length: 8 }, open));
      for (const connection of silent) {
        connection.socket.pause();
        connection.write(get('/'));
      }
      await eventually(() => { expect(made + refused).to.equal(8); }, { withinMs: 20_000 });
      expect([most, made > 3, refused > 0]).to.deep.equal([3, true, true]);
      const reader = await open();
      await eventually(async () => {
        reader.write(get('/'));
        await eventually(() => { expect(reader.text.length).to.be.above(ANSWER_BYTES); }, { withinMs: 10_000 });
      }, { withinMs: 30_000 });
      expect(lines.some(({ fields }) => 'unread' in fields)).to.equal(true);
    }).timeout(60_000);
  });

  describe('whose body comes too slowly', () => {
    it('get 408 while the body takes of the budget, and make room for others; a small one may take its time', async () => {
      const bodyBudget = new BodyBudget(4 * 1_048_576);
      await start((request, response) => {
        const held = bodyBudget.open(request);
        readBody(request, { maxBytes: 8 * 1_048_576, limit: undefined }, { held, turns: new WorkTurns() })
          .then(({ length }) => response.end(`<${length}>`), (error: unknown) => sendAnswer(response, { status: error instanceof RequestError && error.code === 'request_timed_out' ? 408 : 503 }, 'x'))
          .finally(() => held.release());
      }, { bodyBudget });
      const post = (length: number): string => `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`;
      const [stalled, small] = [await open(), await open()];
      stalled.write(post(2_000_000) + 'x'.repeat(1_999_999));
      small.write(post(10) + 'x');
      await eventually(() => { expect(bodyBudget.usedBytes).to.be.above(1_900_000); });
      await stalled.has(/^HTTP\/1\.1 408 [^]*Connection: close/, { withinMs: 20_000 });
      expect(bodyBudget.usedBytes).to.equal(0);
      small.write('x'.repeat(9));
      await small.has(/<10>/);
    }).timeout(40_000);
  });

  describe('whose client has ended its side', () => {
    it('get the answer, and make room for new ones before it is there', async () => {
      let finish = (): void => undefined;
      let seen = 0;
      await start((request, response) => {
        seen += 1;
        if (request.url === '/later') finish = () => response.end('at last');
        else response.end('ok');
      }, { maxConnections: 2 });
      const [first, second] = [await open(), await open()];
      first.socket.end(get('/later'));
      await eventually(() => { expect(seen).to.equal(1); });
      finish();
      await first.has(/at last/);
      await first.closed();
      second.socket.end(get('/later'));
      await eventually(() => { expect(seen).to.equal(2); });
      const third = await open();
      third.write(get('/later'));
      await eventually(() => { expect(seen).to.equal(3); });
      const fourth = await open();
      fourth.write(get('/'));
      await fourth.has(/ok/);
      await second.closed();
      expect([third.isClosed, lines[0]?.fields]).to.deep.equal([false, { limit: 2, half_closed: 1 }]);
    });
  });

  describe('that bring their requests at the same moment', () => {
    it('share the turns of the event loop, and are all answered', async () => {
      let inTurn = 0;
      let most = 0;
      await start((_request, response) => {
        if (inTurn === 0) setImmediate(() => { inTurn = 0; });
        inTurn += 1;
        most = Math.max(most, inTurn);
        const until = performance.now() + 2;
        while (performance.now() < until);
        response.end('ok');
      });
      const many = await Promise.all(Array.from({ length: 200 }, open));
      for (const connection of many) connection.write(get('/'));
      for (const connection of many) await connection.has(/ok/);
      // Without turns it is all that have come when the event loop looks at them.
      expect(most).to.be.below(40);
    });
  });

  describe('of a service that is told to stop', () => {
    it('say that the answer under way is the last one, or take what their client sends behind an answer that could not say so', async () => {
      const releases: (() => void)[] = [];
      let begun = 0;
      await start((request, response) => {
        begun += 1;
        if (request.url === '/next') {
          response.end('<next>');
          return;
        }
        if (request.url === '/streamed') response.write('<first part>');
        releases.push(() => response.end('<end>'));
      }, { stillReadMs: 1_000 });
      const [late, streamed] = [await open(), await open()];
      late.write(get('/late'));
      streamed.write(get('/streamed'));
      await streamed.has(/<first part>/);
      await eventually(() => { expect(begun).to.equal(2); });
      const closed = listening.close(2_000);
      for (const release of releases) release();
      // A client of HTTP writes its next request as soon as it has the answer, unless that was the last one.
      await Promise.all([late.has(/<end>/), streamed.has(/<end>/)]);
      streamed.write(get('/next'));
      await streamed.has(/<next>/);
      expect(late.text).to.match(/^Connection: close\r$/m);
      expect(streamed.text.match(/^Connection: .*\r$/gm)).to.deep.equal(['Connection: keep-alive\r', 'Connection: close\r']);
      await closed;
      // For afterEach, which closes one.
      await start((_request, response) => response.end());
    });
  });

  it('are taken on all addresses for ::, those of IPv4 too', async () => {
    await start((_request, response) => response.end('ok'), { host: '::' });
    const connection = await open();
    connection.write(get('/'));
    await connection.has(/ok/);
  });

  it('are told for how long they are kept, longer than load balancers keep theirs', async () => {
    await start((_request, response) => response.end('ok'));
    const connection = await open();
    connection.write(get('/'));
    await connection.has(/Keep-Alive: timeout=65\r\n/);
  });

  it('are kept for as long as they were told, and not for longer', async () => {
    await start((_request, response) => response.end('ok'), { keepAliveMs: 1_000 });
    const connection = await open();
    connection.write(get('/'));
    await connection.has(/Keep-Alive: timeout=1\r\n/);
    await connection.closed();
  });
});

import { gzipSync } from 'node:zlib';

import { expect } from 'chai';

import type { HttpDestination } from '../../../shared/domain/destinations/http.js';
import type { DeliveryAdapter } from '../../../shared/domain/ports.js';
import { ShuttingDown, TimeLimitReached } from '../../../shared/domain/ports.js';
import { createHttpAdapter } from '../../../workers/adapters/http/http-adapter.js';
import { SendsInFlight } from '../../../workers/delivery/sends-in-flight.js';
import { eventually } from '../../support/eventually.js';
import { createReceiver, type Behaviour, type Receiver } from '../../support/receiver.js';
import { attemptFor, inShort, sendTo } from './sending.js';

describe('http adapter: what an answer means', function () {
  this.timeout(20_000);

  const now = Date.parse('2026-03-01T12:00:00.400Z');
  let receiver: Receiver;
  let adapter: DeliveryAdapter<HttpDestination>;

  beforeEach(async () => {
    receiver = await createReceiver();
    adapter = createHttpAdapter({ clock: () => now });
  });
  afterEach(async () => {
    await adapter.close();
    await receiver.close();
  });

  async function answerTo(behaviour: Behaviour, limitMs?: number) {
    receiver.on('/', behaviour);
    return sendTo(adapter, receiver.url('/'), limitMs === undefined ? {} : { limitMs });
  }

  async function failureBy(behaviour: Behaviour, limitMs?: number) {
    const result = await answerTo(behaviour, limitMs);
    if (result.kind !== 'failed') throw new Error(`expected a failure, got ${inShort(result)}`);
    return result;
  }

  describe('by its status', () => {
    for (const status of [200, 201, 202, 204, 206, 226, 299]) {
      it(`${status} is delivered, with the status as receipt`, async () => {
        expect(await answerTo({ kind: 'answer', status })).to.deep.equal({ kind: 'delivered', receipt: { httpStatus: status } });
      });
    }

    const failures = {
      http_redirect: [300, 301, 302, 303, 304, 307, 308, 399],
      http_client_error: [400, 401, 403, 404, 408, 409, 410, 413, 418, 422, 428, 431, 451, 499],
      http_busy: [429, 503],
      http_server_error: [500, 501, 502, 504, 507, 511, 599],
      http_unexpected_status: [600, 777, 999],
    };
    for (const [code, statuses] of Object.entries(failures)) {
      for (const status of statuses) {
        it(`${status} is ${code}`, async () => {
          const result = await failureBy({ kind: 'answer', status });
          expect(result).to.deep.equal({ kind: 'failed', code, detail: `HTTP ${status}`, httpStatus: status });
        });
      }
    }

    it('does not follow a redirect', async () => {
      receiver.on('/from', { kind: 'answer', status: 307, headers: { location: receiver.url('/to') } });
      expect(inShort(await sendTo(adapter, receiver.url('/from')))).to.equal('http_redirect');
      // What followed the redirect would have come before this.
      await sendTo(adapter, receiver.url('/to'), { attempt: attemptFor('behind') });
      expect(receiver.requestsTo('/to').map((request) => request.key)).to.deep.equal(['behind|0']);
    });
  });

  describe('by its Retry-After', () => {
    const wishes: readonly (readonly [value: string | string[], ms: number | undefined])[] = [
      ['0', 0],
      ['7', 7_000],
      ['1.2', 1_200],
      ['Sun, 01 Mar 2026 12:00:10 GMT', 10_000],
      ['Sun, 01 Mar 2026 11:00:00 GMT', 0],
      ['99999999999999999999', 31_536_000_000],
      [['3', '5'], 3_000],
      ['-1', undefined],
      ['soon', undefined],
      ['', undefined],
    ];
    for (const status of [429, 503]) {
      for (const [value, retryAfterMs] of wishes) {
        it(`${status} with ${JSON.stringify(value)} asks for ${retryAfterMs ?? 'nothing'}`, async () => {
          const headers = { 'retry-after': value, 'date': 'Sun, 01 Mar 2026 12:00:00 GMT' };
          const result = await failureBy({ kind: 'answer', status, headers });
          expect(result.code).to.equal('http_busy');
          expect(result.retryAfterMs).to.equal(retryAfterMs);
        });
      }
    }

    for (const [what, headers, retryAfterMs] of [
      ["the receiver's Date, an hour ahead", ['Date: Sun, 01 Mar 2026 13:00:00 GMT', 'Retry-After: Sun, 01 Mar 2026 13:00:05 GMT'], 5_000],
      ["the receiver's Date, an hour behind", ['Date: Sun, 01 Mar 2026 11:00:00 GMT', 'Retry-After: Sun, 01 Mar 2026 11:00:05 GMT'], 5_000],
      ["the receiver's Date, in an older form", ['Date: Sunday, 01-Mar-26 13:00:00 GMT', 'Retry-After: Sun Mar  1 13:00:05 2026'], 5_000],
      ['our clock without a Date', ['Retry-After: Sun, 01 Mar 2026 12:00:05 GMT'], 4_600],
      ['our clock with a Date that is none', ['Date: now', 'Retry-After: Sun, 01 Mar 2026 12:00:05 GMT'], 4_600],
      ['no clock at all for seconds', ['Date: Sun, 01 Mar 2026 13:00:00 GMT', 'Retry-After: 5'], 5_000],
      ['the first Date that can be read', ['Date: now', 'Date: Sun, 01 Mar 2026 13:00:00 GMT', 'Date: Sun, 01 Mar 2026 14:00:00 GMT', 'Retry-After: Sun, 01 Mar 2026 13:00:05 GMT'], 5_000],
      ['the first Date of a line that joins two', ['Date: Sun, 01 Mar 2026 13:00:00 GMT, Sun, 01 Mar 2026 14:00:00 GMT', 'Retry-After: Sun, 01 Mar 2026 13:00:05 GMT'], 5_000],
      ['headers that are folded', ['Date:', ' Sun, 01 Mar 2026 13:00:00 GMT', 'Retry-After: Sun, 01 Mar 2026', ' 13:00:05 GMT'], 5_000],
      ['the first wish that can be read', ['Retry-After: soon', 'Retry-After: 7', 'Retry-After: 9'], 7_000],
      ['the first wish of a line that joins two', ['Retry-After: 7, 9'], 7_000],
      ['the first wish that can be read of a line that joins three', ['Retry-After: soon,, Sun, 01 Mar 2026 12:00:05 GMT,9'], 4_600],
    ] as const) {
      it(`is measured by ${what}`, async () => {
        const bytes = `HTTP/1.1 503 Busy\r\n${headers.join('\r\n')}\r\nContent-Length: 0\r\n\r\n`;
        expect((await failureBy({ kind: 'raw', bytes })).retryAfterMs).to.equal(retryAfterMs);
      });
    }

    it('is not obeyed with any other status', async () => {
      const result = await failureBy({ kind: 'answer', status: 500, headers: { 'retry-after': '7' } });
      expect(result).to.not.have.property('retryAfterMs');
    });
  });

  describe('told to people', () => {
    const plain = { 'content-type': 'text/plain; charset=utf-8' };

    it('quotes a text, on one line and without control characters', async () => {
      const body = 'database\r\nis\t\u0000down \u001b[31mnow\u2028!\n';
      expect((await failureBy({ kind: 'answer', status: 500, headers: plain, body })).detail)
        .to.equal('HTTP 500: database is down [31mnow !');
    });

    it('quotes JSON, and text of no declared type', async () => {
      const json = { kind: 'answer', status: 422, headers: { 'content-type': 'application/problem+json' }, body: '{"title":"no"}' } as const;
      expect((await failureBy(json)).detail).to.equal('HTTP 422: {"title":"no"}');
      expect((await failureBy({ kind: 'answer', status: 400, body: 'why?' })).detail).to.equal('HTTP 400: why?');
    });

    it('quotes 200 characters at most', async () => {
      const { detail } = await failureBy({ kind: 'answer', status: 500, headers: plain, body: 'é'.repeat(5_000) });
      expect(detail).to.equal(`HTTP 500: ${'é'.repeat(199)}…`);
    });

    it('never quotes half a character', async () => {
      const { detail } = await failureBy({ kind: 'answer', status: 500, headers: plain, body: `x${'🚚'.repeat(2_000)}` });
      expect(detail).to.equal(`HTTP 500: x${'🚚'.repeat(99)}…`);
    });

    it('does not quote what is no text', async () => {
      const binary = { 'content-type': 'application/octet-stream' };
      expect((await failureBy({ kind: 'answer', status: 500, headers: binary, body: Buffer.from([1, 2, 3, 255]) })).detail).to.equal('HTTP 500');
      const packed = { ...plain, 'content-encoding': 'gzip' };
      expect((await failureBy({ kind: 'answer', status: 500, headers: packed, body: gzipSync('text') })).detail).to.equal('HTTP 500');
    });
  });

  describe('by how it comes', () => {
    const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

    for (const [what, head] of [
      ['102 Processing', 'HTTP/1.1 102 Processing\r\n\r\n'],
      ['103 Early Hints', 'HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n'],
      ['100 Continue that was not asked for', 'HTTP/1.1 100 Continue\r\n\r\n'],
      ['100 Continue with a header, twice', 'HTTP/1.1 100 Continue\r\nX-A: b\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n'],
      ['100 and then 103', 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n'],
    ] as const) {
      it(`skips ${what}`, async () => {
        expect(inShort(await answerTo({ kind: 'raw', bytes: head + ok }))).to.equal('delivered 200');
      });
    }

    it('waits for the answer after a 1xx', async () => {
      const pieces: Behaviour = { kind: 'raw', bytes: 'HTTP/1.1 100 Continue\r\n\r\n', stayOpen: true };
      expect(inShort(await answerTo(pieces, 150))).to.equal('timed_out');
      await eventually(() => { expect(receiver.openConnections).to.equal(0); });
    });

    it('leaves a 100 alone that stands in a body', async () => {
      const body = 'HTTP/1.1 100 Continue\r\n\r\n';
      const result = await failureBy({ kind: 'answer', status: 500, headers: { 'content-type': 'text/plain' }, body });
      expect(result.detail).to.equal('HTTP 500: HTTP/1.1 100 Continue');
    });

    for (const when of ['after_headers', 'in_body'] as const) {
      for (const how of ['reset', 'close'] as const) {
        it(`is what the status says at a ${how} ${when}`, async () => {
          expect(inShort(await answerTo({ kind: 'break', when, how }))).to.equal('delivered 200');
          expect(inShort(await answerTo({ kind: 'break', when, how, status: 500 }))).to.equal('http_server_error');
        });
      }
    }

    for (const how of ['reset', 'close'] as const) {
      it(`is connection_reset at a ${how} before the headers`, async () => {
        expect(inShort(await answerTo({ kind: 'break', when: 'before_headers', how }))).to.equal('connection_reset');
      });
    }

    it('takes the end of the connection for the end of a body of unknown length', async () => {
      expect(inShort(await answerTo({ kind: 'raw', bytes: 'HTTP/1.0 200 OK\r\n\r\nhello' }))).to.equal('delivered 200');
    });

    for (const [what, behaviour, short] of [
      ['nothing comes', { kind: 'hang' }, 'timed_out'],
      ['half of a status line comes', { kind: 'raw', bytes: 'HTTP/1.1 200 O', stayOpen: true }, 'timed_out'],
      ['only an interim answer comes', { kind: 'raw', bytes: 'HTTP/1.1 103 Early Hints\r\n\r\n', stayOpen: true }, 'timed_out'],
      ['only a status line comes', { kind: 'raw', bytes: 'HTTP/1.1 200 OK\r\n', stayOpen: true }, 'delivered 200'],
      ['headers come, and never a body', { kind: 'hang', after: 'headers' }, 'delivered 200'],
      ['an error without its body comes', { kind: 'hang', after: 'headers', status: 500 }, 'http_server_error'],
      ['a body comes drop by drop for ever', { kind: 'trickle' }, 'delivered 200'],
      ['an error comes drop by drop for ever', { kind: 'trickle', status: 500 }, 'http_server_error'],
      ['a chunk never ends', { kind: 'raw', bytes: 'HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe', stayOpen: true }, 'http_client_error'],
    ] as const satisfies readonly (readonly [string, Behaviour, string])[]) {
      it(`is ${short} when the time limit is reached and ${what}, and the connection is dropped`, async () => {
        const startedAt = performance.now();
        expect(inShort(await answerTo(behaviour, 200))).to.equal(short);
        expect(performance.now() - startedAt, 'ms; without the limit it never ends').to.be.within(195, 10_000);
        expect(receiver.connectionsMade).to.equal(1);
        await eventually(() => { expect(receiver.openConnections).to.equal(0); });
      });
    }

    for (const status of [429, 503]) {
      it(`keeps the Retry-After and the text of a ${status} whose rest does not come in time`, async () => {
        const bytes = `HTTP/1.1 ${status} Busy\r\nRetry-After: 7\r\nContent-Length: 100\r\n\r\ncome back later`;
        expect(await failureBy({ kind: 'raw', bytes, stayOpen: true }, 200)).to.deep.equal({
          kind: 'failed', code: 'http_busy', detail: `HTTP ${status}: come back later`, httpStatus: status, retryAfterMs: 7_000,
        });
        const cut = `HTTP/1.1 ${status} Busy\r\nRetry-After: 7\r\nX-Note`;
        expect(await failureBy({ kind: 'raw', bytes: cut, stayOpen: true }, 200)).to.include({ code: 'http_busy', retryAfterMs: 7_000 });
      });
    }

    for (const [how, short] of [['reset', 'connection_reset'], ['close', 'connection_reset'], ['answer', 'http_server_error']] as const) {
      it(`is ${short} when the time limit is reached by a stall of our own after a ${how}`, async () => {
        const limitMs = 200;
        const startedAt = performance.now();
        receiver.on('/', () => {
          // This process is the sender, too. It goes on a moment after its timer is due, and reads its socket only then.
          setImmediate(() => { while (performance.now() < startedAt + limitMs + 20); });
          return how === 'answer' ? { kind: 'answer', status: 500 } : { kind: 'break', when: 'before_headers', how };
        });
        const sending = new SendsInFlight().begin(limitMs, () => new TimeLimitReached(limitMs));
        const result = await adapter.send(attemptFor('task'), { type: 'http', url: receiver.url('/') }, sending.signal);
        sending.end();
        expect(inShort(result)).to.equal(short);
      });
    }

    it('is delivered when the worker is told to stop while the rest of a 2xx is missing', async () => {
      receiver.on('/', { kind: 'trickle' });
      const stop = new AbortController();
      const sending = adapter.send(attemptFor('task'), { type: 'http', url: receiver.url('/') }, stop.signal);
      await receiver.waitForRequests(1);
      // What the receiver has written by now has come before the next thing that it answers.
      await sendTo(adapter, receiver.url('/behind'));
      stop.abort(new ShuttingDown());
      expect(inShort(await sending)).to.equal('delivered 200');
    });
  });

  describe('by its size', () => {
    for (const [status, short] of [[200, 'delivered 200'], [500, 'http_server_error']] as const) {
      it(`reads no more than it needs of 50 MiB with status ${status}, and drops the connection`, async () => {
        const startedAt = performance.now();
        expect(inShort(await answerTo({ kind: 'big', status, bodyBytes: 50 * 1024 * 1024 }))).to.equal(short);
        expect(performance.now() - startedAt, 'ms').to.be.below(5_000);
        await eventually(() => { expect(receiver.openConnections).to.equal(0); });
      });
    }

    it('takes 64 KiB of a body that would never end as a complete answer', async () => {
      const bytes = `HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(64 * 1024)}`;
      expect(inShort(await answerTo({ kind: 'raw', bytes, stayOpen: true }))).to.equal('delivered 200');
      await eventually(() => { expect(receiver.openConnections).to.equal(0); });
    });

    it('copes with a long answer that is complete and closes by itself', async () => {
      const bytes = `HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 70000\r\n\r\n${'x'.repeat(70_000)}`;
      expect(inShort(await answerTo({ kind: 'raw', bytes }))).to.equal('delivered 200');
      expect(inShort(await answerTo({ kind: 'answer' }))).to.equal('delivered 200');
    });

    it('keeps the connection after an answer just below 64 KiB', async () => {
      const body = 'x'.repeat(64 * 1024 - 1);
      for (let i = 0; i < 10; i += 1) expect(inShort(await answerTo({ kind: 'answer', body }))).to.equal('delivered 200');
      // Two, not one: a connection is lent again one turn of the event loop after its answer.
      expect(receiver.connectionsMade).to.be.at.most(2);
    });
  });
});

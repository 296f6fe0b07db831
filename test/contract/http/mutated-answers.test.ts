import { expect } from 'chai';

import type { HttpDestination } from '../../../shared/domain/destinations/http.js';
import type { DeliveryAdapter } from '../../../shared/domain/ports.js';
import { createHttpAdapter } from '../../../workers/adapters/http/http-adapter.js';
import { createRawReceiver, type RawAnswer, type RawReceiver } from './raw-receiver.js';
import { attemptFor, inShort, sendTo } from './sending.js';

const seeds = [
  'HTTP/1.1 200 OK\r\nDate: Sun, 01 Mar 2026 12:00:00 GMT\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: A\r\n\r\n5;a=b\r\nhello\r\n3\r\nxyz\r\n0\r\nA: b\r\n\r\n',
  'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>;\r\n rel=preload\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 204 No Content\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n\r\n',
  'HTTP/1.0 500 No\r\nContent-Type: application/json\r\n\r\n{"error":"no"}',
  'HTTP/1.1 503 Busy\r\nRetry-After: Sun, 01 Mar 2026 12:00:10 GMT\r\nDate: Sunday, 01-Mar-26 12:00:00 GMT\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 429 Slow\r\nRetry-After: 5\r\nX-Note: one\r\n\ttwo\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nslow',
  'HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n',
];

/** A small generator of pseudo-random numbers: the same seed gives the same answers in every run. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const spices = ['\r\n', '\n', '\r', ' ', '\t', '\0', ':', '0', '9'.repeat(30), '\u00ff', 'HTTP/1.1 ', 'HTTP/1.1 100 C\r\n\r\n', 'Content-Length: 7\r\n', 'Transfer-Encoding: chunked\r\n', 'Connection: close\r\n', 'a'.repeat(20_000)];

function mutate(random: () => number): RawAnswer {
  const below = (most: number): number => Math.floor(random() * most);
  const pick = <T>(all: readonly T[], fallback: T): T => all[below(all.length)] ?? fallback;
  let bytes = pick(seeds, '');
  for (let left = 1 + below(3); left > 0; left -= 1) {
    const at = below(bytes.length + 1);
    const to = Math.min(bytes.length, at + 1 + below(12));
    const [before, part, behind] = [bytes.slice(0, at), bytes.slice(at, to), bytes.slice(to)];
    bytes = pick([
      () => before + behind,
      () => before + part + part + behind,
      () => before + pick(spices, '') + part + behind,
      () => before + String.fromCharCode(below(256)) + part.slice(1) + behind,
      () => before,
      () => part + behind,
      () => before + part.toUpperCase() + behind,
    ], () => bytes)();
  }
  const cut = below(bytes.length + 1);
  const pieces = [bytes.slice(0, cut), bytes.slice(cut)].map((piece) => Buffer.from(piece, 'latin1'));
  return { pieces: random() < 0.5 ? pieces : [Buffer.concat(pieces)], then: pick(['close', 'stay', 'reset'] as const, 'close') };
}

describe('http adapter: mutated answers', function () {
  this.timeout(60_000);

  let adapter: DeliveryAdapter<HttpDestination>;
  let receiver: RawReceiver;

  afterEach(async () => {
    await adapter.close();
    await receiver.close();
  });

  it('resolves 1,500 sends with a known code and a true text, and delivers what comes after them', async () => {
    const random = randomFrom(20_260_301);
    const mutated = Array.from({ length: 1_500 }, () => mutate(random));
    adapter = createHttpAdapter();
    receiver = await createRawReceiver(({ path }) => mutated[Number(path.slice(1))] ?? { pieces: ['HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'] });
    const wrong: string[] = [];
    const counts = new Map<string, number>();
    let next = 0;
    await Promise.all(Array.from({ length: 50 }, async () => {
      while (next < mutated.length) {
        const nth = next++;
        const result = await sendTo(adapter, receiver.url(`/${nth}`), { attempt: attemptFor(`task-${nth}`), limitMs: 250 });
        const short = inShort(result);
        counts.set(short, (counts.get(short) ?? 0) + 1);
        const isKnown = /^(delivered 2\d\d|http_\w+|response_invalid|connection_reset|timed_out)$/.test(short);
        const isTrue = result.kind === 'delivered' || !/assert|undefined|Parser|length does not match/i.test(result.detail);
        if (!isKnown || !isTrue) wrong.push(`${JSON.stringify(result)} at ${JSON.stringify(mutated[nth]?.pieces.map(String))}`);
      }
    }));
    expect(wrong).to.deep.equal([]);
    for (const common of ['delivered 200', 'delivered 204', 'http_busy', 'http_server_error', 'response_invalid', 'connection_reset', 'timed_out']) {
      expect(counts.get(common), `${common} of ${JSON.stringify([...counts])}`).to.be.above(10);
    }
    for (let nth = 0; nth < 20; nth += 1) expect(inShort(await sendTo(adapter, receiver.url('/none')))).to.equal('delivered 200');
  });
});

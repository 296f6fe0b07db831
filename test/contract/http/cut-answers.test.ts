import { expect } from 'chai';

import type { DeliveryResult } from '../../../shared/domain/ports.js';
import { createHttpAdapter } from '../../../workers/adapters/http/http-adapter.js';
import { oddAnswers } from './odd-answers.js';
import { createRawReceiver, type RawAnswer, type RawReceiver } from './raw-receiver.js';
import { sendTo } from './sending.js';

/** An answer that is longer than this is cut at some places only, and is not sent byte by byte. */
const mostPlaces = 150;

/** Places that matter in a long answer: about its beginning, its end and the limits for a head and a body. */
const notable = [1, 9, 12, 15, 16, 17, 18, 40, 1_000, 16_383, 16_384, 16_385, 16_386, 65_535, 65_536, 65_537];

interface HostileAnswer {
  readonly what: string;
  readonly bytes: Buffer;
  readonly then: 'stay' | 'close';
}

const head = 'HTTP/1.1 503 Busy\r\nRetry-After: 7\r\n';
const longLine = `A: ${'b'.repeat(20_000)}\r\n`;

const long: readonly HostileAnswer[] = [
  ['a wish before a head that is too long', `${head}${longLine}\r\n`],
  ['a wish behind a head that is too long', `HTTP/1.1 503 Busy\r\n${longLine}Retry-After: 7\r\n\r\n`],
  ['a wish across the limit of a head', `HTTP/1.1 503 Busy\r\nA: ${'b'.repeat(16_350)}\r\nRetry-After: 7\r\n\r\n`],
  ['a status line that is too long', `HTTP/1.1 200 ${'O'.repeat(17_000)}\r\nContent-Length: 0\r\n\r\n`],
  ['a status line with 101 that is too long', `HTTP/1.1 101 ${'O'.repeat(17_000)}\r\n\r\n`],
  ['an interim answer that is too long', `HTTP/1.1 103 ${'O'.repeat(17_000)}\r\n${longLine}\r\nHTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n`],
  ['a body that is too long', `${head}\r\n${'x'.repeat(70_000)}`],
  ['a body behind an illegal header', `HTTP/1.1 503 Busy\r\nBad Header: x\r\nRetry-After: 7\r\n\r\n${'x'.repeat(70_000)}`],
  ['wishes and dates of all kinds', `HTTP/1.1 429 Slow\r\nDate: never\r\nDate:\r\n Sun, 01 Mar 2026\r\n 12:00:00 GMT\r\nBad Header: x\r\nRetry-After : soon, sun, 01 mar 2026\r\n\t12:00:05 gmt, 9\r\n${'A: b\r\n'.repeat(40)}\r\n`],
].map(([what = '', text = '']) => ({ what, bytes: Buffer.from(text, 'latin1'), then: 'close' }));

/** A reset is left out: it throws away what has not been read yet, so what comes before it depends on the time. */
const hostile: readonly HostileAnswer[] = [...long, ...Object.values(oddAnswers).flat().flatMap(({ what, bytes, then = 'stay' }) => {
  if (then === 'reset') return [];
  const pieces = typeof bytes === 'string' || Buffer.isBuffer(bytes) ? [bytes] : bytes;
  return [{ what, bytes: Buffer.concat(pieces.map((piece) => Buffer.from(piece))), then }];
})];

/** The answer in all pieces in which the network may bring it. */
function cutsOf({ bytes }: HostileAnswer): readonly (readonly Buffer[])[] {
  const isShort = bytes.length <= mostPlaces;
  const places = isShort ? Array.from(bytes, (_, at) => at) : [...notable, bytes.length - 1, bytes.length - 3];
  const inTwo = places.filter((at) => at > 0 && at < bytes.length).map((at) => [bytes.subarray(0, at), bytes.subarray(at)]);
  return isShort ? [...inTwo, Array.from(bytes, (byte) => Buffer.of(byte))] : inTwo;
}

/** All that a decision is made by. The text is left out of an answer without a status: it quotes what has come. */
function verdict(result: DeliveryResult): unknown {
  return result.kind === 'failed' && result.httpStatus === undefined ? { code: result.code } : result;
}

describe('http adapter: answers that the network cuts', function () {
  this.timeout(60_000);

  let receiver: RawReceiver;
  const answers: RawAnswer[] = [];

  before(async () => {
    receiver = await createRawReceiver(({ path }) => answers[Number(path.slice(1))] ?? { pieces: [] });
  });
  after(async () => {
    await receiver.close();
  });

  /** Over a connection of its own: what comes behind an answer must not meet the next one. */
  async function verdictOn(answer: RawAnswer): Promise<unknown> {
    const adapter = createHttpAdapter({ clock: () => Date.parse('2026-03-01T12:00:00Z') });
    try {
      const nth = answers.push(answer) - 1;
      return verdict(await sendTo(adapter, receiver.url(`/${nth}`)));
    } finally {
      await adapter.close();
    }
  }

  for (const answer of hostile) {
    it(`says the same of ${answer.what}, wherever it is cut`, async () => {
      const { bytes, then } = answer;
      const whole = await verdictOn({ pieces: [bytes], then });
      const cuts = cutsOf(answer);
      const verdicts = await Promise.all(cuts.map((pieces) => verdictOn({ pieces, then })));
      for (const [nth, cut] of cuts.entries()) {
        expect(verdicts[nth], `in pieces of ${cut.map(({ length }) => length).join(' + ')} bytes`).to.deep.equal(whole);
      }
    });
  }
});

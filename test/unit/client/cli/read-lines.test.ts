import { expect } from 'chai';
import fc from 'fast-check';

import { readLines, type Line } from '../../../../client/cli/read-lines.js';

async function linesOf(chunks: readonly (Uint8Array | string)[], maxBytes?: number): Promise<Line[]> {
  const lines: Line[] = [];
  async function* source(): AsyncGenerator<Uint8Array | string> {
    yield* chunks;
  }
  for await (const line of readLines(source(), maxBytes)) lines.push(line);
  return lines;
}

const texts = async (chunks: readonly (Uint8Array | string)[]): Promise<(string | undefined)[]> => (await linesOf(chunks)).map(({ text }) => text);

describe('readLines', () => {
  const cases: readonly (readonly [what: string, text: string, lines: readonly (readonly [number, string])[]])[] = [
    ['a last line without its end', 'a\nb', [[1, 'a'], [2, 'b']]],
    ['CRLF', 'a\r\nb\r\n', [[1, 'a'], [2, 'b']]],
    ['a byte order mark', '\ufeffa\nb\n', [[1, 'a'], [2, 'b']]],
    ['empty lines, which are counted and passed over', '\n\na\n\r\n \nb\n\n', [[3, 'a'], [6, 'b']]],
    ['nothing', '', []],
    ['nothing but a line break', '\n', []],
    ['a byte order mark in the middle, which is a character like any other', 'a\n\ufeffb', [[1, 'a'], [2, '\ufeffb']]],
  ];
  for (const [what, text, lines] of cases) {
    it(`reads ${what}`, async () => {
      expect((await linesOf([text])).map(({ number, text: line }) => [number, line])).to.deep.equal(lines);
    });
  }

  it('gives the same lines wherever the chunks end, inside characters and line ends too', async () => {
    const line = fc.string({ unit: 'grapheme', maxLength: 8 }).map((text) => text.replace(/[\r\n\ufeff]/g, '')).filter((text) => text.trim() !== '');
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 8 }), fc.constantFrom('\n', '\r\n'), fc.array(fc.nat(40), { maxLength: 10 }), async (lines, end, cuts) => {
        const bytes = Buffer.from(lines.map((text) => text + end).join(''));
        const places = [...new Set(cuts.map((cut) => Math.min(cut, bytes.length)))].sort((a, b) => a - b);
        const chunks = [0, ...places].map((from, nth) => bytes.subarray(from, places[nth] ?? bytes.length));
        expect(await texts(chunks)).to.deep.equal(lines);
      }),
    );
  });

  it('reads a character that is cut after each of its bytes', async () => {
    expect(await texts([...Buffer.from('a\u{1f69a}b\nc')].map((byte) => Uint8Array.of(byte)))).to.deep.equal(['a\u{1f69a}b', 'c']);
  });

  it('reads a line of a megabyte that comes in sixteen pieces', async () => {
    const long = 'x'.repeat(1_048_576);
    const pieces = Array.from({ length: 16 }, (_, nth) => long.slice(nth * 65_536, (nth + 1) * 65_536));
    expect(await texts(['a\n', ...pieces, '\nb'])).to.deep.equal(['a', long, 'b']);
  });

  it('names a line that is too long or no UTF-8, and goes on behind it', async () => {
    const lines = await linesOf([Buffer.from('a\n'), Buffer.from([0x22, 0xff, 0x22, 10]), 'x'.repeat(11), '\nb\n'], 10);
    expect(lines.map(({ number, text, fault }) => [number, text, fault])).to.deep.equal([
      [1, 'a', undefined],
      [2, undefined, 'the line is not valid UTF-8'],
      [3, undefined, 'the line has more than 10 bytes'],
      [4, 'b', undefined],
    ]);
  });

  it('gives a line before the next one has come', async () => {
    let isOpen = false;
    async function* source(): AsyncGenerator<string> {
      yield 'a\nb';
      isOpen = true;
      yield '\n';
    }
    const lines = readLines(source());
    expect((await lines.next()).value?.text).to.equal('a');
    expect(isOpen).to.equal(false);
    await lines.return();
  });
});

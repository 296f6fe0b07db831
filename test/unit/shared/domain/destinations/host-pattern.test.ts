import { expect } from 'chai';
import fc from 'fast-check';

import { canonicalHostPattern } from '../../../../../shared/domain/destinations/host-pattern.js';
import { createPathMask } from '../../../../../shared/domain/destinations/path-mask.js';

describe('canonicalHostPattern', () => {
  const table: readonly (readonly [written: string, spelling: string | undefined])[] = [
    ['*', '*'],
    ['hooks.example.com', 'hooks.example.com'],
    ['Hooks.Example.COM.', 'hooks.example.com'],
    ['*.Example.com.', '*.example.com'],
    ['Bücher.example', 'xn--bcher-kva.example'],
    ['*.bücher.example', '*.xn--bcher-kva.example'],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
    ['a_b.example', 'a_b.example'],
    ['127.1', '127.0.0.1'],
    ['0x7f000001', '127.0.0.1'],
    ['2130706433', '127.0.0.1'],
    ['127.0.0.1.', '127.0.0.1'],
    ['[0:0:0:0:0:0:0:1]', '[::1]'],
    ['0:0:0:0:0:0:0:1', '[::1]'],
    ['::1', '[::1]'],
    ['[::FFFF:127.0.0.1]', '[::ffff:7f00:1]'],
    ['', undefined],
    ['.', undefined],
    ['*.', undefined],
    ['host:443', undefined],
    ['host:80', undefined],
    ['host:', undefined],
    ['[::1]:443', undefined],
    ['[fe80::1%25eth0]', undefined],
    ['user@host', undefined],
    ['host/path', undefined],
    ['host\\path', undefined],
    ['host?query', undefined],
    ['host#fragment', undefined],
    ['%61.example', undefined],
    ['*.*.example', undefined],
    ['*.127.0.0.1', undefined],
    ['*.[::1]', undefined],
    ['1.2.3.4.5', undefined],
    ['a..b', undefined],
  ];
  for (const [written, spelling] of table) {
    it(`writes ${JSON.stringify(written)} as ${String(spelling)}`, () => { expect(canonicalHostPattern(written)).to.equal(spelling); });
  }

  it('gives a spelling that matches the host of every url with that host, or refuses the text', () => {
    const host = fc.oneof(
      fc.domain(),
      fc.ipV4(),
      fc.ipV4Extended(),
      fc.ipV6().map((address) => `[${address}]`),
      fc.array(fc.constantFrom('bücher', 'straße', 'A', '☃', 'example', '1', '0x1', 'a_b'), { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.')),
    );
    fc.assert(
      fc.property(host, fc.constantFrom('', '.'), (text, dot) => {
        const pattern = canonicalHostPattern(text + dot);
        if (pattern === undefined) return;
        for (const url of [`http://${text}/x`, `https://${text.replace(/[a-z]+$/, (end) => end.toUpperCase())}:8443/x`]) {
          const { hostname, pathname } = new URL(url);
          expect(createPathMask([pattern])(hostname, pathname), `${pattern} for ${hostname}`).to.match(/^\/\*[0-9a-f]{32}$/);
        }
      }),
    );
  });
});

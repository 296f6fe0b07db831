import { expect } from 'chai';

import { parseAuthority } from '../../../../shared/addresses/authority.js';

describe('parseAuthority', () => {
  const good: readonly (readonly [text: string, name: string, port: number | undefined, isAddress: boolean])[] = [
    ['api.example.com', 'api.example.com', undefined, false],
    ['API.Example.COM.:8080', 'api.example.com', 8_080, false],
    ['localhost:0', 'localhost', 0, false],
    ['localhost:', 'localhost', undefined, false],
    ['my_host-1', 'my_host-1', undefined, false],
    ['127.0.0.1:65535', '127.0.0.1', 65_535, true],
    ['127.0.0.1.', '127.0.0.1', undefined, true],
    ['[::1]', '[::1]', undefined, true],
    ['[2001:DB8::1]:80', '[2001:db8::1]', 80, true],
    ['[::ffff:127.0.0.1]', '[::ffff:7f00:1]', undefined, true],
    ['[2001:db8:0:0:0:0:0:1]', '[2001:db8::1]', undefined, true],
    ['127.1', '127.1', undefined, false],
    ['1.2.3.4.5', '1.2.3.4.5', undefined, false],
    ['xn--mller-kva.example', 'xn--mller-kva.example', undefined, false],
    ['a%2fb', 'a%2fb', undefined, false],
  ];
  for (const [text, name, port, isAddress] of good) {
    it(`reads ${text}`, () => {
      expect(parseAuthority(text)).to.deep.equal({ name, port, isAddress });
    });
  }

  const bad = ['', '.', ':80', 'a b', 'a b,c/@evil', 'user@a', 'a/b', 'a?b', 'a#b', 'a\\b', 'a:b', 'a:80:80', 'a:65536', 'a:-1', '::1', '[::1', '[]', '[::1]x', '[1.2.3.4]', '[fe80::1%25lo]', 'müller.example', 'a%zz', 'a\u0000', 'x'.repeat(261)];
  for (const text of bad) {
    it(`refuses ${JSON.stringify(text.slice(0, 20))}`, () => {
      expect(parseAuthority(text)).to.equal(undefined);
    });
  }
});

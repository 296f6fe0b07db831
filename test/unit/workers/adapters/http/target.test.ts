import { expect } from 'chai';

import { parseTarget } from '../../../../../workers/adapters/http/target.js';

describe('parseTarget', () => {
  const basic = (credentials: string): string => `Basic ${Buffer.from(credentials).toString('base64')}`;

  it('takes a url apart', () => {
    expect(parseTarget('https://user:pass@Example.com:443/a/../b%2F?q=1#part')).to.deep.equal({
      origin: 'https://example.com',
      hostname: 'example.com',
      pathname: '/b%2F',
      path: '/b%2F?q=1',
      authorization: basic('user:pass'),
    });
  });

  for (const [url, origin, hostname, pathname, path] of [
    ['http://example.com', 'http://example.com', 'example.com', '/', '/'],
    ['http://example.com:8080?x', 'http://example.com:8080', 'example.com', '/', '/?x'],
    ['http://[::1]:9/ü', 'http://[::1]:9', '[::1]', '/%C3%BC', '/%C3%BC'],
    ['http://bücher.example/', 'http://xn--bcher-kva.example', 'xn--bcher-kva.example', '/', '/'],
  ] as const) {
    it(`makes ${origin} and ${path} of ${url}, without authorization`, () => {
      expect(parseTarget(url)).to.deep.equal({ origin, hostname, pathname, path, authorization: undefined });
    });
  }

  it('takes a stray percent sign in a password as it is', () => {
    expect(parseTarget('http://user:50%off@host/').authorization).to.equal(basic('user:50%off'));
  });

  it('throws when the url is none', () => {
    expect(() => parseTarget('/relative')).to.throw(TypeError);
  });
});

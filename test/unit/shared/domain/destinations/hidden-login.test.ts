import { expect } from 'chai';

import { withHiddenLogin, withKeptLogin } from '../../../../../shared/domain/destinations/hidden-login.js';

describe('withHiddenLogin', () => {
  for (const [url, shown] of [
    ['https://user:password@a/x?y=1', 'https://user:***@a/x?y=1'],
    ['https://token@a/', 'https://***@a/'],
    ['https://token:@a/', 'https://***@a/'],
    ['HTTP://user:pass:word@a', 'HTTP://user:***@a'],
    ['http://u@x:p@a/', 'http://u@x:***@a/'],
    ['http://:password@a/', 'http://:***@a/'],
    ['http://a/', 'http://a/'],
    ['http://a/x@y:z', 'http://a/x@y:z'],
    ['http://a?b@c', 'http://a?b@c'],
    ['no url', 'no url'],
  ] as const) {
    it(`shows ${url} as ${shown}`, () => { expect(withHiddenLogin(url)).to.equal(shown); });
  }
});

describe('withKeptLogin', () => {
  const old = 'https://user:password@a/x';
  for (const [url, kept] of [
    ['https://user:***@a/y', 'https://user:password@a/y'],
    ['https://other:***@a/y', 'https://other:password@a/y'],
    ['https://***@a/y?z', 'https://user:password@a/y?z'],
    ['https://user:***@A:443/y', 'https://user:password@A:443/y'],
    ['https://user:new@a/y', 'https://user:new@a/y'],
    ['https://a/y', 'https://a/y'],
    ['https://user:***@b/y', 'https://user:***@b/y'],
    ['https://user:***@a:8443/y', 'https://user:***@a:8443/y'],
    ['http://user:***@a/y', 'http://user:***@a/y'],
    ['https://user:***@a.b/', 'https://user:***@a.b/'],
    ['https://b/?https://user:***@a/', 'https://b/?https://user:***@a/'],
    ['https://user:***@a@b/', 'https://user:***@a@b/'],
  ] as const) {
    it(`makes ${kept} of ${url}`, () => { expect(withKeptLogin(url, old)).to.equal(kept); });
  }

  it('keeps a user without a password, and nothing where there was no login', () => {
    expect(withKeptLogin('https://***@a/y', 'https://token@a/x')).to.equal('https://token@a/y');
    expect(withKeptLogin('https://user:***@a/y', 'https://token@a/x')).to.equal('https://user:***@a/y');
    expect(withKeptLogin('https://***@a/y', 'https://a/x')).to.equal('https://***@a/y');
  });
});

import { expect } from 'chai';
import fc from 'fast-check';

import { rowOf } from '../../../../../shared/domain/destinations/destination.js';
import { createPathMask, defaultPathMask, endpointPath, knownChatWebhooks, type PathMask } from '../../../../../shared/domain/destinations/path-mask.js';

const pathOf = (url: string, mask: PathMask = defaultPathMask): string => rowOf('http').endpointPath({ type: 'http', url }, mask);
const HASHED = /^\*[0-9a-f]{32}$/;

describe('createPathMask', () => {
  it('writes a segment that mixes letters and digits, from 20 characters on, as a hash', () => {
    expect(defaultPathMask('hooks.example.com', '/T1/a1b2c3d4e5f6g7h8i9j0')).to.equal('/T1/*10ee68888777ddca9eee1b40378c22d1');
    expect(defaultPathMask('a.example.com', '/a1b2c3d4e5f6g7h8i9j0')).to.equal('/*10ee68888777ddca9eee1b40378c22d1');
  });

  for (const plain of ['/orders', '/', '/a1b2c3d4e5f6g7h8i9j', '/a-long-name-without-any-digit', '/20261128201511282026112820', '//x//', '/a%20b']) {
    it(`leaves ${plain} as it is`, () => { expect(defaultPathMask('a.example.com', plain)).to.equal(plain); });
  }

  it('writes every segment as a hash on a host whose paths are secret', () => {
    const mask = createPathMask(['hooks.example.com']);
    expect(mask('hooks.example.com', '/T1/')).to.equal('/*1f93603db53bfad5c92390f735d0cbb8/');
    expect(mask('hooks.example.com', '/')).to.equal('/');
    expect(mask('example.com', '/T1')).to.equal('/T1');
    expect(mask('my.hooks.example.com', '/T1')).to.equal('/T1');
  });

  const hosts: readonly (readonly [listed: string, host: string, isSecret: boolean])[] = [
    ['*', 'a.example.com', true],
    ['*', '[::1]', true],
    ['*.example.com', 'a.example.com', true],
    ['*.example.com', 'b.a.example.com', true],
    ['*.example.com', 'example.com', false],
    ['*.example.com', 'badexample.com', false],
    ['example.com', 'example.com.', true],
    ['*.example.com', 'a.example.com.', true],
    ['127.0.0.1', '127.0.0.1', true],
    ['[::1]', '[::1]', true],
  ];
  for (const [listed, host, isSecret] of hosts) {
    it(`takes the paths of ${host} for ${isSecret ? 'secret' : 'words'} where ${listed} is listed`, () => {
      expect(createPathMask([listed])(host, '/x')).to.equal(isSecret ? '/*2d711642b726b04401627ca9fbac32f5' : '/x');
    });
  }

  it('knows the chat services whose webhooks have their secret in the path', () => {
    for (const host of ['hooks.slack.com', 'discord.com', 'canary.discord.com', 'acme.webhook.office.com', 'api.telegram.org', 'chat.googleapis.com']) expect(defaultPathMask(host, '/services/T/B')).to.match(/^\/\*\w{32}\/\*\w{32}\/\*\w{32}$/);
    expect(knownChatWebhooks).to.not.include('*');
  });

  it('writes a shown path as itself, so that one that was shown can be asked for', () => {
    const segment = fc.oneof(fc.stringMatching(/^[A-Za-z0-9._~-]{0,40}$/), fc.stringMatching(/^[a-z]{300}[0-9]$/));
    fc.assert(
      fc.property(fc.array(segment, { maxLength: 6 }), fc.constantFrom('a.example.com', 'hooks.slack.com'), (segments, host) => {
        const once = pathOf(`https://${host}/${segments.join('/')}`);
        expect(pathOf(`https://${host}${once}`)).to.equal(once);
        expect(once.length).to.be.at.most(512);
      }),
    );
  });

  it('shows no segment of a secret path, and none that looks like a token', () => {
    const segment = fc.stringMatching(/^[A-Za-z0-9_-]{1,40}$/);
    fc.assert(
      fc.property(fc.array(segment, { minLength: 1, maxLength: 5 }), (segments) => {
        const path = `/${segments.join('/')}`;
        const [, ...all] = createPathMask(['*'])('a.example.com', path).split('/');
        for (const shown of all) expect(shown).to.match(HASHED);
        const [, ...some] = createPathMask([])('a.example.com', path).split('/');
        some.forEach((shown, nth) => { if (!HASHED.test(shown)) expect(shown).to.equal(segments[nth]).and.not.match(/^(?=.*[a-z])(?=.*\d).{20}/i); });
      }),
    );
  });
});

describe('endpointPath', () => {
  it('leaves the query, the fragment, user and password out', () => {
    expect(pathOf('https://u:p@a.example.com/orders?token=1#part')).to.equal('/orders');
  });

  it('is a hash when the name of the endpoint has more than 512 characters', () => {
    const host = 'https://a.example.com';
    const longest = `/${'word/'.repeat(200)}`.slice(0, 512 - host.length);
    expect(endpointPath(host, longest)).to.equal(longest);
    expect(pathOf(host + longest)).to.equal(longest);
    expect(pathOf(`${host}${longest}x`)).to.match(/^\/\*[0-9a-f]{32}$/);
    expect(pathOf(`${host}${longest}x`)).to.not.equal(pathOf(`${host}${longest}y`));
  });

  it('of a topic is its name, however it looks', () => {
    const destination = { type: 'kafka', broker: undefined, topic: 'a1b2c3d4e5f6g7h8i9j0', key: undefined, headers: undefined } as const;
    expect(rowOf('kafka').endpointPath(destination, createPathMask(['*']))).to.equal('/a1b2c3d4e5f6g7h8i9j0');
  });
});

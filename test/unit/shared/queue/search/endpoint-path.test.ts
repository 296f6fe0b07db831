import { expect } from 'chai';
import fc from 'fast-check';

import { flowOf } from '../../../../../shared/domain/flow/flow-key.js';
import { endpointPath } from '../../../../../shared/queue/search/endpoint-path.js';

const pathOf = (url: string): string => endpointPath({ type: 'http', url }, flowOf({ type: 'http', url }, undefined).host);

describe('endpointPath', () => {
  it('writes a segment that mixes letters and digits, from 20 characters on, as a hash', () => {
    expect(pathOf('https://hooks.example.com/T1/a1b2c3d4e5f6g7h8i9j0')).to.equal('/T1/*10ee68888777ddca9eee1b40378c22d1');
  });

  for (const plain of ['/orders', '/', '/a1b2c3d4e5f6g7h8i9j', '/a-long-name-without-any-digit', '/20261128201511282026112820', '//x//', '/a%20b']) {
    it(`leaves ${plain} as it is`, () => { expect(pathOf(`https://a.example.com${plain}`)).to.equal(plain); });
  }

  it('leaves the query, the fragment, user and password out', () => {
    expect(pathOf('https://u:p@a.example.com/orders?token=1#part')).to.equal('/orders');
  });

  it('writes a path as a hash when the endpoint has more than 512 characters', () => {
    const host = 'https://a.example.com';
    const longest = `/${'word/'.repeat(200)}`.slice(0, 512 - host.length);
    expect(pathOf(host + longest)).to.equal(longest);
    expect(pathOf(`${host}${longest}x`)).to.match(/^\/\*[0-9a-f]{32}$/);
    expect(pathOf(`${host}${longest}x`)).to.not.equal(pathOf(`${host}${longest}y`));
  });

  it('writes the name of an endpoint as itself, so that one that was shown can be asked for', () => {
    const segment = fc.oneof(fc.stringMatching(/^[A-Za-z0-9._~-]{0,40}$/), fc.stringMatching(/^[a-z]{300}[0-9]$/));
    fc.assert(
      fc.property(fc.array(segment, { maxLength: 6 }), (segments) => {
        const once = pathOf(`https://a.example.com/${segments.join('/')}`);
        expect(pathOf(`https://a.example.com${once}`)).to.equal(once);
        expect(once.length).to.be.at.most(512);
      }),
    );
  });

  it('of a topic is its name, however it looks', () => {
    const destination = { type: 'kafka', broker: undefined, topic: 'a1b2c3d4e5f6g7h8i9j0', key: undefined, headers: undefined } as const;
    expect(endpointPath(destination, 'kafka://default')).to.equal('/a1b2c3d4e5f6g7h8i9j0');
  });
});

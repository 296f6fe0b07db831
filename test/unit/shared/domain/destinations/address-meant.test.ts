import { expect } from 'chai';

import { addressMeant } from '../../../../../shared/domain/destinations/address-meant.js';

describe('addressMeant', () => {
  const table: readonly (readonly [text: string, meant: ReturnType<typeof addressMeant>])[] = [
    ['localhost:9092', { scheme: undefined, host: 'localhost', port: 9092, hasMore: false }],
    ['kafka://user:secret@localhost:9092', { scheme: 'kafka', host: 'localhost', port: 9092, hasMore: false }],
    ['localhost:9092,other:9092', { scheme: undefined, host: 'localhost', port: 9092, hasMore: true }],
    ['http:/localhost:9092/a', { scheme: 'http', host: 'localhost', port: 9092, hasMore: true }],
    ['HTTPS://a.example/', { scheme: 'https', host: 'a.example', port: undefined, hasMore: false }],
    ['broker-1:9092', { scheme: undefined, host: 'broker-1', port: 9092, hasMore: false }],
    ['[::1]:80', { scheme: undefined, host: '[::1]', port: 80, hasMore: false }],
    ['localhost:99999', { scheme: undefined, host: 'localhost', port: undefined, hasMore: false }],
    ['localhost/a', { scheme: undefined, host: 'localhost', port: undefined, hasMore: true }],
    ['http:///secret', undefined],
    ['secret', undefined],
    ['/path', undefined],
    ['', undefined],
    ['a..b', undefined],
    [`${'a.'.repeat(1_000)}b`, undefined],
    [`${'x'.repeat(100)}.y`, undefined],
  ];
  for (const [text, meant] of table) {
    it(`finds ${meant === undefined ? 'nothing' : `${meant.host} ${meant.port ?? ''}`} in ${text.slice(0, 40)}`, () => {
      expect(addressMeant(text)).to.deep.equal(meant);
    });
  }
});

import { expect } from 'chai';
import fc from 'fast-check';

import { printDestination, type Destination } from '../../../../../shared/domain/destinations/destination.js';

const kafka = (changes: Partial<Extract<Destination, { type: 'kafka' }>>): Destination => ({ type: 'kafka', broker: undefined, topic: 'orders', key: undefined, headers: undefined, ...changes });

describe('printDestination', () => {
  const table: readonly (readonly [destination: Destination, text: string])[] = [
    [{ type: 'http', url: 'https://api.example.com/hook?token=1' }, 'http https://api.example.com/hook?...'],
    [{ type: 'http', url: 'http://127.0.0.1:8080/a/b' }, 'http http://127.0.0.1:8080/a/b'],
    [{ type: 'http', url: 'https://user:password@api.example.com/hook' }, 'http https://api.example.com/hook'],
    [{ type: 'http', url: 'https://api.example.com/hook#part' }, 'http https://api.example.com/hook'],
    [kafka({ broker: { host: 'broker-1', port: 9092 } }), 'kafka orders@broker-1:9092'],
    [kafka({}), 'kafka orders@default'],
    [kafka({ key: 'secret', headers: { token: 'secret' } }), 'kafka orders@default'],
  ];
  for (const [destination, text] of table) {
    it(`prints ${text}`, () => {
      expect(printDestination(destination)).to.equal(text);
    });
  }

  it('never prints user, password or query of a url', () => {
    const secret = fc.stringMatching(/^secret-[a-z0-9]{8}$/);
    fc.assert(
      fc.property(secret, secret, secret, fc.constantFrom('http', 'https'), (user, password, token, scheme) => {
        const text = printDestination({ type: 'http', url: `${scheme}://${user}:${password}@example.com/x?api_key=${token}&b=1#${token}` });
        for (const hidden of [user, password, token]) expect(text).to.not.contain(hidden);
      }),
    );
  });
});

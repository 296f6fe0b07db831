import { expect } from 'chai';
import fc from 'fast-check';

import { decodeDestination, destinationTypeNames, destinationTypes, printDestination, rowOf, toWireReceipt, type Destination } from '../../../../../shared/domain/destinations/destination.js';
import { shownUrl } from '../../../../../shared/domain/destinations/http-url.js';
import { defaultPathMask } from '../../../../../shared/domain/destinations/path-mask.js';

const kafka = (changes: Partial<Extract<Destination, { type: 'kafka' }>>): Destination => ({ type: 'kafka', broker: undefined, topic: 'orders', key: undefined, headers: undefined, ...changes });

describe('destinationTypes', () => {
  it('tells types without a tag apart by letters of their own', () => {
    const marks = Object.values(destinationTypes).flatMap(({ mark }) => mark ?? []);
    expect(new Set(marks).size).to.equal(marks.length);
  });

  it('begins what it prints and hashes with the type, so that no two types are mistaken for each other', () => {
    const destinations: readonly Destination[] = [{ type: 'http', url: 'http://a/' }, kafka({})];
    expect(destinations.map(({ type }) => type)).to.have.members(destinationTypeNames);
    for (const destination of destinations) {
      expect(printDestination(destination, defaultPathMask)).to.match(new RegExp(`^${destination.type} `));
      expect(rowOf(destination.type).canonical(destination)[0]).to.equal(destination.type);
    }
  });

  it('names only fields that there are in what belongs together', () => {
    for (const type of destinationTypeNames) expect(Object.keys(rowOf(type).fields)).to.include.members([...(rowOf(type).together ?? [])]);
  });

  it('reads a tag before it looks at anything else', () => {
    expect(decodeDestination({ y: 'http', u: 'http://a/' })).to.deep.equal({ type: 'http', url: 'http://a/' });
    expect(decodeDestination({ y: 'sqs', u: 'http://a/' })).to.equal(undefined);
  });
});

describe('toWireReceipt', () => {
  it('gives every field of a receipt its wire name', () => {
    expect(toWireReceipt({ httpStatus: 204 })).to.deep.equal({ http_status: 204 });
    expect(toWireReceipt({ partition: 3, offset: '17' })).to.deep.equal({ partition: 3, offset: '17' });
  });
});

describe('printDestination', () => {
  const table: readonly (readonly [destination: Destination, text: string])[] = [
    [{ type: 'http', url: 'https://api.example.com/hook?token=1' }, 'http https://api.example.com/hook?...'],
    [{ type: 'http', url: 'http://127.0.0.1:8080/a/b' }, 'http http://127.0.0.1:8080/a/b'],
    [{ type: 'http', url: 'https://user:password@api.example.com/hook' }, 'http https://api.example.com/hook'],
    [{ type: 'http', url: 'https://api.example.com/hook#part' }, 'http https://api.example.com/hook'],
    [{ type: 'http', url: 'https://api.example.com/hook/a1b2c3d4e5f6g7h8i9j0' }, 'http https://api.example.com/hook/*10ee68888777ddca9eee1b40378c22d1'],
    [{ type: 'http', url: 'https://hooks.slack.com/T1?x' }, 'http https://hooks.slack.com/*1f93603db53bfad5c92390f735d0cbb8?...'],
    [{ type: 'http', url: 'no url at all' }, 'http (not a url)'],
    [kafka({ broker: { host: 'broker-1', port: 9092 } }), 'kafka orders@broker-1:9092'],
    [kafka({}), 'kafka orders@default'],
    [kafka({ key: 'secret', headers: { token: 'secret' } }), 'kafka orders@default'],
  ];
  for (const [destination, text] of table) {
    it(`prints ${text}`, () => {
      expect(printDestination(destination, defaultPathMask)).to.equal(text);
    });
  }

  it('never prints user, password or query of a url', () => {
    const secret = fc.stringMatching(/^secret-[a-z0-9]{8}$/);
    fc.assert(
      fc.property(secret, secret, secret, fc.constantFrom('http', 'https'), (user, password, token, scheme) => {
        const destination = { type: 'http', url: `${scheme}://${user}:${password}@example.com/x?api_key=${token}&b=1#${token}` } as const;
        for (const text of [printDestination(destination, defaultPathMask), shownUrl(destination.url, defaultPathMask)]) {
          for (const hidden of [user, password, token]) expect(text).to.not.contain(hidden);
        }
      }),
    );
  });
});

describe('toWire', () => {
  it('of Kafka shows the names of headers, and none of their values', () => {
    const headers = { token: 'secret', ['__proto__']: 'secret' };
    const shown = rowOf('kafka').toWire(kafka({ broker: { host: 'broker-1', port: 9092 }, key: 'k', headers }), defaultPathMask);
    expect(JSON.stringify(shown)).to.equal('{"host":"broker-1","port":9092,"topic":"orders","key":"k","headers":{"token":"***","__proto__":"***"}}');
    expect(rowOf('kafka').toWire(kafka({}), defaultPathMask)).to.have.property('headers', undefined);
  });
});

describe('shownUrl', () => {
  const table: readonly (readonly [url: string, shown: string])[] = [
    ['HTTP://API.example.com', 'HTTP://API.example.com'],
    ['http://127.0.0.1:9099/orders', 'http://127.0.0.1:9099/orders'],
    ['https://user:password@api.example.com/hook', 'https://***@api.example.com/hook'],
    ['https://user@api.example.com', 'https://***@api.example.com/'],
    ['https://api.example.com/hook?api_key=1', 'https://api.example.com/hook?...'],
    ['https://api.example.com/hook#token', 'https://api.example.com/hook#...'],
    ['https://api.example.com:8443/a1b2c3d4e5f6g7h8i9j0', 'https://api.example.com:8443/*10ee68888777ddca9eee1b40378c22d1'],
    ['https://hooks.slack.com/T1', 'https://hooks.slack.com/*1f93603db53bfad5c92390f735d0cbb8'],
    ['https://api.example.com/a1b2c3d4e5f6g7h8i9j0/../x', 'https://api.example.com/x'],
    ['https://api.example.com/a1b2c3d4e5f6g7h8i9j0/.%2E/x', 'https://api.example.com/x'],
    ['https://api.example.com/a\u202eb/\u2066', 'https://api.example.com/a%E2%80%AEb/%E2%81%A6'],
    ['https://api.example.com/a\u200bb?\u202e', 'https://api.example.com/a%E2%80%8Bb?...'],
    ['https://bücher.example/ü', 'https://bücher.example/ü'],
    ['no url at all', '(not a url)'],
  ];
  for (const [url, shown] of table) {
    it(`shows ${url} as ${shown}`, () => { expect(shownUrl(url, defaultPathMask)).to.equal(shown); });
  }
});

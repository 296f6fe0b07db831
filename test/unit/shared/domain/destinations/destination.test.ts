import { expect } from 'chai';
import fc from 'fast-check';

import { decodeDestination, destinationTypeNames, destinationTypes, printDestination, rowOf, toWireReceipt, type Destination } from '../../../../../shared/domain/destinations/destination.js';

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
      expect(printDestination(destination)).to.match(new RegExp(`^${destination.type} `));
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

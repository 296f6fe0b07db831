import { expect } from 'chai';

import { parseGroup, parseKey } from '../../../../server/flow/destination-key.js';
import { idOfKey } from '../../../../shared/wire/destination-id.js';
import { RequestError } from '../../../../shared/domain/errors.js';

/** The fields that were complained about. */
function refusedFields(parse: () => unknown): string[] {
  try {
    parse();
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    expect(error.code).to.equal('invalid_request');
    return (error.details ?? []).map(({ field }) => field);
  }
  throw new Error('taken');
}

describe('the name of a destination', () => {
  const names: readonly (readonly [text: string, name: string])[] = [
    ['https://API.example.com/x?y#z', 'https://api.example.com/x'],
    ['https://API.example.com/x%2Fy', 'https://api.example.com/x%2Fy'],
    ['HTTP://user:secret@example.com:80', 'http://example.com'],
    ['HTTP://user:secret@example.com:80/', 'http://example.com/'],
    ['http://127.0.0.1:8080/hook', 'http://127.0.0.1:8080/hook'],
    ['https://hooks.slack.com/T1', 'https://hooks.slack.com/*1f93603db53bfad5c92390f735d0cbb8'],
    ['https://bücher.example', 'https://xn--bcher-kva.example'],
    ['kafka://default/orders', 'kafka://default/orders'],
    ['kafka://Broker-1:9092/Orders', 'kafka://broker-1:9092/Orders'],
    ['kafka://default/', 'kafka://default'],
    ['kafka://Broker-1:09092/orders', 'kafka://broker-1:9092/orders'],
    ['kafka://default/a/b', 'kafka://default/a/b'],
    ['tenant 7/ä', 'tenant 7/ä'],
    ['http://', 'http://'],
    ['...', '...'],
    ['%2e', '%2e'],
    ['a/..', 'a/..'],
    ['https://API.example.com/..', 'https://api.example.com/'],
    [' https://user:secret@API.example.com', 'https://api.example.com'],
    ['kafka://user:secret@Broker-1:9092/orders?token=1', 'kafka://broker-1:9092/orders'],
    ['🚚'.repeat(1_024), '🚚'.repeat(1_024)],
  ];
  for (const [text, name] of names) {
    it(`of ${text} is ${name}`, () => {
      expect(parseKey(text)).to.equal(name);
    });
  }

  for (const text of ['.', '..', 'a\nb', '\u0000', '\ud800', 'x'.repeat(1_025), '🚚'.repeat(1_025), `https://example.com/${'x'.repeat(8_192)}`]) {
    it(`cannot be ${JSON.stringify(text.slice(0, 20))}, ${text.length} characters`, () => {
      expect(refusedFields(() => parseKey(text))).to.deep.equal(['key']);
    });
  }

  for (const key of ['*', 'https://api.example.com', 'https://api.example.com/', 'https://api.example.com/orders/%2F', 'kafka://default/orders', 'tenant 7/\u00e4', '~tenant', '~~', 'https%3A%2F%2Fa', '\u{1f69a}']) {
    it(`may be given as the id of ${key}`, () => {
      const id = idOfKey(key);
      expect(id).to.match(/^~[A-Za-z0-9_-]+$/);
      expect(parseKey(id)).to.equal(key);
    });
  }

  it('has the id that is documented', () => {
    expect(idOfKey('https://a')).to.equal('~aHR0cHM6Ly9h');
  });

  it('is the same for an id of another spelling', () => {
    expect(parseKey(idOfKey('HTTPS://API.example.com'))).to.equal('https://api.example.com');
  });

  for (const [text, key] of [
    ['https%3A%2F%2Fapi.example.com', 'https://api.example.com'],
    ['HTTPS%3a%2f%2fAPI.example.com', 'https://api.example.com'],
    ['https%3A%2F%2Fapi.example.com%2Forders%252F7', 'https://api.example.com/orders%2F7'],
    ['kafka%3A%2F%2Fdefault%2Forders', 'kafka://default/orders'],
  ] as const) {
    it(`may be a url that was encoded twice: ${text}`, () => {
      expect(parseKey(text)).to.equal(key);
    });
  }

  it('is not decoded twice where it is no url', () => {
    expect(parseKey('tenant%2F7')).to.equal('tenant%2F7');
  });

  for (const id of ['~', '~tenant', '~YWJj=', '~YW Jj', '~YWJ', '~/w', '~Lg', '~YQo', '~7aCA', '~_w', '~\ud800']) {
    it(`cannot be ${JSON.stringify(id)}, which is no id of a key`, () => {
      expect(refusedFields(() => parseKey(id))).to.deep.equal(['key']);
    });
  }

  it('of a flow_key that begins with ~ is told with the refusal', () => {
    expect(() => parseKey('~tenant')).to.throw(RequestError, idOfKey('~tenant'));
  });
});

describe('the group of a list of destinations', () => {
  for (const [text, name] of [
    ['https://API.example.com', 'https://api.example.com'],
    ['kafka://default/', 'kafka://default'],
    [idOfKey('https://api.example.com'), 'https://api.example.com'],
  ] as const) {
    it(`${text} is ${name}`, () => {
      expect(parseGroup(text)).to.equal(name);
    });
  }

  for (const [text, meant] of [
    ['https://api.example.com/', ': did you mean https://api.example.com?'],
    ['https://user:secret@api.example.com/orders?token=secret', ': did you mean https://api.example.com?'],
    ['kafka://default/orders', ': did you mean kafka://default?'],
    ['api.example.com', ', such as https://api.example.com or kafka://default'],
    ['*', ', such as https://api.example.com or kafka://default'],
  ] as const) {
    it(`refuses ${text}, which has no endpoints`, () => {
      expect(() => parseGroup(text)).to.throw(RequestError).with.property('message', `group must be a host or a cluster${meant}`);
    });
  }
});

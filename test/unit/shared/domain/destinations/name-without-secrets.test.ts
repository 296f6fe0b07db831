import { expect } from 'chai';
import fc from 'fast-check';

import { shownFlowKey } from '../../../../../shared/domain/destinations/http.js';
import { nameWithoutSecrets } from '../../../../../shared/domain/destinations/name-without-secrets.js';
import { defaultPathMask } from '../../../../../shared/domain/destinations/path-mask.js';
import { canonicalName } from '../../../../../shared/domain/flow/flow-key.js';

const TOKEN = 'a1b2c3d4e5f6g7h8i9j0';
const HASH = '*10ee68888777ddca9eee1b40378c22d1';

describe('the name of a flow_key', () => {
  const table: readonly (readonly [flowKey: string, name: string, shown: string])[] = [
    // urls, as parsers read them
    ['https://user:secret@h/x', 'https://h/x', 'https://***@h/x'],
    ['https:user:secret@h/x', 'https://h/x', 'https://***@h/x'],
    ['https:/user:secret@h/x', 'https://h/x', 'https://***@h/x'],
    ['HTTPS:\\\\user:secret@h', 'https://h', 'https://***@h/'],
    [' https://user:secret@h', 'https://h', 'https://***@h/'],
    ['\u200bhttps://user:secret@h', 'https://h', 'https://***@h/'],
    ['\u00a0http://secret@h', 'http://h', 'http://***@h/'],
    ['https://h?token=secret', 'https://h/', 'https://h/?...'],
    [`https:h/${TOKEN}`, `https://h/${HASH}`, `https://h/${HASH}`],
    [`https:\\\\h\\${TOKEN}\\..\\x`, 'https://h/x', 'https://h/x'],
    ['https://API.example.com/x', 'https://api.example.com/x', 'https://API.example.com/x'],
    // what no parser takes, although a person means a url
    ['https://user:secret@h:99999/x?y', 'https://h:99999/x', 'https://***@h:99999/x?...'],
    ['https://user:sec/ret@h/x', 'https://h/x', 'https://h/x'],
    ['https://user:sec?ret@hooks.slack.com/T1', 'https://hooks.slack.com/*1f93603db53bfad5c92390f735d0cbb8', 'https://hooks.slack.com/*1f93603db53bfad5c92390f735d0cbb8'],
    ['https://user:secret@two words/x', 'https://two words/x', 'https://***@two words/x'],
    // clusters
    ['kafka://user:secret@Broker-1:9092/Orders', 'kafka://broker-1:9092/Orders', 'kafka://***@Broker-1:9092/Orders'],
    ['kafka:user:secret@h', 'kafka:h', 'kafka:***@h'],
    ['kafka:\\\\user:secret@h', 'kafka:\\\\h', 'kafka:\\\\***@h'],
    [' kafka://user:secret@h', ' kafka://h', ' kafka://***@h'],
    // One login behind the other, of which each step alone would find one.
    ['kafka:/@/@', 'kafka://', 'kafka:/***@/***@'],
    ['kafka:/u:secret@/u:secret@/u:secret@h/x', 'kafka:///h/x', 'kafka:/***@/***@/***@h/x'],
    ['//u:secret@//u:secret@h', '////h', '//***@//***@h'],
    ['kafka://default/orders?token=secret', 'kafka://default/orders', 'kafka://default/orders?...'],
    [`kafka://default/${TOKEN}`, `kafka://default/${TOKEN}`, `kafka://default/${TOKEN}`],
    // urls of other schemes, and of none
    ['//user:secret@h', '//h', '//***@h'],
    [`//user:secret@h/${TOKEN}/x?token=secret#secret`, `//h/${HASH}/x`, `//***@h/${HASH}/x?...#...`],
    [`\\\\h\\${TOKEN}`, `\\\\h\\${HASH}`, `\\\\h\\${HASH}`],
    ['//h/x?token=secret', '//h/x', '//h/x?...'],
    ['amqp://user:secret@h/vhost', 'amqp://h/vhost', 'amqp://***@h/vhost'],
    ['redis://:secret@h?db=1', 'redis://h', 'redis://***@h?...'],
    ['proxy=https://user:secret@h/x?token=secret', 'proxy=https://h/x', 'proxy=https://***@h/x?...'],
    ['https://user:secret@[ and https://user:secret@h', 'https://[ and https://h', 'https://***@[ and https://***@h'],
    // names
    ['tenant-7', 'tenant-7', 'tenant-7'],
    ['tenant:7@eu', 'tenant:7@eu', 'tenant:7@eu'],
    ['user@example.com', 'user@example.com', 'user@example.com'],
    ['a b/c?d#e', 'a b/c?d#e', 'a b/c?d#e'],
    ['tenant://acme/user@example.com', 'tenant://acme/user@example.com', 'tenant://acme/user@example.com'],
    ['tenant://acme:8080/user@example.com?x', 'tenant://acme:8080/user@example.com?x', 'tenant://acme:8080/user@example.com?x'],
    [TOKEN, TOKEN, TOKEN],
    ['//', '//', '//'],
    ['@', '@', '@'],
    ['http://', 'http://', 'http://'],
  ];
  for (const [flowKey, name, shown] of table) {
    it(`${JSON.stringify(flowKey)} is ${JSON.stringify(name)}, and is shown as ${JSON.stringify(shown)}`, () => {
      expect([canonicalName(flowKey), shownFlowKey(flowKey, defaultPathMask)]).to.deep.equal([name, shown]);
    });
  }

  const start = fc.constantFrom('', ' ', '\u00a0', '\ufeff', 'x=', 'see ');
  const scheme = fc.constantFrom('http:', 'HTTPS:', 'kafka:', 'Kafka:', 'amqp:', 'postgres:', '');
  const slashes = fc.constantFrom('//', '\\\\', '/\\', '///');
  const secret = fc.array(fc.constantFrom('secret', ':', '%40', '@', '$', '.', 'ü', '1'), { minLength: 1, maxLength: 4 }).map((pieces) => `:Secret${pieces.join('')}`);
  const rest = fc.constantFrom('h', 'h/', 'h:80/x', '[::1]', 'h:99999', 'two words', '', 'h/?q=Secret', 'h#Secret', 'h/x?Secret#Secret');

  it('holds no user, password, query or fragment, however nearly the flow_key is a url', () => {
    fc.assert(
      fc.property(start, scheme, slashes, fc.constantFrom('', 'Secretuser'), secret, rest, (before, by, two, user, password, behind) => {
        const flowKey = `${before}${by}${two}${user}${password}@${behind}`;
        for (const text of [canonicalName(flowKey), shownFlowKey(flowKey, defaultPathMask)]) expect(text, flowKey).to.not.match(/secret/i);
      }),
      { numRuns: 2_000 },
    );
  });

  /** Pieces that mean something in a url of any kind. */
  const pieces = fc.constantFrom('http:', 'HTTPS:', 'kafka:', 'Kafka:', '/', '//', '\\', '@', ':', '?', '#', '[', ']', ':1', '%', '%40', '..', ' ', '\u200b', 'a', 'İ', 'Σ', '1', TOKEN, 'broker-1:9092', 'default', 'hooks.slack.com');
  const anyName = fc.oneof(fc.array(pieces, { maxLength: 12 }).map((several) => several.join('')), fc.string({ unit: 'grapheme' }), fc.webUrl({ withQueryParameters: true, withFragments: true }));
  const brokers = new Set(['broker-1:9092']);

  it('of a name is that name, whatever the text is', () => {
    fc.assert(
      fc.property(anyName, (text) => {
        const name = canonicalName(text, brokers);
        expect(canonicalName(name, brokers), text).to.equal(name);
      }),
      { numRuns: 5_000, examples: [['kafka:/@/@'], ['kafka://[[broker-1]]:9092/x'], ['//a@//b@//c@']] },
    );
  });

  it('of ten thousand logins, one behind the other, is found in one step', () => {
    expect(nameWithoutSecrets(`kafka:${'/u:secret@'.repeat(10_000)}`)).to.equal(`kafka:${'/'.repeat(10_000)}`);
  });

  it('is its own name, so that one which was shown can be asked for', () => {
    fc.assert(
      fc.property(fc.oneof(fc.tuple(start, scheme, slashes, secret, rest).map(([a, b, c, d, e]) => `${a}${b}${c}${d}@${e}`), fc.array(fc.constantFrom('http:', 'kafka:', '/', '\\', '@', ':', '?', '#', ' ', 'a', '1'), { maxLength: 12 }).map((pieces) => pieces.join(''))), (flowKey) => {
        const name = canonicalName(flowKey);
        expect(canonicalName(name)).to.equal(name);
      }),
      { numRuns: 5_000 },
    );
  });
});

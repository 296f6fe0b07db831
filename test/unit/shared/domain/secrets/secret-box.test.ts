import { createSecretKey, randomBytes } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';

import { createSecretBox, keyIdOf, noSecretKeys, SealedTextError, type SecretBox, type SecretKey } from '../../../../../shared/domain/secrets/secret-box.js';

const keyNamed = (id: string): SecretKey => ({ id, key: createSecretKey(randomBytes(32)) });
const [first, second] = [keyNamed('k1'), keyNamed('k2')];
const box = createSecretBox([second, first], randomBytes);
const PLACE = ['task', 'order-1', 'destination'];

function faultOf(open: () => string): string {
  try {
    return open();
  } catch (error) {
    if (!(error instanceof SealedTextError)) throw error;
    return error.fault;
  }
}

describe('the secret box', () => {
  it('opens what it has sealed, in the same place', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.array(fc.string(), { maxLength: 3 }), (text, place) => {
        const sealed = box.seal(text, place);
        expect(box.open(sealed, place)).to.equal(text);
        expect(sealed).to.match(/^k2\.[A-Za-z0-9_-]+$/);
      }),
    );
  });

  it('never seals a text in the same way twice', () => {
    expect(new Set(Array.from({ length: 100 }, () => box.seal('secret', PLACE))).size).to.equal(100);
  });

  it('opens with each key, and says which one is missing', () => {
    const old = createSecretBox([first], randomBytes).seal('secret', PLACE);
    expect(keyIdOf(old)).to.equal('k1');
    expect(box.open(old, PLACE)).to.equal('secret');
    const withoutOld = createSecretBox([second], randomBytes);
    expect(() => withoutOld.open(old, PLACE)).to.throw(SealedTextError, 'k1');
    expect(faultOf(() => withoutOld.open(old, PLACE))).to.equal('unknown_key');
  });

  const otherKey: SecretBox = createSecretBox([{ ...second, key: createSecretKey(randomBytes(32)) }], randomBytes);
  const sealed = box.seal('secret', PLACE);
  const table: readonly (readonly [what: string, open: () => string])[] = [
    ['another place', () => box.open(sealed, ['task', 'order-2', 'destination'])],
    ['a place that is divided in another way', () => box.open(box.seal('secret', ['a,b']), ['a', 'b'])],
    ['another key of the same id', () => otherKey.open(sealed, PLACE)],
    ['a text that was cut', () => box.open(sealed.slice(0, -6), PLACE)],
    ['a text that is too short', () => box.open('k2.abc', PLACE)],
    ['the id of another key', () => box.open(sealed.replace('k2.', 'k1.'), PLACE)],
  ];
  for (const [what, open] of table) {
    it(`refuses ${what}`, () => {
      expect(faultOf(open)).to.equal('tampered');
    });
  }

  it('refuses each changed character', () => {
    for (let at = 3; at < sealed.length; at += 1) {
      // The last character may have bits that stand for nothing.
      const changed = `${sealed.slice(0, at)}${sealed.charAt(at) === 'A' ? 'Q' : 'A'}${sealed.slice(at + 1)}`;
      if (Buffer.from(changed.slice(3), 'base64url').equals(Buffer.from(sealed.slice(3), 'base64url'))) continue;
      expect(faultOf(() => box.open(changed, PLACE)), `place ${at}`).to.equal('tampered');
    }
  });

  it('has nothing of a secret, or of what a stranger wrote for an id, in its errors', () => {
    for (const text of ['no key here', 'evil\nline.abc', '.abc', '']) {
      expect(() => box.open(text, PLACE)).to.throw(SealedTextError, '(none)');
    }
  });

  it('seals nothing without a key', () => {
    expect(noSecretKeys.hasKeys).to.equal(false);
    expect(() => noSecretKeys.seal('secret', PLACE)).to.throw('SECRETS_KEYS');
    expect(faultOf(() => noSecretKeys.open(sealed, PLACE))).to.equal('unknown_key');
  });
});

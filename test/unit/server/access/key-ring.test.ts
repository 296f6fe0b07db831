import { createHash } from 'node:crypto';

import { expect } from 'chai';

import type { KeyStore, StoredKeys } from '../../../../shared/queue/access/key-store.js';
import type { StoredKey } from '../../../../shared/queue/access/stored-key.js';
import { KeyRing } from '../../../../server/access/key-ring.js';

const secret = 'ab'.repeat(32);
const text = `krs_some_${secret}`;
const key: StoredKey = { id: 'some', name: 'some', role: 'submit', permissions: [], clientIds: null, secretHash: createHash('sha256').update(secret).digest('hex'), previous: null, sealSecret: '', expiresAt: null, createdAt: 0, createdBy: { type: 'service', id: null, name: null, operator: null } };
const withKey = (version: string): StoredKeys => ({ version, keys: new Map([[key.id, key]]), sessionVersion: '0' });
const without = (version: string): StoredKeys => ({ version, keys: new Map(), sessionVersion: '0' });

/** Its master answers each question when the test says so, in any order: no real one can be made to. The marks always say that no key has changed. */
class Ring {
  readonly #asked: ((answer: StoredKeys) => void)[] = [];
  readonly ring = new KeyRing({
    fleet: {
      // The one method that is called.
      withKeys: (work) => work({ read: () => new Promise<StoredKeys>((resolve) => { this.#asked.push(resolve); }) } as unknown as KeyStore),
      keyMarks: () => ({ isNewest: () => Promise.resolve(true), tell: () => Promise.resolve(true) }) as unknown as ReturnType<ConstructorParameters<typeof KeyRing>[0]['fleet']['keyMarks']>,
    },
    bootstrapKey: undefined,
    clock: Date.now,
    onFirstRead: () => undefined,
  });

  /** @returns the number of the question */
  async asks(): Promise<number> {
    // It waits for the master, or for the marks after a moment.
    void this.ring.changed('1').catch(() => undefined);
    await new Promise((resolve) => { setImmediate(resolve); });
    return this.#asked.length - 1;
  }

  async answer(question: number, answer: StoredKeys): Promise<void> {
    this.#asked[question]?.(answer);
    await new Promise((resolve) => { setImmediate(resolve); });
  }

  get verdict(): string {
    const verdict = this.ring.judge(text, performance.now());
    if (verdict instanceof Promise) throw new Error('it asks first');
    return 'caller' in verdict ? 'holds' : verdict.fault;
  }
}

describe('the keys that a process knows', () => {
  it('are those of the newest question, whichever is answered last', async () => {
    const ring = new Ring();
    await ring.answer(await ring.asks(), withKey('1'));
    expect(ring.verdict).to.equal('holds');
    // A master that is cut off, while the marks say that nothing has changed; then the one that has taken over.
    const old = await ring.asks();
    await new Promise((resolve) => { setTimeout(resolve, 200); });
    await ring.answer(await ring.asks(), without('3'));
    expect(ring.verdict).to.equal('unknown');
    await ring.answer(old, withKey('2'));
    expect(ring.verdict, 'by the deposed one').to.equal('unknown');
  });

  it('have changed also where the shards are closed: a change ends well, and counts as untold', async () => {
    let untold = 0;
    const closed = (): never => { throw new Error('closed'); };
    const ring = new KeyRing({ fleet: { withKeys: () => Promise.reject(new Error('closed')), keyMarks: closed }, bootstrapKey: undefined, clock: Date.now, onFirstRead: () => undefined, onUntold: () => { untold += 1; } });
    await ring.changed('2');
    expect(untold).to.equal(1);
  });

  it('are not taken for those of another version that it has not told', async () => {
    const ring = new Ring();
    await ring.answer(await ring.asks(), withKey('1'));
    await ring.answer(await ring.asks(), { version: '3', keys: undefined, sessionVersion: '0' });
    await ring.answer(await ring.asks(), without('3'));
    expect(ring.verdict).to.equal('unknown');
  });
});

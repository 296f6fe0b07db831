import { expect } from 'chai';

import { SessionMemory } from '../../../../server/access/session-memory.js';
import type { LookedUpSession } from '../../../../shared/queue/access/session-store.js';

const token = (nth: number, keyId = 'test0'): { keyId: string; secret: string } => ({ keyId, secret: String(nth).repeat(64) });
const open = (version: string, leftMs = 1_000): LookedUpSession => ({ session: { state: 'open', secretHash: 'ab', startedAt: 5 }, version, leftMs });

describe('the sessions that a process remembers', () => {
  it('are those that were open, with what was known of them', () => {
    const memory = new SessionMemory();
    memory.note(token(1), open('7'), 100);
    expect(memory.find(token(1), 100)).to.deep.equal({ session: { state: 'open', secretHash: 'ab', startedAt: 5 }, version: 7, openUntil: 1_100 });
    expect(memory.find(token(2), 100)).to.equal(undefined);
    memory.note(token(1), { session: { state: 'idle' }, version: '7', leftMs: 0 }, 200);
    expect(memory.find(token(1), 200)).to.equal(undefined);
  });

  it('are none of another key with the same secret', () => {
    const memory = new SessionMemory();
    memory.note(token(1), open('7'), 100);
    expect(memory.find(token(1, 'other'), 100)).to.equal(undefined);
  });

  for (const [now, isFound] of [[1_099, true], [1_100, false]] as const) {
    it(`${isFound ? 'are' : 'are not'} believed at ${now} ms, where they may be idle from 1,100 ms on`, () => {
      const memory = new SessionMemory();
      memory.note(token(1), open('7'), 100);
      expect(memory.find(token(1), now) !== undefined).to.equal(isFound);
    });
  }

  it('are not believed once another one has ended, until they are looked up again', () => {
    const memory = new SessionMemory();
    memory.note(token(1), open('7'), 0);
    memory.heard(8);
    expect(memory.find(token(1), 0)).to.equal(undefined);
    // A master that was deposed answers late.
    memory.note(token(1), open('7'), 0);
    expect(memory.find(token(1), 0)).to.equal(undefined);
    memory.note(token(1), open('8'), 0);
    memory.heard(7);
    expect(memory.find(token(1), 0)?.version).to.equal(8);
    memory.note(token(2), open('9'), 0);
    expect([memory.find(token(1), 0), memory.find(token(2), 0)?.version]).to.deep.equal([undefined, 9]);
  });

  it('are the ones that were looked up last', () => {
    const memory = new SessionMemory(2);
    for (const nth of [1, 2, 1, 3]) memory.note(token(nth), open('7'), 0);
    expect([1, 2, 3].map((nth) => memory.find(token(nth), 0) !== undefined)).to.deep.equal([true, false, true]);
    memory.forget(token(1));
    expect(memory.find(token(1), 0)).to.equal(undefined);
  });
});

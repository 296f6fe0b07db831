import { expect } from 'chai';

import { isSilentByItself, printLife, readLife, spellAfter, type RedisAnswer, type RedisSpell, type SilentWorker } from '../../../../../shared/domain/flow/dead-worker.js';

const LOCK_MS = 15_000;
const NOW = 1_000_000;
const masters = 'a1,b2';

function silent(changes: Partial<SilentWorker> = {}): SilentWorker {
  return { name: 'host-1', reportedAt: NOW - 5_000, life: { startedAt: NOW - 60_000, spell: { since: NOW - 60_000, masters } }, ...changes };
}

function isSilent(worker: SilentWorker, witness: Partial<RedisSpell> = {}): boolean {
  return isSilentByItself(worker, { since: NOW - 30_000, masters, ...witness }, NOW, LOCK_MS);
}

describe('isSilentByItself', () => {
  it('holds for a worker that stopped to report while Redis was well', () => {
    expect(isSilent(silent())).to.equal(true);
    expect(isSilent(silent({ reportedAt: NOW - 4_000 }))).to.equal(true);
  });

  it('does not hold before four reports are missing', () => {
    expect(isSilent(silent({ reportedAt: NOW - 3_999 }))).to.equal(false);
  });

  it('does not hold for a worker that has written nothing down about itself', () => {
    expect(isSilent(silent({ life: undefined }))).to.equal(false);
  });

  it('does not hold when another master answers now, or one more, or one less', () => {
    for (const other of ['a1', 'a1,b3', 'a1,b2,c3']) expect(isSilent(silent(), { masters: other }), other).to.equal(false);
  });

  it('does not hold when the witness has seen a break since the last report, or has come later', () => {
    expect(isSilent(silent(), { since: NOW - 4_999 })).to.equal(false);
    expect(isSilent(silent(), { since: NOW - 5_000 })).to.equal(true);
  });

  it('does not hold within a lock of a failover that the worker has lived through', () => {
    const survivor = (since: number): SilentWorker => silent({ life: { startedAt: NOW - 60_000, spell: { since, masters } } });
    expect(isSilent(survivor(NOW - LOCK_MS + 1), { since: NOW - 10_000 })).to.equal(false);
    expect(isSilent(survivor(NOW - LOCK_MS), { since: NOW - 10_000 })).to.equal(true);
    expect(isSilent(survivor(NOW - 6_000), { since: NOW - LOCK_MS }), 'the witness has seen no break for that long').to.equal(true);
  });

  it('goes by the LOCK_DURATION of the dead one where an API asks, by the longer one where a worker asks, and by an hour where an API cannot know it', () => {
    const survivor = (lockMs: number | undefined, since: number): SilentWorker => silent({ life: { startedAt: NOW - 9_000_000, spell: { since, masters }, ...(lockMs === undefined ? {} : { lockMs }) } });
    const asApi = (worker: SilentWorker): boolean => isSilentByItself(worker, { since: NOW - 10_000, masters }, NOW, undefined);
    expect(asApi(survivor(LOCK_MS, NOW - LOCK_MS))).to.equal(true);
    expect(asApi(survivor(LOCK_MS, NOW - LOCK_MS + 1))).to.equal(false);
    expect(asApi(survivor(undefined, NOW - 3_599_999))).to.equal(false);
    expect(asApi(survivor(undefined, NOW - 3_600_000))).to.equal(true);
    expect(isSilent(survivor(60_000, NOW - 59_999))).to.equal(false);
    expect(isSilent(survivor(5_000, NOW - LOCK_MS + 1), { since: NOW - 10_000 })).to.equal(false);
  });

  it('holds for a worker that is younger than a lock and has never seen a break: none of its locks is older', () => {
    const young = silent({ life: { startedAt: NOW - 8_000, spell: { since: NOW - 8_000, masters } } });
    expect(isSilent(young, { since: NOW - 6_000 })).to.equal(true);
  });
});

describe('spellAfter', () => {
  const first: RedisAnswer = { redisNow: NOW, masters, askedAt: 100, answeredAt: 101 };
  const spell: RedisSpell = { since: NOW - 50_000, masters };
  const next = (changes: Partial<RedisAnswer> = {}): RedisAnswer => ({ redisNow: NOW + 500, masters, askedAt: 600, answeredAt: 601, ...changes });

  it('begins with the first answer, and with the first one after a question that failed', () => {
    expect(spellAfter(undefined, undefined, first)).to.deep.equal({ since: NOW, masters });
    expect(spellAfter(spell, undefined, next())).to.deep.equal({ since: NOW + 500, masters });
  });

  it('goes on as long as answers come in time', () => {
    expect(spellAfter(spell, first, next())).to.equal(spell);
  });

  it('begins anew after another master, a pause, a late answer, and a step of the clock', () => {
    const breaks: Partial<RedisAnswer>[] = [
      { masters: 'a1,c3' },
      { redisNow: NOW + 2_001, askedAt: 2_100, answeredAt: 2_102 },
      { redisNow: NOW + 3_000, askedAt: 600, answeredAt: 3_101 },
      { redisNow: NOW + 1_600 },
      { redisNow: NOW - 600 },
    ];
    for (const change of breaks) expect(spellAfter(spell, first, next(change)), JSON.stringify(change)).to.deep.equal({ since: change.redisNow ?? NOW + 500, masters: change.masters ?? masters });
  });
});

describe('a life that was written down', () => {
  it('is read as it was printed', () => {
    const life = { startedAt: 1, spell: { since: 2, masters } };
    expect(readLife(printLife({ ...life, lockMs: 15_000 }), '15000')).to.deep.equal({ ...life, lockMs: 15_000 });
    expect(readLife('1 2 a1,b2 of-later-versions', '15000'), 'what a later version adds').to.deep.equal({ ...life, lockMs: 15_000 });
    for (const none of ['', undefined, '1.5', 'x']) expect(readLife('1 2 a1,b2', none), 'of an older version').to.deep.equal(life);
  });

  it('is one that older versions read, which take over from no other', () => {
    expect(printLife({ startedAt: 1, spell: { since: 2, masters }, lockMs: 15_000 })).to.match(/^(\d+) (\d+) ([0-9a-f,]+)$/);
  });

  it('of another form is none', () => {
    for (const odd of ['', '1 2', '1 2 ', 'a 2 b', '1 2 xyz', '1 2 a1x', '{}']) expect(readLife(odd), odd).to.equal(undefined);
  });
});

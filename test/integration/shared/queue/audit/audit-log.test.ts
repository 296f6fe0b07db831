import { expect } from 'chai';

import type { Actor } from '../../../../../shared/domain/actor.js';
import type { AuditBeginning, AuditEntry } from '../../../../../shared/queue/audit/audit-entry.js';
import type { AuditLog } from '../../../../../shared/queue/audit/audit-log.js';
import { auditKeys } from '../../../../../shared/queue/fleet-keys.js';
import { PrivateRedis } from '../../../../support/redis.js';
import { InProcessService } from '../../../../support/service-in-process.js';

const ALL = { before: undefined, sinceMs: undefined };

function by(operator: string | null): Actor {
  return { type: 'anonymous', id: null, name: null, operator };
}

function cancelOf(id: string, actor: Actor = by('Anna')): AuditBeginning {
  return { action: 'task.cancel', actor, target: { type: 'task', id }, reason: undefined, requestId: 'r-1' };
}

describe('AuditLog', () => {
  let service: InProcessService;
  let audit: AuditLog;

  beforeEach(async () => {
    service = await InProcessService.ready();
    audit = await service.queue.withAudit('fleet', async (log) => log);
  });
  afterEach(() => service.close());

  async function recordMany(count: number, actor: Actor, label = 'task'): Promise<void> {
    for (let from = 0; from < count; from += 500) {
      await Promise.all(Array.from({ length: Math.min(500, count - from) }, (_, nth) => audit.record({ ...cancelOf(`${label}-${from + nth}`, actor), count: 1 })));
    }
  }

  /** Page by page to the end. */
  async function everything(matches: (entry: AuditEntry) => boolean = () => true, limit = 1_000): Promise<AuditEntry[]> {
    const found: AuditEntry[] = [];
    for (let before: string | undefined; ;) {
      const { entries, next } = await service.queue.readAudit(matches, limit, { before, sinceMs: undefined });
      found.push(...entries);
      if (next === undefined) return found;
      before = next;
    }
  }

  it('shows an entry as begun until it is completed, and then what came of it', async () => {
    const open = await audit.begin({ ...cancelOf('a'), reason: 'it is \u{1f69a}' });
    const [begun] = await everything();
    expect(begun).to.deep.include({ id: open.id, action: 'task.cancel', actor: by('Anna'), target: { type: 'task', id: 'a' }, reason: 'it is \u{1f69a}', requestId: 'r-1', end: undefined });
    await audit.complete(open, { outcome: 'failed', errorCode: 'finished', action: 'task.delete', count: 0, fields: { before: { a: null }, after: { a: '0f' } } });
    const [completed] = await everything();
    const { at, ...end } = completed?.end ?? { at: 0 };
    expect(end).to.deep.equal({ outcome: 'failed', errorCode: 'finished', action: 'task.delete', count: 0, fields: { before: { a: null }, after: { a: '0f' } } });
    expect(at).to.be.at.least(begun?.at ?? Infinity);
  });

  it('forgets an entry whose change was none, and does not bring one back that has left', async () => {
    const open = await audit.begin(cancelOf('a'));
    await audit.discard(open);
    await audit.complete(open, { outcome: 'done', errorCode: undefined, action: undefined, count: 1, fields: undefined });
    expect(await everything()).to.deep.equal([]);
    const left = await service.redis.keys(`${service.prefix}:audit:*`);
    expect(left.filter((key) => !/:(?:claims|salt)$/.test(key)), 'no entry stays anywhere').to.deep.equal([]);
  });

  it('gives each entry once, the newest first, whatever the size of a page', async () => {
    await recordMany(23, by('Anna'));
    const whole = await everything();
    expect(new Set(whole.map(({ id }) => id)).size).to.equal(23);
    expect(whole.map(({ id }) => id)).to.deep.equal(whole.map(({ id }) => id).sort().reverse());
    for (const limit of [1, 7, 23, 24]) expect(await everything(() => true, limit), String(limit)).to.deep.equal(whole);
  });

  it('has no further page behind the last entry that is wanted', async () => {
    await recordMany(10, by('Anna'));
    await recordMany(1_000, by('Bob'));
    const page = await service.queue.readAudit(({ actor }) => actor.operator === 'Anna', 10, ALL);
    expect([page.entries.length, page.next]).to.deep.equal([10, undefined]);
  });

  it('reads nothing that is older than what is asked for', async () => {
    await recordMany(5, by('Anna'));
    const [newest] = await everything();
    const later = (newest?.at ?? 0) + 60_000;
    expect((await service.queue.readAudit(() => true, 10, { before: undefined, sinceMs: later })).entries).to.deep.equal([]);
    expect((await service.queue.readAudit(() => true, 10, { before: undefined, sinceMs: later - 120_000 })).entries).to.have.lengthOf(5);
  });

  it('keeps the newest 10,000, and the newest 1,000 of each actor whatever another writes', async () => {
    await recordMany(1_200, by('Anna'), 'annas');
    await recordMany(3, { type: 'key', id: 'k1', name: 'bot', operator: 'Eve' }, 'keys');
    await recordMany(11_500, by('Bob'), 'bobs');
    const kept = await everything();
    const of = (label: string): string[] => kept.map(({ target }) => target.id).filter((id) => id.startsWith(label));
    expect(kept.slice(0, 10_000).every(({ actor }) => actor.operator === 'Bob'), 'the newest 10,000').to.equal(true);
    expect([of('bobs').length, of('annas').length, of('keys').length]).to.deep.equal([10_000, 1_000, 3]);
    expect(of('annas').at(-1), 'the newest of Anna').to.equal('annas-200');
    expect(await service.redis.hlen(auditKeys(service.prefix, false, 1).beginnings)).to.equal(11_003);
    expect(await service.redis.hlen(auditKeys(service.prefix, false, 1).ends)).to.equal(11_003);
  });

  it('gives no more than fifty claimed names a place of their own', async () => {
    await recordMany(1_000, by('Anna'), 'annas');
    for (let nth = 0; nth < 60; nth += 1) await recordMany(5, by(`made-up-${nth}`), 'others');
    await recordMany(10_200, by('made-up-59'), 'others');
    const kept = await everything();
    expect(kept.filter(({ actor }) => actor.operator === 'Anna')).to.have.lengthOf(0);
    expect(kept.length).to.be.at.most(10_000 + 50 * 5);
  });

  it('writes an entry and completes it in a Redis that is full', async () => {
    const full = await PrivateRedis.start();
    const inFull = await InProcessService.ready({ redis: full.address });
    try {
      await inFull.redis.config('SET', 'maxmemory', '1', 'maxmemory-policy', 'noeviction');
      const log = await inFull.queue.withAudit('fleet', async (ofFleet) => ofFleet);
      const open = await log.begin(cancelOf('a'));
      await log.complete(open, { outcome: 'done', errorCode: undefined, action: undefined, count: 1, fields: undefined });
      const { entries } = await inFull.queue.readAudit(() => true, 1, ALL);
      expect(entries[0]?.end?.outcome).to.equal('done');
    } finally {
      await inFull.redis.config('SET', 'maxmemory', '0');
      await inFull.close();
      await full.close();
    }
  });

  it('has one secret for the hashes of a deployment, which no entry shows', async () => {
    const [one, two] = [await audit.begin(cancelOf('a')), await audit.begin(cancelOf('b'))];
    expect(one.salt).to.equal(two.salt).and.match(/^[0-9a-f]{64}$/);
    expect(JSON.stringify(await everything())).to.not.include(one.salt);
  });
});

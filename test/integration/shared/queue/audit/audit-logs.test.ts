import { expect } from 'chai';

import type { AuditBeginning, AuditEntry } from '../../../../../shared/queue/audit/audit-entry.js';
import { hashesFor } from '../../../../../shared/queue/audit/audit-log.js';
import { shardOf } from '../../../../../shared/queue/names.js';
import { auditKeys, auditKeysOfShard } from '../../../../../shared/queue/fleet-keys.js';
import type { ChangePlace } from '../../../../../shared/queue/tasks/task-queue.js';
import { RedisCluster } from '../../../../support/redis-cluster.js';
import { InProcessService } from '../../../../support/service-in-process.js';
import { call, cancel, httpTask, submitNew, uniqueId } from '../../../../support/tasks.js';

const SHARDS = 16;
/** As read-audit.ts says. */
const LOOKED_AT_MOST = 5_000;

describe('the audit of a Cluster, a log for each shard', () => {
  let cluster: RedisCluster;
  let service: InProcessService;

  before(async () => { cluster = await RedisCluster.start({ masters: 2, replicas: 0 }); });
  after(() => cluster.close());
  beforeEach(async () => {
    service = await InProcessService.ready({ redis: { mode: 'cluster', nodes: cluster.nodes.map(({ address }) => address), username: undefined, password: undefined, tls: false }, shards: SHARDS });
  });
  afterEach(() => service.close());

  const changeOf = (target: AuditBeginning['target'], operator: string): AuditBeginning => ({ action: `${target.type}.edit`, actor: { type: 'anonymous', id: null, name: null, operator }, target, reason: undefined, requestId: undefined });

  /** Entries about tasks of all shards, and as many about what concerns the fleet, in any order. @returns their ids */
  async function recordMany(tasks: number, ofFleet: number, operator = 'Anna'): Promise<string[]> {
    const ids: string[] = [];
    const record = async (place: ChangePlace, target: AuditBeginning['target']): Promise<void> => void ids.push(await service.queue.withAudit(place, (log) => log.record({ ...changeOf(target, operator), count: 1 })));
    const asked = [...Array.from({ length: tasks }, (_, nth) => `task-${nth}`).map((id) => () => record({ task: id }, { type: 'task', id })), ...Array.from({ length: ofFleet }, (_, nth) => `https://h-${nth}`).map((id) => () => record('fleet', { type: 'destination', id }))];
    for (let from = 0; from < asked.length; from += 500) await Promise.all(asked.slice(from, from + 500).map((each) => each()));
    return ids;
  }

  async function everything(limit: number, matches: (entry: AuditEntry) => boolean = () => true): Promise<AuditEntry[]> {
    const found: AuditEntry[] = [];
    for (let before: string | undefined; ;) {
      const { entries, next, partsAway } = await service.queue.readAudit(matches, limit, { before, sinceMs: undefined });
      expect(partsAway).to.deep.equal([]);
      found.push(...entries);
      if (next === undefined) return found;
      before = next;
    }
  }

  it('gives no id twice, whatever is written at once, and each entry once, the newest first', async () => {
    const ids = await recordMany(900, 100);
    expect(new Set(ids).size).to.equal(1_000);
    const newestFirst = [...ids].sort().reverse();
    for (const limit of [1_000, 97, 1]) {
      const wanted = limit === 1 ? newestFirst.slice(0, 20) : newestFirst;
      expect((await everything(limit, (entry) => entry.id >= (wanted.at(-1) ?? ''))).map(({ id }) => id), String(limit)).to.deep.equal(wanted);
    }
  });

  it('has the entry about a task beside its shard, and all others with what concerns the whole fleet', async () => {
    const ids = await recordMany(200, 10);
    const numbersIn = async (log: string): Promise<string[]> => service.redis.zrange(log, '0', '-1');
    const ofFleet = await numbersIn(auditKeys(service.prefix, true, SHARDS).log);
    expect(ofFleet).to.have.lengthOf(10);
    expect(ofFleet.every((number) => Number(number) % (SHARDS + 1) === 0)).to.equal(true);
    const found = [...ofFleet];
    for (let shard = 0; shard < SHARDS; shard += 1) {
      const numbers = await numbersIn(auditKeysOfShard(service.prefix, shard, SHARDS).log);
      expect(numbers, `deliver-${shard}`).to.have.lengthOf(Array.from({ length: 200 }, (_, nth) => shardOf(`task-${nth}`, SHARDS)).filter((each) => each === shard).length);
      expect(numbers.every((number) => Number(number) % (SHARDS + 1) === shard + 1)).to.equal(true);
      found.push(...numbers);
    }
    expect(found.map((number) => `au_${number}`)).to.have.members(ids);
  });

  it('finds what is asked for in all logs, and has no further page behind the last one', async () => {
    await recordMany(30, 4, 'Anna');
    await recordMany(600, 60, 'Bob');
    const page = await service.queue.readAudit(({ actor }) => actor.operator === 'Anna', 34, { before: undefined, sinceMs: undefined });
    expect([page.entries.length, page.next]).to.deep.equal([34, undefined]);
    const { at } = page.entries[33] ?? { at: NaN };
    expect((await service.queue.readAudit(() => true, 1_000, { before: undefined, sinceMs: at + 60_000 })).entries).to.deep.equal([]);
    expect((await service.queue.readAudit(() => true, 1_000, { before: undefined, sinceMs: at - 60_000 })).entries).to.have.lengthOf(694);
  });

  for (const [where, tasks, ofFleet] of [['in all logs alike', 6_000, 350], ['nearly all in one', 100, 6_000]] as const) {
    it(`looks at ${LOOKED_AT_MOST} entries for a page and no more, and goes on behind them: ${where}`, async () => {
      const ids = await recordMany(tasks, ofFleet);
      const seen: string[] = [];
      const pages: number[] = [];
      for (let before: string | undefined; ;) {
        const from = seen.length;
        const { entries, next } = await service.queue.readAudit(({ id }) => { seen.push(id); return false; }, 10, { before, sinceMs: undefined });
        expect(entries).to.deep.equal([]);
        pages.push(seen.length - from);
        if (next === undefined) break;
        before = next;
      }
      expect(Math.max(...pages)).to.be.at.most(LOOKED_AT_MOST);
      expect(pages.length).to.be.within(2, 4);
      expect(seen, 'each once, in order').to.deep.equal([...ids].sort().reverse());
    });
  }

  it('ends a page while there is time to ask a log that works, and takes none for away', async () => {
    const ids = await recordMany(600, 60);
    const seen: string[] = [];
    // A process that is busy with something else for nearly all the time of a page.
    const busy = ({ id }: AuditEntry): boolean => {
      for (const until = performance.now() + (seen.length === 0 ? 700 : 0); performance.now() < until;);
      seen.push(id);
      return true;
    };
    const page = await service.queue.readAudit(busy, 1_000, { before: undefined, sinceMs: undefined });
    expect(page.entries.length).to.be.within(1, ids.length - 1);
    expect([page.next, page.partsAway]).to.deep.equal([page.entries.at(-1)?.id, []]);
    // What was asked before is answered first.
    await service.redis.get('');
    const rest = await service.queue.readAudit(() => true, 1_000, { before: page.next, sinceMs: undefined });
    expect([...page.entries, ...rest.entries].map(({ id }) => id)).to.deep.equal([...ids].sort().reverse());
  });

  it('makes equal hashes of equal values in all logs, with a secret that is the fleet\'s', async () => {
    const hashes = await Promise.all(['fleet' as const, ...Array.from({ length: 40 }, (_, nth) => ({ task: `task-${nth}` }))].map((place) => service.queue.withAudit(place, async (log) => hashesFor(await log.begin(changeOf({ type: 'task', id: 'a' }, 'Anna')), { url: 'https://a' }, { url: 'https://b' }))));
    expect(new Set(hashes.map((each) => JSON.stringify(each))).size).to.equal(1);
    const salt = await service.redis.get(auditKeys(service.prefix, true, SHARDS).salt);
    expect(salt).to.match(/^[0-9a-f]{64}$/);
    for (let shard = 0; shard < SHARDS; shard += 1) expect(await service.redis.get(auditKeysOfShard(service.prefix, shard, SHARDS).salt)).to.be.oneOf([salt, null]);
  });

  it('shows what was done through the API, also to the queue of a shard', async () => {
    const [one, two] = [uniqueId(), uniqueId()];
    for (const id of [one, two]) await submitNew(service.baseUrl, httpTask('http://127.0.0.1:9/', { id, initial_delay: 3_600 }));
    await cancel(service.baseUrl, one);
    expect((await call(service.baseUrl, `/tasks/${two}?reason=wrong`, { method: 'PATCH', headers: { 'content-type': 'application/merge-patch+json' }, body: JSON.stringify({ max_retries: 7 }) })).status).to.equal(200);
    expect((await fetch(`${service.baseUrl}/admin/queues/api/queues/deliver-3/retry/failed`, { method: 'PUT' })).status).to.equal(200);
    expect((await call(service.baseUrl, '/destinations/https%3A%2F%2Fa/pause', { method: 'POST' })).status).to.equal(200);
    const { body } = await call(service.baseUrl, '/audit');
    expect(body).to.include({ is_complete: true, next_cursor: null });
    const shown = body['entries'] as { action: string; outcome: string; target: { id: string } }[];
    expect(shown.map(({ action, target, outcome }) => [action, target.id, outcome])).to.deep.equal([['destination.pause', 'https://a', 'done'], ['task.retry', 'deliver-3', 'done'], ['task.edit', two, 'done'], ['task.cancel', one, 'done']]);
    for (const [shard, count] of [[3, 1 + [one, two].filter((id) => shardOf(id, SHARDS) === 3).length]] as const) expect(await service.redis.zcard(auditKeysOfShard(service.prefix, shard, SHARDS).log)).to.equal(count);
  });

  it('keeps the newest of a shard up to twice its share of 10,000, and of what concerns the fleet more', async () => {
    const kept = 1_250;
    const more = 150;
    const record = async (place: ChangePlace, from: number, count: number, operator: string): Promise<string[]> => service.queue.withAudit(place, async (log) => Promise.all(Array.from({ length: count }, (_, nth) => log.record({ ...changeOf({ type: 'task', id: `change-${from + nth}` }, operator), count: 1 }))));
    const many = async (place: ChangePlace, count: number, operator: string): Promise<string[]> => {
      const ids: string[] = [];
      for (let from = 0; from < count; from += 100) ids.push(...await record(place, from, Math.min(100, count - from), operator));
      return ids.sort();
    };
    const ofTask = await many({ task: 'a' }, kept + more, 'Bob');
    const ofFleet = await many('fleet', kept + more, 'Bob');
    const keys = auditKeysOfShard(service.prefix, shardOf('a', SHARDS), SHARDS);
    const idsIn = async (log: string): Promise<string[]> => (await service.redis.zrange(log, '0', '-1')).map((number) => `au_${number}`);
    expect(await idsIn(keys.log), 'the newest of the shard').to.deep.equal(ofTask.slice(more));
    expect(await idsIn(auditKeys(service.prefix, true, SHARDS).log), 'all of the fleet').to.deep.equal(ofFleet);
    expect([await service.redis.hlen(keys.beginnings), await service.redis.hlen(keys.ends)]).to.deep.equal([kept, kept]);
    expect((await everything(1_000)).map(({ id }) => id)).to.have.members([...ofTask.slice(more), ...ofFleet]);

    const ofAnna = await many({ task: 'a' }, 1_100, 'Anna');
    await many({ task: 'a' }, kept + more, 'Bob');
    expect((await everything(1_000, ({ actor }) => actor.operator === 'Anna')).map(({ id }) => id).sort(), 'the newest 1,000 of an actor stay').to.deep.equal(ofAnna.slice(100));
  });

  it('forgets the entry of a change that turned out to be none', async () => {
    const open = await service.queue.withAudit({ task: 'a' }, (log) => log.begin(changeOf({ type: 'task', id: 'a' }, 'Anna')));
    await service.queue.withAudit({ task: 'a' }, (log) => log.discard(open));
    expect(await everything(10)).to.deep.equal([]);
  });
});

import { randomBytes } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';

import { expect } from 'chai';

import { KeyRing } from '../../../../server/access/key-ring.js';
import { Sessions } from '../../../../server/access/sessions.js';
import { loadConfig } from '../../../../shared/config/load.js';
import type { SessionToken } from '../../../../shared/domain/access/session-token.js';
import { RequestError } from '../../../../shared/domain/errors.js';
import { VersionMarks } from '../../../../shared/queue/access/version-marks.js';
import type { QueueClient } from '../../../../shared/queue/engine/queue-client.js';
import { versionMarkKeys, type VersionMarkKeys } from '../../../../shared/queue/fleet-keys.js';
import type { FleetStores } from '../../../../shared/queue/tasks/fleet-stores.js';
import { TaskQueue } from '../../../../shared/queue/tasks/task-queue.js';
import { connectRedis, type RedisClient } from '../../../../shared/redis/redis-connection.js';
import { eventually } from '../../../support/eventually.js';
import { uniquePrefix } from '../../../support/namespace.js';
import { PrivateRedis, printAddress, testRedisAddress } from '../../../support/redis.js';

const MINUTE_MS = 60_000;
const bootstrapKey = { id: 'boot', secret: randomBytes(32).toString('hex') };

/** The sessions stand in a Redis of their own, and the marks in another one: as on a Cluster whose one master is away. */
describe('sessions that a process has looked up, while their Redis is away', function () {
  this.timeout(20_000);
  let fleetRedis: PrivateRedis;
  let clients: readonly RedisClient[];
  let marksRedis: RedisClient;
  let fleetQueue: TaskQueue;
  let marksQueue: TaskQueue;
  let marksClient: QueueClient;
  let markKeys: readonly VersionMarkKeys[];
  let untold: number;

  beforeEach(async () => {
    untold = 0;
    fleetRedis = await PrivateRedis.start();
    const queueOn = (address: string): readonly [RedisClient, TaskQueue] => {
      const redis = connectRedis(loadConfig({ REDIS_ADDR: address }).redis, 'server');
      // It is made to go away.
      redis.on('error', () => undefined);
      return [redis, new TaskQueue({ redis, prefix: uniquePrefix(), shards: 1, deadAttempts: 1, clock: Date.now })];
    };
    const [one, other] = [queueOn(printAddress(fleetRedis.address)), queueOn(printAddress(testRedisAddress()))];
    marksRedis = other[0];
    clients = [one[0], marksRedis];
    [fleetQueue, marksQueue] = [one[1], other[1]];
    const [shard] = await marksQueue.shards();
    if (shard === undefined) throw new Error('there is one shard');
    marksClient = shard.client;
    markKeys = versionMarkKeys(uniquePrefix());
    await fleetQueue.shards();
  });
  afterEach(async () => {
    fleetRedis.thaw();
    await Promise.all([fleetQueue.close(), marksQueue.close()]);
    for (const client of clients) client.disconnect();
    await fleetRedis.close();
  });

  const marksOf = (version: keyof VersionMarkKeys): VersionMarks => new VersionMarks(marksClient, markKeys.map((keys) => keys[version]));
  const reach = (): Pick<FleetStores, 'withKeys' | 'keyMarks' | 'withSessions' | 'sessionMarks'> => ({
    withKeys: (work) => fleetQueue.fleet.withKeys(work),
    withSessions: (work) => fleetQueue.fleet.withSessions(work),
    keyMarks: () => marksOf('accessVersion'),
    sessionMarks: () => marksOf('sessionVersion'),
  });

  /** What one API process has. */
  function apiProcess(limits: { readonly idleMs?: number; readonly mostOfKey?: number } = {}): { readonly sessions: Sessions; readonly ring: KeyRing; of(token: SessionToken, isUsed?: boolean): Promise<string> } {
    const fleet = reach();
    const ring: KeyRing = new KeyRing({ fleet, bootstrapKey, clock: Date.now, onFirstRead: () => undefined, onSessionVersion: (version) => { sessions.heard(version); } });
    const sessions: Sessions = new Sessions({ fleet, ring, limits: { idleMs: 30 * MINUTE_MS, lifetimeMs: 60 * MINUTE_MS, mostOfKey: 100, ...limits }, onUntold: () => { untold += 1; } });
    const of = async (token: SessionToken, isUsed = true): Promise<string> => sessions.judge(token, isUsed).then((verdict) => ('caller' in verdict ? 'holds' : verdict.fault), (error: unknown) => (error instanceof RequestError ? error.code : String(error)));
    return { sessions, ring, of };
  }

  const refuseMarks = async (count: number): Promise<void> => {
    for (const { sessionVersion } of markKeys.slice(0, count)) await marksRedis.hset(sessionVersion, 'no', 'text');
  };

  it('hold in a process that has looked them up, and in no other one', async () => {
    const [one, other, late] = [apiProcess(), apiProcess(), apiProcess()];
    const token = await one.sessions.start(bootstrapKey, undefined);
    expect(await other.of(token)).to.equal('holds');
    await fleetRedis.freeze();
    for (let time = 0; time < 3; time += 1) expect(await other.of(token)).to.equal('holds');
    expect(await late.of(token), 'never seen').to.equal('redis_unavailable');
    expect(await one.of(token), 'started here, and never looked up').to.equal('redis_unavailable');
    expect(await other.of({ ...token, keyId: 'othe' }), 'of another key').to.equal('redis_unavailable');
    fleetRedis.thaw();
    await eventually(async () => { expect(await Promise.all([one, other, late].map((each) => each.of(token)))).to.deep.equal(['holds', 'holds', 'holds']); });
  });

  const ends: readonly (readonly [name: string, mostOfKey: number, end: (by: Sessions, token: SessionToken) => Promise<unknown>])[] = [
    ['signed out', 100, (by, token) => by.end(token)],
    ['replaced at a sign-in with the same key', 100, (by, token) => by.start(bootstrapKey, token)],
    ['replaced at a sign-in with another key', 100, (by, token) => by.start({ id: 'other', secret: bootstrapKey.secret }, token)],
    ['made to go by newer ones of its key', 1, (by) => by.start(bootstrapKey, undefined)],
  ];
  for (const [name, mostOfKey, end] of ends) {
    it(`are refused where they were ${name} in another process a moment before`, async () => {
      const [one, other] = [apiProcess({ mostOfKey }), apiProcess({ mostOfKey })];
      const token = await one.sessions.start(bootstrapKey, undefined);
      expect([await one.of(token), await other.of(token)]).to.deep.equal(['holds', 'holds']);
      await end(one.sessions, token);
      await fleetRedis.freeze();
      expect([await one.of(token), await other.of(token)]).to.deep.equal(['redis_unavailable', 'redis_unavailable']);
      fleetRedis.thaw();
      await eventually(async () => { expect([await one.of(token), await other.of(token)]).to.deep.equal(['unknown_session', 'unknown_session']); });
      expect(untold).to.equal(0);
    });
  }

  it('do not end with a sign-in that ends no other one, and hold again after the next look where another one has ended', async () => {
    const [one, other] = [apiProcess(), apiProcess()];
    const [token, leaving] = [await one.sessions.start(bootstrapKey, undefined), await one.sessions.start(bootstrapKey, undefined)];
    expect(await other.of(token)).to.equal('holds');
    await one.sessions.start(bootstrapKey, undefined);
    await fleetRedis.freeze();
    expect(await other.of(token)).to.equal('holds');
    fleetRedis.thaw();
    await eventually(async () => { expect(await one.of(token)).to.equal('holds'); });
    expect(await one.sessions.end(leaving)).to.equal(true);
    expect(await other.of(token)).to.equal('holds');
    await fleetRedis.freeze();
    expect(await other.of(token)).to.equal('holds');
    expect(await other.of(leaving)).to.equal('redis_unavailable');
  });

  it('end by idleness as they would in Redis: what cannot be noted there is no use', async () => {
    const idleMs = 1_500;
    const one = apiProcess({ idleMs });
    const token = await one.sessions.start(bootstrapKey, undefined);
    const lookedAt = performance.now();
    expect(await one.of(token)).to.equal('holds');
    await fleetRedis.freeze();
    let last = 'holds';
    for (let at = performance.now(); at - lookedAt < 2 * idleMs; at = performance.now()) {
      last = await one.of(token);
      if (at - lookedAt >= idleMs) expect(last, 'idle for too long').to.equal('redis_unavailable');
    }
    expect(last).to.equal('redis_unavailable');
  });

  it('are not kept by what a page asks for while nobody is at it', async () => {
    const idleMs = 1_000;
    const one = apiProcess({ idleMs });
    const startedAt = performance.now();
    const token = await one.sessions.start(bootstrapKey, undefined);
    await wait(idleMs / 2);
    expect(await one.of(token, false)).to.equal('holds');
    await fleetRedis.freeze();
    await wait(Math.max(0, startedAt + idleMs + 100 - performance.now()));
    expect(await one.of(token, false)).to.equal('redis_unavailable');
  });

  for (const [refusing, verdict] of [[7, 'holds'], [8, 'redis_unavailable']] as const) {
    it(`${verdict === 'holds' ? 'hold' : 'do not hold'} where ${refusing} of 15 marks do not answer`, async () => {
      const one = apiProcess();
      const token = await one.sessions.start(bootstrapKey, undefined);
      expect(await one.of(token)).to.equal('holds');
      await refuseMarks(refusing);
      await fleetRedis.freeze();
      expect(await one.of(token)).to.equal(verdict);
    });
  }

  it('that have ended untold are known to be as soon as any process hears of it, and that one tells the marks', async () => {
    const [one, other, third] = [apiProcess(), apiProcess(), apiProcess()];
    const token = await one.sessions.start(bootstrapKey, undefined);
    expect(await other.of(token)).to.equal('holds');
    await refuseMarks(8);
    await one.sessions.end(token);
    expect(untold).to.equal(1);
    // The marks are there again.
    for (const { sessionVersion } of markKeys.slice(0, 8)) await marksRedis.del(sessionVersion);
    third.ring.start();
    const marks = marksOf('sessionVersion');
    await eventually(async () => { expect(await marks.isNewest('1')).to.equal(false); });
    third.ring.stop();
    await fleetRedis.freeze();
    expect(await other.of(token)).to.equal('redis_unavailable');
  });

  it('that have ended untold are told by the repeated sign-out', async () => {
    const [one, other] = [apiProcess(), apiProcess()];
    const token = await one.sessions.start(bootstrapKey, undefined);
    expect(await other.of(token)).to.equal('holds');
    // As a process does that is killed before it could tell.
    await fleetQueue.fleet.withSessions((store) => store.end(token));
    expect(await one.sessions.end(token)).to.equal(false);
    await fleetRedis.freeze();
    expect(await other.of(token)).to.equal('redis_unavailable');
  });
});

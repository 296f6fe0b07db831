import { readdir, readFile, stat, truncate } from 'node:fs/promises';
import path from 'node:path';

import { expect } from 'chai';

import { eventually } from '../support/eventually.js';
import { call } from '../support/tasks.js';
import { profile } from './profile.js';
import { scenario, type Scene } from './scenario.js';

describe('chaos: Redis is killed', () => {
  for (const [number, fsync] of [['3a', 'always'], ['3b', 'everysec']] as const) {
    scenario(number, `kill -9 Redis (appendfsync ${fsync}) ${profile.redisKills} times under load`, async (scene: Scene) => {
      const own = await scene.ownRedis('--appendonly', 'yes', '--appendfsync', fsync);
      const { ledger } = await scene.stage({ workers: 2, redis: own });
      ledger.on('/hook', { kind: 'answer', delayMs: 100 });
      const stopLoad = ledger.startLoad(60, () => ledger.task({ max_retries: 0 }));
      let slowestResumeMs = 0;
      for (let kill = 0; kill < profile.redisKills; kill += 1) {
        const before = ledger.acked.size;
        await eventually(() => expect(ledger.acked.size).to.be.at.least(before + 60), { withinMs: 15_000 });
        await own.kill();
        await own.restart();
        const backAt = performance.now();
        const acked = ledger.acked.size;
        const accepted = ledger.acceptedTasks;
        await eventually(() => {
          expect(ledger.acked.size).to.be.above(acked);
          expect(ledger.acceptedTasks).to.be.above(accepted);
        }, { withinMs: 30_000 });
        slowestResumeMs = Math.max(slowestResumeMs, performance.now() - backAt);
      }
      ledger.faultIsOver();
      await stopLoad();
      const measured = await ledger.settle();
      expect(ledger.requestsWithAttempts(), 'no attempt is used by an outage of Redis').to.have.lengthOf(0);
      expect(measured.delivered).to.equal(measured.acked);
      return { ...measured, note: `API and workers went on after ${(slowestResumeMs / 1_000).toFixed(1)} s at most` };
    });
  }

  scenario('3c', 'a power cut that tears the tail of the append-only file', async (scene: Scene) => {
    const own = await scene.ownRedis('--appendonly', 'yes', '--appendfsync', 'everysec', '--logfile', 'redis.log');
    // No worker takes them before the tail is cut.
    const { ledger, redis, service, crew } = await scene.stage({ redis: own, workers: 0 });
    // What is synced to disk, and what was written in the last moment.
    await ledger.submitAll(ledger.tasks(200));
    const folder = (await redis.config('GET', 'dir'))[1] ?? '';
    const files = path.join(folder, 'appendonlydir');
    const name = (await readdir(files)).find((file) => file.endsWith('.incr.aof')) ?? '';
    const file = path.join(files, name);
    const { size: before } = await stat(file);
    const lastMoment = ledger.tasks(20);
    const late = new Set(lastMoment.map(({ id }) => id));
    for (const task of lastMoment) await ledger.submitAll([task]);
    await own.kill();
    const { size } = await stat(file);
    // Into the middle of what came last: as if the disk had got only a part of it.
    await truncate(file, Math.floor((before + size) / 2) - 1);
    await own.restart();
    ledger.faultIsOver();
    await eventually(async () => expect((await call(service.baseUrl, '/readyz')).status).to.equal(200), { withinMs: 30_000 });
    const gone = await ledger.unknown();
    await crew.hire();
    const measured = await ledger.settle({ gone });
    expect([...gone].filter((id) => !late.has(id)), 'only of the last moment').to.deep.equal([]);
    expect(gone.size, 'something was cut off').to.be.above(0);
    expect(measured.delivered).to.equal(220 - gone.size);
    expect(await readFile(path.join(folder, 'redis.log'), 'utf8')).to.match(/aof-load-truncated/);
    return { ...measured, note: `${measured.lost} of the last 20 are gone with the cut tail; Redis started and its log says so` };
  });
});

import { cp, readdir, readFile, rm, stat, truncate } from 'node:fs/promises';
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

  scenario('3d', 'an old copy of Redis is restored: what is sent twice, and how everything is held first', async (scene: Scene) => {
    const own = await scene.ownRedis('--appendonly', 'yes', '--appendfsync', 'always');
    const { ledger, redis, service } = await scene.stage({ redis: own, workers: 0 });
    const deliver = async (ids: readonly string[]): Promise<void> => {
      const worker = await service.startWorker();
      await eventually(() => expect(ids.filter((id) => ledger.accepted(id).delivered === 0)).to.deep.equal([]));
      expect(await worker.stop(), 'all is recorded').to.equal(0);
    };
    const idsOf = async (count: number): Promise<string[]> => {
      const tasks = ledger.tasks(count, { max_retries: 0 });
      await ledger.submitAll(tasks);
      return tasks.map(({ id }) => id);
    };
    await deliver(await idsOf(20));
    const afterCopy = await idsOf(20);
    const files = path.join((await redis.config('GET', 'dir'))[1] ?? '', 'appendonlydir');
    await cp(files, `${files}-copy`, { recursive: true });
    await deliver(afterCopy);
    const gone = new Set(await idsOf(20));

    // As docs/OPERATIONS.md says it: everything is stopped, the API comes first, `*` is paused, then the workers.
    expect(await service.server.stop()).to.equal(0);
    await own.kill();
    await rm(files, { recursive: true });
    await cp(`${files}-copy`, files, { recursive: true });
    await own.restart();
    await service.startServer();
    const change = async (method: string, where: string): Promise<void> => {
      const { status, body } = await call(service.baseUrl, where, { method });
      expect(status, JSON.stringify(body)).to.equal(200);
    };
    await change('POST', '/destinations/*/pause');
    await service.startWorker();
    await eventually(async () => {
      for (const id of afterCopy) expect((await call(service.baseUrl, `/tasks/${id}`)).body).to.have.nested.property('waiting_for.code', 'paused');
    });
    expect(afterCopy.map((id) => ledger.accepted(id).delivered), 'none is sent meanwhile').to.deep.equal(afterCopy.map(() => 1));
    const known = afterCopy.slice(10);
    for (const id of known) await change('DELETE', `/tasks/${id}`);
    await change('POST', '/destinations/*/resume');
    await eventually(() => expect(afterCopy.slice(0, 10).map((id) => ledger.accepted(id).delivered)).to.deep.equal(Array.from({ length: 10 }, () => 2)));
    ledger.faultIsOver();
    const measured = await ledger.settle({ gone });
    expect(measured).to.include({ delivered: 30, cancelled: 10, lost: 20, duplicates: 10 });
    return { ...measured, note: 'of 20 delivered after the copy 10 were cancelled while * was paused, 10 were sent again; 20 that were accepted after the copy are gone' };
  });
});

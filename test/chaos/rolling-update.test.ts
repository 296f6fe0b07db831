import { expect } from 'chai';

import { eventually } from '../support/eventually.js';
import { shardKeys } from '../support/shard-keys.js';
import { olderVersion, PREVIOUS_VERSION } from '../support/older-version.js';
import type { ServiceProcess } from '../support/service.js';
import type { WireTask } from '../support/tasks.js';
import { profile } from './profile.js';
import { NONE_IS_KILLED, scenario, type Measured, type Scene, type Stage } from './scenario.js';

/** The last commit before jobs had search fields (docs/decisions/0011-search-fields.md). */
const MUCH_OLDER = 'f2863f799018d44d47305431aaf69bb9ed378832';

/** Deferred tasks of a burst before its destination is resumed: enough for workers to defer them in bulk. */
const DEFERRED = 60;

describe('chaos: a rolling update', () => {
  scenario('17a', 'workers updated before the API, and the way back', (scene) => updated(scene, PREVIOUS_VERSION, 'workers first'), { longMs: 300_000 });
  scenario('17b', 'the API updated before the workers, and the way back', (scene) => updated(scene, PREVIOUS_VERSION, 'API first'), { longMs: 300_000 });
  scenario('17c', 'the same from a much older version, workers first', (scene) => updated(scene, MUCH_OLDER, 'workers first'), { longMs: 300_000, isLongOnly: true });
  scenario('17d', 'the same from a much older version, the API first', (scene) => updated(scene, MUCH_OLDER, 'API first'), { longMs: 300_000, isLongOnly: true });
  scenario('17e', 'the way back with SHARDS set: what the version before does not see waits for this one', backWithShards, { isLongOnly: true });
});

async function updated(scene: Scene, commit: string, order: 'workers first' | 'API first'): Promise<Measured> {
  const older = await olderVersion(commit);
  const stage = await scene.stage({ workers: 0, settings: NONE_IS_KILLED });
  const { service, ledger } = stage;
  let server = service.server;
  let worker = await service.startWorker({}, older);
  /** The next one is up before the last one is told to stop, as in a rolling update. @param folder undefined = this version */
  const replaceServer = async (folder?: string): Promise<void> => {
    const before = server;
    server = await service.startServer({}, folder);
    await endWell(before);
  };
  const replaceWorker = async (folder?: string): Promise<void> => {
    const before = worker;
    worker = await service.startWorker({}, folder);
    await endWell(before);
  };
  await replaceServer(older);

  // It fails once, and is retried by whichever version has it then.
  ledger.on('/flaky', ({ headers }) => ({ kind: 'answer', status: headers['x-retry-attempt'] === '0' ? 500 : 200 }));
  ledger.on('/bad', { kind: 'answer', status: 500 });
  const make = taskMaker(stage);
  const stopLoad = ledger.startLoad(40, make);
  await burst(stage, make);
  const [first, second] = order === 'workers first' ? [replaceWorker, replaceServer] : [replaceServer, replaceWorker];
  for (let update = 0; update < profile.rollingUpdates; update += 1) {
    for (const folder of [undefined, older]) {
      for (const replace of [first, second]) {
        await replace(folder);
        await burst(stage, make);
      }
    }
  }
  ledger.faultIsOver();
  await stopLoad();
  const measured = await ledger.settle();
  expect(measured, 'nothing lost, nothing twice').to.include({ lost: 0, duplicates: 0, refused: 0, parked: 0 });
  expect(measured.delivered + measured.dead).to.equal(measured.acked);
  expect(measured.dead, 'those whose receiver always fails').to.equal([...ledger.acked].filter((id) => id.endsWith('-bad')).length);
  return { ...measured, note: `${4 * profile.rollingUpdates} replacements under load, all with exit code 0` };
}

/** It goes by one shard, whatever number stands in Redis (UPGRADING.md). */
async function backWithShards(scene: Scene): Promise<Measured> {
  const older = await olderVersion(PREVIOUS_VERSION);
  const { service, ledger } = await scene.stage({ workers: 0, settings: { ...NONE_IS_KILLED, SHARDS: '4' } });
  const first = service.server;
  await ledger.submitAll(ledger.tasks(profile.tasks));
  const oldServer = await service.startServer({}, older);
  await endWell(first);
  const oldWorker = await service.startWorker({}, older);
  await eventually(async () => {
    expect(ledger.acceptedTasks).to.be.above(0);
    const { counts } = await (await fetch(`${service.baseUrl}/stats`)).json() as { readonly counts: { readonly due: number; readonly sending: number } };
    expect(counts, 'it is at its end').to.include({ due: 0, sending: 0 });
  });
  const seen = ledger.acceptedTasks;
  expect(seen, 'it does not see all').to.be.below(profile.tasks);
  await endWell(oldWorker);
  const server = await service.startServer();
  await endWell(oldServer);
  await service.startWorker();
  ledger.faultIsOver();
  const measured = await ledger.settle();
  expect(server.isRunning && measured.delivered).to.equal(profile.tasks);
  expect(measured, 'nothing lost, nothing twice').to.include({ lost: 0, duplicates: 0, refused: 0 });
  return { ...measured, note: `the version before saw ${seen} of ${profile.tasks} tasks` };
}

/** Half of them are delivered at once, a quarter after a retry, a quarter become dead letters; some have priority or a flow_key. */
function taskMaker({ ledger, receiver }: Stage): () => WireTask {
  let made = 0;
  return () => {
    made += 1;
    const path = ['/hook', '/flaky', '/hook', '/bad'][made % 4] ?? '/hook';
    const task = ledger.task({
      destination: { url: receiver.url(path) },
      max_retries: path === '/bad' ? 1 : 3,
      base_delay: 0.1,
      is_priority: made % 10 === 0,
      ...(made % 3 === 0 ? { flow_key: 'tenant-7' } : {}),
    });
    return { ...task, id: `${task.id}${path.replace('/', '-')}` };
  };
}

/** Many tasks at once whose destination is paused: workers defer them, one by one and in bulk. Then it is resumed. */
async function burst({ service, ledger, receiver, redis }: Stage, make: () => WireTask): Promise<void> {
  const origin = receiver.url('');
  const ask = async (action: 'pause' | 'resume'): Promise<void> => {
    const answer = await fetch(`${service.baseUrl}/destinations/${encodeURIComponent(origin)}/${action}`, { method: 'POST' });
    expect(answer.status, await answer.text()).to.equal(200);
  };
  await ask('pause');
  await ledger.submitAll(Array.from({ length: profile.tasks }, make));
  await eventually(async () => {
    const keys = shardKeys(service.prefix);
    // Versions differ in what has a list of its own.
    const lists = await redis.zrange(keys.waitingLists, '0', '-1');
    const lengths = await Promise.all(lists.map((list) => redis.zcard(keys.waitingList(list))));
    expect(lengths.reduce((sum, length) => sum + length, 0)).to.be.at.least(DEFERRED * (profile.tasks / 100));
  }, { withinMs: 20_000 });
  await ask('resume');
}

async function endWell(process: ServiceProcess): Promise<void> {
  expect(await process.stop(), process.output).to.equal(0);
}

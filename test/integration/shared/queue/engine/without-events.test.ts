import { expect } from 'chai';

import type { BullmqScriptName } from '../../../../../shared/queue/engine/bullmq-contract.js';
import { luaFunction } from '../../../../../shared/queue/engine/bullmq-script.js';
import { bullmqScript, definedScripts, type DefinedScripts } from '../../../../../shared/queue/engine/defined-scripts.js';
import type { Shard } from '../../../../../shared/queue/engine/shard.js';
import { createReceiver, type Receiver } from '../../../../support/receiver.js';
import { InProcessService } from '../../../../support/service-in-process.js';
import { httpTask, submitNew, waitForState } from '../../../../support/tasks.js';

/** BullMQ's scripts that are a part of ours. */
const borrowed = ['addDelayedJob', 'addPrioritizedJob', 'addStandardJob', 'moveToDelayed', 'moveToFinished'] as const satisfies readonly BullmqScriptName[];

describe('withoutEvents', () => {
  let receiver: Receiver;
  let service: InProcessService;
  let shard: Shard;
  let scripts: DefinedScripts;

  before(async () => {
    [service, receiver] = await Promise.all([InProcessService.ready(), createReceiver()]);
    const [first] = await service.queue.shards();
    if (first === undefined) throw new Error('no shard');
    shard = first;
    scripts = definedScripts(shard.client);
  });
  after(async () => {
    await service.close();
    await receiver.close();
  });

  it('keeps the stream of events free of tasks that are submitted and delivered', async () => {
    const tasks = Array.from({ length: 5 }, () => httpTask(receiver.url('/hook')));
    for (const task of tasks) await submitNew(service.baseUrl, task);
    expect(await service.redis.exists(`${shard.keys.base}events`)).to.equal(0);
    await service.startWorker();
    for (const { id } of tasks) await waitForState(service.baseUrl, id, 'delivered');
    const entries = await service.redis.xrange(`${shard.keys.base}events`, '-', '+');
    const written = new Set(entries.map(([, fields]) => fields[fields.indexOf('event') + 1]));
    // What BullMQ's own scripts write: those that fetch a first job.
    for (const event of ['active', 'waiting']) written.delete(event);
    expect([...written]).to.deep.equal([]);
  });

  for (const name of borrowed) {
    it(`finds every event in ${name}: a BullMQ that writes them in another way is noticed here`, () => {
      expect(bullmqScript(scripts, name).lua).to.include('"XADD"');
      expect(luaFunction(scripts, name, 'script')).to.not.match(/XADD|XTRIM|= getOrSetMaxEvents/);
    });
  }
});

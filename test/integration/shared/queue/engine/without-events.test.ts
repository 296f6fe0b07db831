import { Queue } from 'bullmq';
import { expect } from 'chai';

import type { BullmqScriptName } from '../../../../../shared/queue/engine/bullmq-contract.js';
import { luaFunction } from '../../../../../shared/queue/engine/bullmq-script.js';
import { bullmqScript, definedScripts, type DefinedScripts } from '../../../../../shared/queue/engine/defined-scripts.js';
import type { Shard } from '../../../../../shared/queue/engine/shard.js';
import { createReceiver, type Receiver } from '../../../../support/receiver.js';
import { uniquePrefix } from '../../../../support/namespace.js';
import { connect, InProcessService } from '../../../../support/service-in-process.js';
import { httpTask, submitNew, waitForState } from '../../../../support/tasks.js';

/** BullMQ's scripts that are a part of ours. */
const borrowed = ['addDelayedJob', 'addPrioritizedJob', 'moveToDelayed', 'moveToFinished'] as const satisfies readonly BullmqScriptName[];

describe('withoutEvents', () => {
  let receiver: Receiver;
  let service: InProcessService;
  let shard: Shard;
  let scripts: DefinedScripts;
  /** BullMQ's own, on a connection that no shard has been opened on. */
  let own: DefinedScripts;

  before(async () => {
    [service, receiver] = await Promise.all([InProcessService.ready(), createReceiver()]);
    const [first] = await service.queue.shards();
    if (first === undefined) throw new Error('no shard');
    shard = first;
    scripts = definedScripts(shard.client);
    const redis = connect('worker');
    const queue = new Queue('scripts', { connection: redis, prefix: uniquePrefix() });
    own = { ...definedScripts(await queue.getBackend().client) };
    await queue.close();
    redis.disconnect();
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
    expect([...written]).to.deep.equal([]);
  });

  for (const name of borrowed) {
    it(`finds every event in ${name}: a BullMQ that writes them in another way is noticed here`, () => {
      expect(bullmqScript(own, name).lua).to.include('"XADD"');
      for (const each of [own, scripts]) expect(luaFunction(each, name, 'script')).to.not.match(/XADD|XTRIM|= getOrSetMaxEvents/);
    });
  }
});

import { expect } from 'chai';

import { eventually } from '../../../support/eventually.js';
import { createReceiver, type Receiver } from '../../../support/receiver.js';
import { uniquePrefix } from '../../../support/namespace.js';
import { clusterOutages, outages, RefusingRedis, refusals, type Refusal } from '../../../support/refusing-redis.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { getTask, httpTask, submitNew, waitForState } from '../../../support/tasks.js';

/** Tasks that are due while Redis refuses; more than a worker has slots. */
const DUE = 30;
const WATCHED_MS = 3_000;
/** What is left of the pause of 4 s that begins before Redis heals, and what two busy cores may add. */
const HEALED_WITHIN_MS = 6_000;
/** A connection may have been given up with a task on its way to the worker. */
const LOCK_LAPSES_WITHIN_MS = 45_000;

const full: Refusal = {
  code: 'OOM',
  begin: (admin) => admin.config('SET', 'maxmemory', '1mb'),
  end: (admin) => admin.config('SET', 'maxmemory', '0'),
};

describe('a worker while Redis refuses', () => {
  let server: RefusingRedis;
  let service: InProcessService;
  let receiver: Receiver;
  let endRefusal: () => Promise<unknown>;

  beforeEach(async () => {
    endRefusal = () => Promise.resolve();
    receiver = await createReceiver();
  });

  async function begin(made: Promise<RefusingRedis>, prefix = uniquePrefix()): Promise<void> {
    server = await made;
    service = await InProcessService.ready({ redis: server.redis.address, prefix });
    await service.startWorker({ concurrency: 20 });
  }
  afterEach(async () => {
    // A worker that Redis refuses would not be drained.
    await endRefusal();
    await service.close();
    await server.close();
    await receiver.close();
  });

  const linesSince = (start: number): string[] => service.log.slice(start).split('\n').filter((line) => line !== '' && !line.includes('"message":"attempt"'));

  async function brakes(refusal: Refusal): Promise<void> {
    const tasks = Array.from({ length: DUE }, () => httpTask(receiver.url('/'), { initial_delay: 1 }));
    for (const task of tasks) await submitNew(service.baseUrl, task);
    const start = service.log.length;
    await refusal.begin(server.admin);
    endRefusal = () => refusal.end(server.admin);

    const until = performance.now() + WATCHED_MS;
    await eventually(() => { expect(performance.now()).to.be.above(until); }, { withinMs: 2 * WATCHED_MS });
    const lines = linesSince(start);
    const pauses = lines.filter((line) => line.includes('deliveries pause'));
    if (refusal.isWaitedFor !== true) {
      expect(pauses, lines.join('\n')).to.have.lengthOf.within(1, 2);
      expect(pauses.join('\n')).to.include(refusal.code);
    }
    expect(lines.length, lines.join('\n')).to.be.below(10);

    await endRefusal();
    endRefusal = () => Promise.resolve();
    await eventually(async () => {
      for (const { id } of tasks) expect((await getTask(service.baseUrl, id)).state).to.equal('delivered');
    }, { withinMs: refusal.isWaitedFor === true ? LOCK_LAPSES_WITHIN_MS : HEALED_WITHIN_MS, everyMs: 100 });
    await eventually(() => { expect(linesSince(start).filter((line) => line.includes('redis takes writes again'))).to.have.lengthOf(Math.min(pauses.length, 1)); });
    for (const { id } of tasks) expect((await getTask(service.baseUrl, id)).attempt).to.equal(0);
  }

  const title = 'writes a line when it begins and one when it is over, loses nothing, and goes on by itself';

  for (const [name, refusal] of Object.entries<Refusal>({ ...refusals, ...outages, full })) {
    it(`${title}: ${name}`, async () => {
      await begin(RefusingRedis.start());
      await brakes(refusal);
    }).timeout(60_000);
  }

  for (const [name, refusal] of Object.entries<Refusal>(clusterOutages)) {
    it(`${title}: ${name}, as a node says it`, async () => {
      // A client that knows of no cluster gets the answer at once, and asks for one slot only.
      await begin(RefusingRedis.startNode(), `{${uniquePrefix()}}`);
      await brakes(refusal);
    });
  }

  it('puts back what it had in hand, uncounted', async () => {
    await begin(RefusingRedis.start());
    receiver.on('/slow', { kind: 'answer', delayMs: 500 });
    const task = httpTask(receiver.url('/slow'), { initial_delay: 0 });
    await submitNew(service.baseUrl, task);
    await waitForState(service.baseUrl, task.id, 'delivering');
    await refusals.noReplicas.begin(server.admin);
    await eventually(() => { expect(service.log).to.include('NOREPLICAS'); });
    await refusals.noReplicas.end(server.admin);
    // Its lock has to lapse first.
    const ended = await waitForState(service.baseUrl, task.id, 'delivered', { withinMs: 40_000 });
    expect(ended.attempt).to.equal(0);
  });
});

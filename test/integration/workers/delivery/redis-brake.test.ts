import { expect } from 'chai';

import { eventually } from '../../../support/eventually.js';
import { createReceiver, type Receiver } from '../../../support/receiver.js';
import { uniquePrefix } from '../../../support/namespace.js';
import { clusterOutages, outages, RefusingRedis, refusals, type Refusal } from '../../../support/refusing-redis.js';
import { CollectedLog, InProcessService } from '../../../support/service-in-process.js';
import { call, getTask, httpTask, submitNew, waitForState } from '../../../support/tasks.js';

/** Tasks that are due while Redis refuses; more than a worker has slots. */
const DUE = 30;
const WATCHED_MS = 4_500;
/** What is left of the pause of 4 s that may begin before Redis heals, and what two busy cores may add; the next pause would be 8 s. */
const HEALED_WITHIN_MS = 10_000;
/** A connection may have been given up with a task on its way to the worker. */
const LOCK_LAPSES_WITHIN_MS = 45_000;

const full: Refusal = {
  code: 'OOM',
  begin: (admin) => admin.config('SET', 'maxmemory', '1mb'),
  end: (admin) => admin.config('SET', 'maxmemory', '0'),
};

/** A worker, and a Redis that can be made to refuse. */
interface Stage {
  readonly server: RefusingRedis;
  readonly service: InProcessService;
  readonly receiver: Receiver;
}

/** What is tried side by side, so that the machine is not crowded: most of a case is waiting. */
const AT_ONCE = 5;

function signal(): { readonly given: Promise<void>; readonly give: () => void } {
  let give = (): void => undefined;
  const given = new Promise<void>((resolve) => { give = resolve; });
  return { given, give };
}

describe('a worker while Redis refuses', function () {
  this.timeout(300_000);

  async function onStage(made: Promise<RefusingRedis>, work: (stage: Stage) => Promise<void>, prefix = uniquePrefix()): Promise<void> {
    const server = await made;
    const receiver = await createReceiver();
    const service = await InProcessService.ready({ redis: server.redis.address, prefix, log: new CollectedLog() });
    try {
      await service.startWorker({ concurrency: 20 });
      await work({ server, service, receiver });
    } finally {
      await service.close();
      await server.close();
      await receiver.close();
    }
  }

  const linesSince = (service: InProcessService, start: number): string[] => service.log.slice(start).split('\n').filter((line) => line !== '' && !line.includes('"message":"attempt"'));

  async function brakes({ server, service, receiver }: Stage, refusal: Refusal): Promise<void> {
    // None of them is due before Redis refuses: one that is being sent by then comes back only when its lock lapses.
    const tasks = Array.from({ length: DUE }, () => httpTask(receiver.url('/'), { initial_delay: 2.5 }));
    for (const task of tasks) await submitNew(service.baseUrl, task);
    const start = service.log.length;
    await refusal.begin(server.admin);
    try {
      const until = performance.now() + WATCHED_MS;
      await eventually(() => { expect(performance.now()).to.be.above(until); }, { withinMs: 2 * WATCHED_MS });
      const lines = linesSince(service, start);
      const pauses = lines.filter((line) => line.includes('deliveries pause'));
      if (refusal.isWaitedFor !== true) {
        expect(pauses, lines.join('\n')).to.have.lengthOf.within(1, 2);
        expect(pauses.join('\n')).to.include(refusal.code);
      }
      expect(lines.length, lines.join('\n')).to.be.below(10);
    } finally {
      // A worker that Redis refuses would not be drained.
      await refusal.end(server.admin);
    }
    await eventually(async () => {
      for (const { id } of tasks) expect((await getTask(service.baseUrl, id)).state).to.equal('delivered');
    }, { withinMs: refusal.isWaitedFor === true ? LOCK_LAPSES_WITHIN_MS : HEALED_WITHIN_MS, everyMs: 100 });
    await eventually(() => {
      const lines = linesSince(service, start);
      // A pause may begin as late as the end of the refusal: what was waited for is tried then.
      const [pauses, ends] = ['deliveries pause', 'redis takes writes again'].map((text) => lines.filter((line) => line.includes(text)).length);
      expect([ends, (pauses ?? 0) <= 2], lines.join('\n')).to.deep.equal([Math.min(pauses ?? 0, 1), true]);
    });
    for (const { id } of tasks) expect((await getTask(service.baseUrl, id)).attempt).to.equal(0);
  }

  const cases = new Map<string, () => Promise<void>>();
  for (const [name, refusal] of Object.entries<Refusal>({ ...refusals, ...outages, full })) {
    cases.set(name, () => onStage(RefusingRedis.start(), (stage) => brakes(stage, refusal)));
  }
  for (const [name, refusal] of Object.entries<Refusal>(clusterOutages)) {
    // A client that knows of no cluster gets the answer at once, and asks for one slot only.
    cases.set(`${name}, as a node says it`, () => onStage(RefusingRedis.startNode(), (stage) => brakes(stage, refusal), `{${uniquePrefix()}}`));
  }
  const outcomes = new Map<string, PromiseSettledResult<void>>();

  before(async () => {
    const rest = [...cases];
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        for (let next = rest.shift(); next !== undefined; next = rest.shift()) {
          const [name, run] = next;
          const [outcome] = await Promise.allSettled([run()]);
          outcomes.set(name, outcome);
        }
      }),
    );
  });

  for (const name of cases.keys()) {
    it(`writes a line when it begins and one when it is over, loses nothing, and goes on by itself: ${name}`, () => {
      const outcome = outcomes.get(name);
      if (outcome?.status === 'rejected') throw outcome.reason;
      expect(outcome?.status).to.equal('fulfilled');
    });
  }

  it('parks a task at its end all the same when Redis is full, and sends it no second time', () =>
    onStage(RefusingRedis.start(), async ({ server, service, receiver }) => {
      const refusing = signal();
      receiver.on('/fails', { kind: 'answer', status: 500, after: refusing.given });
      const { dead_destination: _, ...task } = httpTask(receiver.url('/fails'), { initial_delay: 0, max_retries: 0, on_exhausted: 'park' });
      await submitNew(service.baseUrl, task);
      await receiver.waitForRequests(1);
      await full.begin(server.admin);
      refusing.give();
      await waitForState(service.baseUrl, task.id, 'parked');
      await full.end(server.admin);
      const parked = await call(service.baseUrl, '/tasks?state=parked');
      expect([receiver.requests.length, (parked.body as { tasks: readonly { id: string }[] }).tasks.map(({ id }) => id)]).to.deep.equal([1, [task.id]]);
      expect(((await call(service.baseUrl, '/stats')).body as { counts: { parked: number } }).counts.parked).to.equal(1);
    }));

  for (const name of ['noReplicas', 'readOnly', 'failedSnapshot'] as const) {
    it(`writes down what ended meanwhile as soon as Redis takes it, and sends nothing twice: ${name}`, () =>
      onStage(RefusingRedis.start(), async ({ server, service, receiver }) => {
        const refusing = signal();
        receiver.on('/slow', { kind: 'answer', after: refusing.given });
        receiver.on('/fails', { kind: 'answer', status: 500, after: refusing.given });
        const arriving = Array.from({ length: 5 }, () => httpTask(receiver.url('/slow'), { initial_delay: 0 }));
        const failing = httpTask(receiver.url('/fails'), { initial_delay: 0, base_delay: 600, max_retries: 1 });
        for (const task of [...arriving, failing]) await submitNew(service.baseUrl, task);
        await receiver.waitForRequests(6);
        const start = service.log.length;
        await refusals[name].begin(server.admin);
        refusing.give();
        await eventually(() => { expect(service.log.slice(start).match(/"message":"attempt"/g)).to.have.lengthOf(6); });
        await eventually(() => { expect(linesSince(service, start).join()).to.include(refusals[name].code); });
        await refusals[name].end(server.admin);
        for (const { id } of arriving) await waitForState(service.baseUrl, id, 'delivered', { withinMs: 5_000 });
        expect((await waitForState(service.baseUrl, failing.id, 'retrying')).attempt).to.equal(1);
        expect(receiver.requests).to.have.lengthOf(6);
      }));
  }

  it('puts back what it had in hand, uncounted', () =>
    onStage(RefusingRedis.start(), async ({ server, service, receiver }) => {
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
    }));
});

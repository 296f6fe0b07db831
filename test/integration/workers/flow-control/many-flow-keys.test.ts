import { expect } from 'chai';

import { jobField } from '../../../../shared/queue/engine/job-fields.js';
import { jobIdOf } from '../../../../shared/queue/names.js';
import { eventually } from '../../../support/eventually.js';
import { domainTask, uniqueId, waitForState } from '../../../support/tasks.js';
import { Fleet } from './fleet.js';

const TASKS = 3_000;
const SUBMITTED_AT_ONCE = 500;

describe('a paused destination with very many flow_keys', function () {
  this.timeout(120_000);

  let fleet: Fleet;
  beforeEach(async () => { fleet = await Fleet.start(); });
  afterEach(() => fleet.close());

  /** Due at once. @returns their ids */
  async function submit(flowKeyOf: (nth: number) => string): Promise<string[]> {
    const tasks = Array.from({ length: TASKS }, (_, nth) =>
      domainTask({
        id: uniqueId('many'),
        destination: { type: 'http', url: fleet.receiver.url('/hook') },
        flowKey: flowKeyOf(nth),
        retryPolicy: { maxRetries: 2, initialDelayMs: 0, baseDelayMs: 1_000, maxDelayMs: 1_000, jitter: 'none' },
      }));
    for (let from = 0; from < TASKS; from += SUBMITTED_AT_ONCE) await Promise.all(tasks.slice(from, from + SUBMITTED_AT_ONCE).map((task) => fleet.service.queue.submit(task)));
    return tasks.map(({ id }) => id);
  }

  /** How often workers have fetched these tasks. */
  async function fetches(ids: readonly string[]): Promise<number> {
    const { keys } = await fleet.shard();
    const counts = await Promise.all(ids.map((id) => fleet.service.redis.hget(`${keys.base}${jobIdOf(id)}`, jobField.fetches)));
    return counts.reduce((sum, count) => sum + Number(count), 0);
  }

  const shapes: readonly (readonly [what: string, flowKeyOf: (nth: number) => string])[] = [
    ['one for each task', (nth) => `tenant-${nth}`],
    ['two tasks for each, one behind the other', (nth) => `tenant-${Math.floor(nth / 2)}`],
    ['two tasks for each, far apart', (nth) => `tenant-${nth % (TASKS / 2)}`],
  ];
  for (const [what, flowKeyOf] of shapes) {
    for (const paused of ['host', 'endpoint'] as const) {
      it(`holds up no other one, and all arrive after the resume: ${what}, the ${paused} paused`, async () => {
        const name = paused === 'host' ? fleet.origin : fleet.receiver.url('/hook');
        await fleet.limit(name, { isPaused: true });
        const ids = await submit(flowKeyOf);
        await fleet.hire(1, { concurrency: 100 });
        const [innocent] = await fleet.submit(1, {}, fleet.healthy);
        await waitForState(fleet.service.baseUrl, innocent?.id ?? '', 'delivered', { withinMs: 20_000 });

        const { redis } = fleet.service;
        const { keys } = await fleet.shard();
        await eventually(async () => {
          expect(await redis.zcard(keys.prioritized), 'due').to.equal(0);
          expect(await redis.zcard(keys.delayed), 'put back').to.equal(TASKS);
        }, { withinMs: 20_000 });
        expect(fleet.receiver.requests, 'sent while paused').to.have.lengthOf(0);
        // To fetch each of them only to put it back is what would hold up the others.
        expect(await fetches(ids), 'fetched only to be put back').to.be.below(TASKS / 3);

        await fleet.limit(name, undefined);
        await eventually(async () => { expect(await redis.zcard(keys.completed)).to.equal(TASKS + 1); }, { withinMs: 60_000, everyMs: 100 });
        expect(fleet.receiver.requests, 'each is sent once').to.have.lengthOf(TASKS);
        await eventually(async () => { expect(await redis.zcard(keys.waitingLists), 'waiting lists left').to.equal(0); }, { withinMs: 10_000 });
      });
    }
  }
});

import { expect } from 'chai';

import { jobIdOf } from '../../shared/queue/names.js';
import { eventually } from '../support/eventually.js';
import { jobField } from '../../shared/queue/engine/job-fields.js';
import { tasksOf010 } from '../support/stored-tasks.js';
import { call, getTask, getTaskAnswer, waitForState } from '../support/tasks.js';
import { scenario } from './scenario.js';

describe('chaos: tasks that a worker cannot handle', () => {
  const settings = { RELEASE_BASE_DELAY: '50ms', RELEASE_MAX_DELAY: '800ms' };

  scenario('13a', 'a task written by a newer version', async (scene) => {
    const { ledger, service, crew, redis, keys } = await scene.stage({ workers: 0, settings });
    const [strange] = ledger.tasks(1, { max_retries: 0 });
    if (strange === undefined) throw new Error('no task');
    await ledger.submitAll([strange]);
    const data = (await redis.hget(keys.job(strange.id), jobField.data)) ?? '';
    await redis.hset(keys.job(strange.id), jobField.data, JSON.stringify({ ...(JSON.parse(data) as object), v: 2 }));
    const worker = await crew.hire();
    await ledger.submitAll(ledger.tasks(50, { max_retries: 0 }));
    const releases = await eventually(() => {
      const lines = worker.lines.filter((line) => line.includes('cannot read a task'));
      const delays = lines.map((line) => Number(/next_delay_ms=(\d+)/.exec(line)?.[1]));
      expect(delays.length).to.be.at.least(6);
      return { delays, counts: lines.map((line) => Number(/releases=(\d+)/.exec(line)?.[1])) };
    }, { withinMs: 20_000 });
    expect(releases.counts.slice(0, 6), 'counted').to.deep.equal([1, 2, 3, 4, 5, 6]);
    expect(releases.delays.slice(0, 5).every((delay, nth) => delay >= 25 * 2 ** nth && delay <= 50 * 2 ** nth), `growing: ${releases.delays.join(' ')}`).to.equal(true);
    expect((await call(service.baseUrl, '/stats')).body, 'counted for people too').to.nested.include({ 'counts.unreadable': 1 });
    expect(await getTaskAnswer(service.baseUrl, strange.id), 'an older API says so').to.deep.include({ status: 503 });
    // The version that can read it.
    await redis.hset(keys.job(strange.id), jobField.data, data);
    ledger.faultIsOver();
    const measured = await ledger.settle();
    expect(measured).to.include({ acked: 51, delivered: 51, duplicates: 0 });
    expect((await getTask(service.baseUrl, strange.id)).attempt, 'no attempt is used').to.equal(0);
    return { ...measured, note: `${releases.delays.length} releases with growing delay before it could be read` };
  });

  scenario('13b', 'a bug of ours that one task meets every time', async (scene) => {
    const { ledger, service, crew, redis, keys, receiver } = await scene.stage({ workers: 0, settings });
    const [cursed] = ledger.tasks(1, { max_retries: 5 });
    if (cursed === undefined) throw new Error('no task');
    await ledger.submitAll([cursed]);
    const data = JSON.parse((await redis.hget(keys.job(cursed.id), jobField.data)) ?? '') as object;
    // A url that no client could have submitted: sending to it throws.
    await redis.hset(keys.job(cursed.id), jobField.data, JSON.stringify({ ...data, d: { u: 'no url at all' } }));
    // In dev, attempts beyond some in a second get no line of their own.
    const worker = await crew.hire({ ENVIRONMENT: 'prod' });
    await ledger.submitAll(ledger.tasks(50, { max_retries: 0 }));
    const bugs = await eventually(() => {
      const lines = worker.lines.filter((line) => line.includes('bug: a delivery threw'));
      expect(lines).to.have.lengthOf(11);
      return lines.length;
    }, { withinMs: 20_000 });
    const delays = worker.lines.filter((line) => line.includes(cursed.id) && line.includes('"outcome":"release"')).map((line) => Number(/"next_delay_ms":(\d+)/.exec(line)?.[1]));
    expect(delays).to.have.lengthOf(10);
    for (const [nth, delay] of delays.entries()) {
      const full = Math.min(50 * 2 ** nth, 800);
      expect(delay, `growing: ${delays.join(' ')}`).to.be.within(full / 2, full);
    }
    ledger.faultIsOver();
    // The API cannot show a task whose url is none; the receiver of the dead letter has it.
    await eventually(() => expect(receiver.requestsTo('/dead')).to.have.lengthOf(1));
    await redis.hset(keys.job(cursed.id), jobField.data, JSON.stringify(data));
    await waitForState(service.baseUrl, cursed.id, 'dead_lettered');
    const measured = await ledger.settle();
    expect(receiver.requestsTo('/dead').map(({ headers }) => headers['x-retry-dead-reason'])).to.deep.equal(['internal']);
    // No send was made, and none is counted.
    expect(receiver.requestsTo('/dead').map(({ key }) => key)).to.deep.equal([`${cursed.id}|dead|0`]);
    expect(measured).to.include({ acked: 51, delivered: 50, dead: 1, duplicates: 0 });
    return { ...measured, note: `${bugs - 1} releases, then its dead phase with reason internal` };
  });

  scenario('13c', 'tasks that an older version left behind', async (scene) => {
    const { ledger, service, crew, redis, keys, receiver } = await scene.stage({ workers: 0, settings });
    const [retrying, parked] = ['old-retrying', 'old-parked'];
    const stored = await tasksOf010(receiver.url(''));
    await redis.hset(keys.job(retrying), stored('retrying', retrying));
    await redis.zadd(keys.delayed, Date.now() * 4_096, jobIdOf(retrying));
    await redis.hset(keys.job(parked), stored('parked', parked));
    await redis.zadd(keys.failed, 1_795_539_397_469, jobIdOf(parked));
    await redis.zadd(keys.parked, 1_795_539_397_469, jobIdOf(parked));
    for (const id of [retrying, parked]) ledger.acknowledgedBefore(id);
    expect((await getTask(service.baseUrl, parked)).state).to.equal('parked');
    await crew.hire({ DEAD_LETTER_RETENTION: '1s' });
    await waitForState(service.baseUrl, retrying, 'delivered');
    ledger.faultIsOver();
    const measured = await ledger.settle();
    const [request, ...more] = receiver.requestsTo('/hook');
    expect(more, 'a parked one waits for a person').to.have.lengthOf(0);
    expect([request?.key, request?.headers['x-retry-attempt'], request?.body.toString()], 'it goes on where it was').to.deep.equal([`${retrying}|1`, '1', '{"order":"1042","note":"grüße"}']);
    expect(measured).to.include({ acked: 2, delivered: 1, parked: 1 });
    return { ...measured, note: 'records as 0.1.0 wrote them: attempt 1 follows attempt 0, parked stays parked' };
  });
});

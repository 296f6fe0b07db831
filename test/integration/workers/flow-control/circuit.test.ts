import { expect } from 'chai';

import { flowNamed } from '../../../../shared/domain/destinations/flow.js';
import type { Circuit } from '../../../../shared/domain/flow/circuit.js';
import { endpointCircuitOf } from '../../../../shared/domain/flow/circuit-names.js';
import { flowKeys } from '../../../../shared/queue/fleet-keys.js';
import { readBulkAction, startBulkAction } from '../../../support/bulk-actions.js';
import { eventually } from '../../../support/eventually.js';
import type { ReceivedRequest } from '../../../support/receiver.js';
import { call, getTask, waitForState } from '../../../support/tasks.js';
import { Fleet } from './fleet.js';

/** Short, so that what takes minutes in production takes a second here. */
const quick = { baseCoolMs: 400, maxCoolMs: 800 };

describe('the circuit of a destination', () => {
  let fleet: Fleet;
  beforeEach(async () => { fleet = await Fleet.start(); });
  afterEach(() => fleet.close());

  const attempts = (): string[] => fleet.receiver.requests.map(({ headers }) => headers['x-retry-attempt'] ?? '');
  const name = (): string => endpointCircuitOf(flowNamed(`${fleet.origin}/hook`, fleet.origin));
  const circuit = async (): Promise<Circuit | undefined> => (await fleet.service.queue.fleet.flowStore().snapshot([name()])).circuits.get(name());

  function whenOpen(): Promise<Circuit> {
    return eventually(async () => {
      const open = await circuit();
      if (open === undefined) throw new Error('closed');
      return open;
    });
  }

  it('opens before fifty attempts are burnt, whatever the slots, probes one by one, and all is delivered afterwards', async () => {
    let isDown = true;
    fleet.receiver.on('/hook', () => (isDown ? { kind: 'answer', status: 503, delayMs: 20 } : { kind: 'answer' }));
    // Due when all workers are there, and have heard of each other.
    const tasks = await fleet.submit(300, { max_retries: 8, base_delay: 0.1, initial_delay: 2 });
    await fleet.hire(5, { concurrency: 500, circuit: quick });
    const { openedAt } = await whenOpen();
    const arrived = (): number[] => fleet.receiver.requests.map(({ arrivedAt }) => arrivedAt);
    const probes = await eventually(() => {
      const late = arrived().filter((at) => at >= openedAt + quick.baseCoolMs);
      expect(late.length).to.be.at.least(5);
      return late;
    });
    isDown = false;
    expect(arrived().filter((at) => at < openedAt + quick.baseCoolMs).length, 'sent before the circuit was open').to.be.within(5, 49);
    const gaps = probes.slice(1, 5).map((at, nth) => at - (probes[nth] ?? 0)).sort((a, b) => a - b);
    // A probe that arrives late makes one gap smaller. If each of the five workers probed, most of them would be nearly 0.
    expect(gaps[2], `one probe for each cool-down, whatever the number of workers: ${gaps.join(', ')}`).to.be.above(2 * quick.baseCoolMs - 50);
    for (const { id } of tasks) await waitForState(fleet.service.baseUrl, id, 'delivered', { withinMs: 15_000 });
    expect(fleet.receiver.requests.length - 300, 'attempts burnt in all').to.be.below(70);
    await eventually(async () => expect(await circuit()).to.equal(undefined));
    expect(await fleet.service.redis.exists(flowKeys(fleet.service.prefix, false).probe(name())), 'no probe is left').to.equal(0);
  }).timeout(40_000);

  it('costs no more attempts where many sends are in flight when a receiver that was well begins to fail', async () => {
    let isDown = false;
    fleet.receiver.on('/hook', () => (isDown ? { kind: 'answer', status: 503, delayMs: 1_500 } : { kind: 'answer', delayMs: 20 }));
    await fleet.submit(600, { max_retries: 0 });
    await fleet.hire(1, { concurrency: 400, circuit: quick });
    await fleet.receiver.waitForRequests(600, { withinMs: 20_000 });
    isDown = true;
    const tasks = await fleet.submit(600, { max_retries: 3, base_delay: 0.1 });
    await whenOpen();
    await eventually(() => expect(fleet.receiver.inFlight).to.equal(0));
    const failed = fleet.receiver.requests.length - 600;
    expect(failed, 'sent to the failing receiver: more than may use an attempt').to.be.above(60);
    isDown = false;
    for (const { id } of tasks) await waitForState(fleet.service.baseUrl, id, 'delivered', { withinMs: 20_000 });
    expect(attempts().filter((attempt) => attempt !== '0').length, 'attempts used').to.be.below(50);
    expect(fleet.receiver.requests.length - 600).to.be.within(600 + failed, 600 + failed + 5);
  }).timeout(40_000);

  it('stays as it is whatever a test send says, which takes and gives back no probe; retry now waits for it like others (L33)', async () => {
    let status = 503;
    const probes: string[] = [];
    const isTest = ({ headers }: ReceivedRequest): boolean => headers['x-retry-test'] === 'true';
    fleet.receiver.on('/hook', (request) => {
      if (isTest(request)) return { kind: 'answer', status };
      probes.push(request.taskId);
      return { kind: 'answer', status: 503 };
    });
    await fleet.hire(1, { concurrency: 50, circuit: { baseCoolMs: 60_000, maxCoolMs: 60_000 } });
    await fleet.submit(60, { max_retries: 8, base_delay: 0.05 });
    const open = await whenOpen();
    await eventually(() => expect(fleet.receiver.inFlight).to.equal(0));
    const before = probes.length;
    for (status of [200, 500]) {
      const answer = await call(fleet.service.baseUrl, '/test-sends', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ destination_type: 'http', destination: { url: fleet.receiver.url('/hook') } }) });
      expect([answer.status, answer.body['http_status']]).to.deep.equal([200, status]);
      expect(await circuit(), `after a test send that was answered ${status}`).to.deep.equal(open);
    }
    const [held = expect.fail('no task'), priority = expect.fail('no task')] = [...await fleet.submit(1), ...await fleet.submit(1, { is_priority: true })];
    await eventually(async () => {
      for (const { id } of [held, priority]) expect((await getTask(fleet.service.baseUrl, id)).waiting_for?.code).to.equal('circuit_open');
    });
    const retried = await call(fleet.service.baseUrl, `/tasks/${held.id}/retry`, { method: 'POST' });
    expect(retried.status, JSON.stringify(retried.body)).to.be.oneOf([200, 202]);
    const action = await startBulkAction(fleet.service.baseUrl, { action: 'send_now', ids: [priority.id] });
    await eventually(async () => expect((await readBulkAction(fleet.service.baseUrl, action)).state).to.be.oneOf(['done', 'paused']));
    // Sent past the circuit, it would come before this one, which goes elsewhere.
    await fleet.submit(1, {}, fleet.healthy);
    await fleet.healthy.waitForRequests(1);
    await eventually(async () => {
      for (const { id } of [held, priority]) expect((await getTask(fleet.service.baseUrl, id)).waiting_for?.code).to.equal('circuit_open');
    });
    expect(await circuit()).to.deep.equal(open);
    expect(probes.length).to.equal(before);
    expect(await fleet.service.redis.exists(flowKeys(fleet.service.prefix, false).probe(name()))).to.equal(0);
  }).timeout(30_000);

  it('given up after its longest time, lets attempts count, so that a dead receiver leads to dead letters', async () => {
    fleet.receiver.on('/hook', { kind: 'answer', status: 502 });
    const tasks = await fleet.submit(60, { max_retries: 1, base_delay: 0.05 });
    await fleet.hire(2, { concurrency: 50, circuit: { ...quick, maxOpenMs: 1_500 } });
    await whenOpen();
    for (const { id } of tasks) await waitForState(fleet.service.baseUrl, id, 'dead_lettered', { withinMs: 20_000 });
    // One that was under way when the circuit opened is sent again with its number.
    expect(new Set(fleet.receiver.requests.filter(({ headers }) => headers['x-retry-attempt'] === '1').map(({ taskId }) => taskId)).size).to.equal(60);
  }).timeout(40_000);

  it('stays closed for 4xx, and for one task that fails thirty times', async () => {
    fleet.receiver.on('/hook', { kind: 'answer', status: 404 });
    fleet.healthy.on('/hook', { kind: 'answer', status: 500 });
    await fleet.submit(100);
    const [lonely] = await fleet.submit(1, { max_retries: 29, base_delay: 0.01, max_delay: 0.05 }, fleet.healthy);
    await fleet.hire(1, { circuit: quick });
    await fleet.receiver.waitForRequests(100);
    await waitForState(fleet.service.baseUrl, lonely?.id ?? '', 'dead_lettered', { withinMs: 15_000 });
    expect(fleet.healthy.requestsTo('/hook')).to.have.lengthOf(30);
    expect((await fleet.service.queue.fleet.flowStore().changesSince(-1)).changes).to.deep.equal([]);
  }).timeout(30_000);

  it('is not asked where it is switched off: every attempt comes as its own policy says', async () => {
    fleet.receiver.on('/hook', { kind: 'answer', status: 503 });
    const tasks = await fleet.submit(60, { max_retries: 2, base_delay: 0.3 });
    await fleet.hire(1, { concurrency: 200, circuit: { isOn: false } });
    await fleet.receiver.waitForRequests(180, { withinMs: 20_000 });
    const waits = tasks.map(({ id }) => {
      const [first = 0, second = 0, third = 0] = fleet.receiver.requestsFor(id).map(({ arrivedAt }) => arrivedAt);
      return [second - first, third - second] as const;
    });
    // A busy machine makes some of them late, on either side of a wait.
    const median = (nth: 0 | 1): number => waits.map((both) => both[nth]).sort((a, b) => a - b)[waits.length / 2] ?? 0;
    expect(median(0)).to.be.within(290, 2_000);
    expect(median(1)).to.be.within(590, 3_000);
    expect((await fleet.service.queue.fleet.flowStore().changesSince(-1)).changes).to.deep.equal([]);
  }).timeout(30_000);

  it('opens for as long as a 429 asks, for all tasks of the destination', async () => {
    let askedAt = 0;
    fleet.receiver.on('/hook', () => {
      const now = performance.timeOrigin + performance.now();
      if (askedAt === 0) askedAt = now;
      return now - askedAt < 2_000 ? { kind: 'answer', status: 429, headers: { 'retry-after': '2' } } : { kind: 'answer' };
    });
    const tasks = await fleet.submit(200, { max_retries: 3, base_delay: 0.05 });
    await fleet.hire(2, { concurrency: 200 });
    await fleet.receiver.waitForRequests(1);
    for (const { id } of tasks) await waitForState(fleet.service.baseUrl, id, 'delivered', { withinMs: 25_000 });
    const early = fleet.receiver.requests.filter(({ arrivedAt }) => arrivedAt - askedAt < 2_000);
    expect(early.length, 'within the pause').to.be.below(50);
  }).timeout(40_000);
});

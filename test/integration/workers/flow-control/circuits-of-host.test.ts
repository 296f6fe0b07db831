import { expect } from 'chai';

import { deadFlowOf, flowNamed, flowOfId } from '../../../../shared/domain/destinations/flow.js';
import type { Circuit } from '../../../../shared/domain/flow/circuit.js';
import { endpointCircuitOf } from '../../../../shared/domain/flow/circuit-names.js';
import { eventually } from '../../../support/eventually.js';
import { call, httpTask, submitNew, waitForState, type WireTask } from '../../../support/tasks.js';
import { Fleet } from './fleet.js';

/** Fails for longer than any of these tests takes, with tasks that would be tried again soon. */
const patient = { max_retries: 5, base_delay: 0.2 };

describe('the circuits of a host and of its endpoints', () => {
  let fleet: Fleet;
  beforeEach(async () => { fleet = await Fleet.start(); });
  afterEach(() => fleet.close());

  const circuits = async (): Promise<ReadonlyMap<string, Circuit>> => (await fleet.service.queue.fleet.flowStore().snapshotOfAll()).circuits;
  const endpoint = (path: string): string => endpointCircuitOf(flowNamed(`${fleet.origin}${path}`, fleet.origin));
  const arrivals = (path: string): number => fleet.receiver.requestsTo(path).length;

  function submitTo(path: string, count: number, changes: Partial<WireTask> = {}): Promise<WireTask[]> {
    return Promise.all(Array.from({ length: count }, async () => {
      const task = httpTask(fleet.receiver.url(path), { dead_destination: { url: fleet.healthy.url('/dead') }, ...changes });
      await submitNew(fleet.service.baseUrl, task);
      return task;
    }));
  }

  async function whenOpen(name: string): Promise<Circuit> {
    return eventually(async () => {
      const open = (await circuits()).get(name);
      if (open === undefined) throw new Error(`${JSON.stringify([...(await circuits()).keys()])} are open`);
      return open;
    }, { withinMs: 10_000 });
  }

  it('lets a healthy path of a host go on at once, while the circuit of a dead one is open', async () => {
    fleet.receiver.on('/bad', { kind: 'answer', status: 503 });
    fleet.receiver.on('/well', { kind: 'answer' });
    await fleet.hire(1);
    await submitTo('/bad', 100, patient);
    await whenOpen(endpoint('/bad'));
    const well = await submitTo('/well', 20);
    for (const { id } of well) await waitForState(fleet.service.baseUrl, id, 'delivered', { withinMs: 3_000 });
    expect([...(await circuits()).keys()], 'that of the host is closed').to.not.include(fleet.origin);
    expect(arrivals('/bad'), 'attempts of the dead path').to.be.below(60);
  }).timeout(30_000);

  for (const workers of [1, 2]) {
    it(`lets a healthy path of a host go on at once, when ${workers === 1 ? 'three dead paths have opened the circuit of the host' : 'another worker has opened it'}`, async () => {
      const bad = ['/bad-1', '/bad-2', '/bad-3'];
      for (const path of bad) fleet.receiver.on(path, { kind: 'answer', status: 503 });
      fleet.receiver.on('/well', { kind: 'answer' });
      await fleet.hire(workers, { circuit: { baseCoolMs: 60_000, maxCoolMs: 60_000 } });
      await Promise.all(bad.map((path) => submitTo(path, 100, patient)));
      expect((await whenOpen(fleet.origin)).reason).to.equal('endpoint_failures');
      const well = await submitTo('/well', 20);
      for (const { id } of well) await waitForState(fleet.service.baseUrl, id, 'delivered', { withinMs: 5_000 });
      expect(bad.reduce((sum, path) => sum + arrivals(path), 0), 'attempts of the dead paths').to.be.below(200);
    }).timeout(30_000);
  }

  it('lets tasks with a path each go on at once, when three dead paths have opened the circuit of the host', async () => {
    const bad = ['/bad-1', '/bad-2', '/bad-3'];
    for (const path of bad) fleet.receiver.on(path, { kind: 'answer', status: 503 });
    await fleet.hire(1, { circuit: { baseCoolMs: 60_000, maxCoolMs: 60_000 } });
    await Promise.all(bad.map((path) => submitTo(path, 100, patient)));
    expect((await whenOpen(fleet.origin)).reason).to.equal('endpoint_failures');
    const well = (await Promise.all(Array.from({ length: 20 }, (_, nth) => {
      fleet.receiver.on(`/order-${nth}`, { kind: 'answer' });
      return submitTo(`/order-${nth}`, 1);
    }))).flat();
    for (const { id } of well) await waitForState(fleet.service.baseUrl, id, 'delivered', { withinMs: 10_000 });
  }).timeout(40_000);

  it('costs the healthy paths of a host nothing when one of ten is dead', async () => {
    const paths = Array.from({ length: 9 }, (_, nth) => `/well-${nth}`);
    for (const path of paths) fleet.receiver.on(path, { kind: 'answer' });
    fleet.receiver.on('/dead-path', { kind: 'answer', status: 503 });
    await fleet.hire(1);
    const well: WireTask[] = [];
    for (let round = 0; round < 10; round += 1) {
      await submitTo('/dead-path', 10, { ...patient, max_retries: 2 });
      for (const path of paths) well.push(...await submitTo(path, 5));
    }
    for (const { id } of well) {
      const { timeline } = await waitForState(fleet.service.baseUrl, id, 'delivered', { withinMs: 5_000 });
      expect(JSON.stringify(timeline), id).to.not.include('circuit_open');
    }
    expect(arrivals('/dead-path'), 'before its circuit was open').to.be.below(60);
    expect([...(await circuits()).keys()]).to.deep.equal([endpoint('/dead-path')]);
  }).timeout(40_000);

  it('stops all paths of a host that cannot be reached, whatever number of them there is', async () => {
    const tasks = await Promise.all(Array.from({ length: 100 }, async (_, nth) => {
      const task = httpTask(`http://127.0.0.1:11/path-${nth % 20}`, patient);
      await submitNew(fleet.service.baseUrl, task);
      return task;
    }));
    await fleet.hire(1, { circuit: { baseCoolMs: 60_000, maxCoolMs: 60_000 } });
    expect((await whenOpen('http://127.0.0.1:11')).reason).to.equal('failures');
    const refused = (): number => fleet.service.log.split('\n').filter((line) => line.includes('connection_refused') && line.includes('task_id')).length;
    await eventually(async () => {
      const codes = await Promise.all(tasks.slice(-10).map(async ({ id }) => (await waitForState(fleet.service.baseUrl, id, 'scheduled')).waiting_for?.code));
      expect(codes).to.include('circuit_open');
    });
    expect(refused(), 'attempts').to.be.below(60);
    expect([...(await circuits()).keys()], 'none of its own for a path').to.deep.equal(['http://127.0.0.1:11']);
  }).timeout(30_000);

  it('holds a flow_key only at the host that fails', async () => {
    fleet.receiver.on('/hook', { kind: 'answer', status: 503 });
    fleet.healthy.on('/hook', { kind: 'answer' });
    await fleet.hire(1);
    await submitTo('/hook', 60, { ...patient, flow_key: 'tenant-7' });
    await whenOpen(endpointCircuitOf(flowNamed('tenant-7', fleet.origin)));
    const well = await fleet.submit(20, { flow_key: 'tenant-7' }, fleet.healthy);
    for (const { id } of well) await waitForState(fleet.service.baseUrl, id, 'delivered', { withinMs: 3_000 });
  }).timeout(30_000);

  it('opens one circuit for a flow_key, whatever endpoints of the host have limits, and it is shown and closed by its name', async () => {
    const paths = ['/hook-1', '/hook-2', '/hook-3'];
    for (const path of paths) {
      fleet.receiver.on(path, { kind: 'answer', status: 503 });
      await fleet.limit(`${fleet.origin}${path}`, { maxConcurrency: 50 });
    }
    await fleet.hire(1, { circuit: { baseCoolMs: 60_000, maxCoolMs: 60_000 } });
    const tasks = (await Promise.all(paths.map((path) => submitTo(path, 20, { ...patient, flow_key: 'tenant-7' })))).flat();
    await whenOpen(endpointCircuitOf(flowNamed('tenant-7', fleet.origin)));
    expect([...(await circuits()).keys()], 'three paths of one flow_key say nothing of the host').to.have.lengthOf(1);
    const shown = await call(fleet.service.baseUrl, '/destinations/tenant-7');
    expect(shown.body).to.have.nested.property('circuit.state', 'open');
    for (const path of paths) fleet.receiver.on(path, { kind: 'answer' });
    const resumed = await call(fleet.service.baseUrl, '/destinations/tenant-7/resume', { method: 'POST' });
    expect(resumed.body).to.have.nested.property('circuit.state', 'closed');
    for (const { id } of tasks) await waitForState(fleet.service.baseUrl, id, 'delivered', { withinMs: 20_000 });
  }).timeout(40_000);

  it('holds only the path that asks by a Retry-After to be left alone', async () => {
    fleet.receiver.on('/busy', { kind: 'answer', status: 429, headers: { 'retry-after': '30' } });
    fleet.receiver.on('/well', { kind: 'answer' });
    await fleet.hire(1);
    await submitTo('/busy', 5, patient);
    expect((await whenOpen(endpoint('/busy'))).reason).to.equal('retry_after');
    const well = await submitTo('/well', 20);
    for (const { id } of well) await waitForState(fleet.service.baseUrl, id, 'delivered', { withinMs: 3_000 });
    expect([...(await circuits()).keys()]).to.deep.equal([endpoint('/busy')]);
  }).timeout(30_000);

  it('lets dead letters through to a host that refuses deliveries: their circuits are their own', async () => {
    const bad = ['/bad-1', '/bad-2', '/bad-3'];
    for (const path of bad) fleet.receiver.on(path, { kind: 'answer', status: 503 });
    fleet.receiver.on('/dead', { kind: 'answer' });
    await fleet.hire(1, { circuit: { baseCoolMs: 60_000, maxCoolMs: 60_000 } });
    const dying = await Promise.all(bad.map((path) => submitTo(path, 20, { max_retries: 0, dead_destination: { url: fleet.receiver.url('/dead') } })));
    await whenOpen(fleet.origin);
    await eventually(() => expect(arrivals('/dead')).to.be.at.least(20));
    const dead = flowNamed(`${fleet.origin}/dead`, fleet.origin);
    expect([...(await circuits()).keys()]).to.not.include.members([deadFlowOf(dead).hostId]);
    expect(dying.flat().length).to.equal(60);
  }).timeout(30_000);

  it('remembers the last probe that failed: its task, its time and its code', async () => {
    let status = 503;
    fleet.receiver.on('/hook', () => ({ kind: 'answer', status }));
    await fleet.hire(1, { circuit: { baseCoolMs: 300, maxCoolMs: 600 } });
    const tasks = await submitTo('/hook', 40, patient);
    const open = await whenOpen(endpoint('/hook'));
    expect(open).to.not.have.property('lastProbe');
    status = 502;
    const { lastProbe, until } = await eventually(async () => {
      const found = (await circuits()).get(endpoint('/hook'));
      expect(found?.lastProbe?.code).to.equal('http_server_error');
      return found ?? open;
    }, { withinMs: 10_000 });
    expect(tasks.map(({ id }) => id)).to.include(lastProbe?.task);
    expect(until - (lastProbe?.at ?? 0), 'the next one').to.be.within(300, 600);
  }).timeout(30_000);

  it('remembers as the last probe also one that an endpoint without failures has sent', async () => {
    const bad = ['/bad-1', '/bad-2', '/bad-3'];
    for (const path of [...bad, '/bad-4']) fleet.receiver.on(path, { kind: 'answer', status: 503 });
    await fleet.hire(1, { circuit: { baseCoolMs: 60_000, maxCoolMs: 60_000 } });
    const tasks = (await Promise.all(bad.map((path) => submitTo(path, 100, patient)))).flat();
    const { until } = await whenOpen(fleet.origin);
    tasks.push(...await submitTo('/bad-4', 2, patient));
    const { lastProbe, ...open } = await eventually(async () => {
      const found = await whenOpen(fleet.origin);
      expect(found).to.have.property('lastProbe');
      return found;
    }, { withinMs: 10_000 });
    expect(tasks.map(({ id }) => id)).to.include(lastProbe?.task);
    expect([lastProbe?.code, open.until], 'it prolongs nothing').to.deep.equal(['http_busy', until]);
    expect((await call(fleet.service.baseUrl, `/destinations/${encodeURIComponent(fleet.origin)}`)).body).to.have.nested.property('circuit.last_probe.task_id', lastProbe?.task);
  }).timeout(30_000);

  it('closes the circuits of a host and of its endpoint with one answer', async () => {
    const bad = ['/bad-1', '/bad-2', '/bad-3'];
    let isDown = true;
    for (const path of bad) fleet.receiver.on(path, () => (isDown ? { kind: 'answer', status: 503 } : { kind: 'answer' }));
    await fleet.hire(1, { circuit: { baseCoolMs: 400, maxCoolMs: 800 } });
    const tasks = (await Promise.all(bad.map((path) => submitTo(path, 60, patient)))).flat();
    await whenOpen(fleet.origin);
    isDown = false;
    for (const { id } of tasks) await waitForState(fleet.service.baseUrl, id, 'delivered', { withinMs: 15_000 });
    await eventually(async () => expect([...(await circuits()).keys()].map((name) => flowOfId(name).key)).to.deep.equal([]));
  }).timeout(40_000);
});

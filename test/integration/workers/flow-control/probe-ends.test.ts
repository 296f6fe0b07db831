import { expect } from 'chai';

import { flowNamed } from '../../../../shared/domain/destinations/flow.js';
import { parseDestinationRule } from '../../../../shared/domain/addresses/destination-rule.js';
import { endpointCircuitOf } from '../../../../shared/domain/flow/circuit-names.js';
import { flowKeys } from '../../../../shared/queue/fleet-keys.js';
import { eventually } from '../../../support/eventually.js';
import { waitUntilPauseIsKnown } from '../../../support/known-pause.js';
import type { Behaviour } from '../../../support/receiver.js';
import { call, httpTask, waitForState } from '../../../support/tasks.js';
import { Fleet } from './fleet.js';

/** What becomes of the first probe: how the receiver answers it, and what a person does. Its task cannot be cancelled meanwhile: that is 409. */
interface Ending {
  readonly name: string;
  readonly behaviour: Behaviour;
  /** While it is under way. */
  readonly meanwhile?: () => Promise<void>;
  /** Once it has given its place back. */
  readonly afterwards?: (taskId: string) => Promise<void>;
}

/** What others have shipped: a probe that ended on a road that told nobody left a circuit half open for days. */
describe('the probe of an open circuit (L32)', () => {
  let fleet: Fleet;
  beforeEach(async () => { fleet = await Fleet.start(); });
  afterEach(() => fleet.close());

  const healthy = (): string => new URL(fleet.healthy.url('/')).origin;
  const endpoint = (): string => `${fleet.origin}/hook`;
  const name = (): string => endpointCircuitOf(flowNamed(endpoint(), fleet.origin));
  const probeKey = (): string => flowKeys(fleet.service.prefix, false).probe(name());

  async function tell(name: string, change: 'pause' | 'resume'): Promise<void> {
    const { status, body } = await call(fleet.service.baseUrl, `/destinations/${encodeURIComponent(name)}/${change}`, { method: 'POST' });
    expect(status, JSON.stringify(body)).to.equal(200);
  }

  async function noProbeIsLeft(): Promise<void> {
    await eventually(async () => { expect(await fleet.service.redis.exists(probeKey()), 'no probe is left').to.equal(0); });
  }

  /** The circuit holds the tasks of the endpoint anyway, so a later pause of another place shows when the worker knows of both. */
  async function pauseUntilKnown(): Promise<void> {
    for (const paused of [endpoint(), healthy()]) await tell(paused, 'pause');
    await waitUntilPauseIsKnown(fleet.service.baseUrl, () => httpTask(fleet.healthy.url('/other')));
  }

  async function resume(probe: string): Promise<void> {
    const before = fleet.receiver.requests.length;
    // Without the pause another probe would come once the circuit has cooled down.
    await eventually(async () => {
      const circuit = (await fleet.service.queue.fleet.flowStore().snapshot([name()])).circuits.get(name());
      expect(circuit?.lastProbe?.task).to.equal(probe);
      expect(circuit?.until).to.be.below(Date.now() - 200);
    });
    expect(fleet.receiver.requests.length, 'while it is paused').to.equal(before);
    for (const paused of [endpoint(), healthy()]) await tell(paused, 'resume');
  }

  const endings: readonly Ending[] = [
    { name: 'answered with 404', behaviour: { kind: 'answer', status: 404 } },
    { name: 'not answered in time', behaviour: { kind: 'hang' } },
    { name: 'under way while its endpoint is paused, and resumed', behaviour: { kind: 'answer', status: 503, delayMs: 3_000 }, meanwhile: pauseUntilKnown, afterwards: resume },
  ];
  for (const { name: ending, behaviour, meanwhile, afterwards } of endings) {
    it(`gives its place back when it is ${ending}: another one comes, and all is delivered`, async () => {
      let probe: string | undefined;
      let mode: 'down' | 'probed' | 'well' = 'down';
      fleet.receiver.on('/hook', ({ taskId }) => {
        if (mode === 'well') return { kind: 'answer' };
        if (mode === 'down') return { kind: 'answer', status: 503 };
        mode = 'well';
        probe = taskId;
        return behaviour;
      });
      await fleet.hire(1, { concurrency: 50, deliveryTimeout: behaviour.kind === 'hang' ? '1s' : '5s', circuit: { baseCoolMs: 400, maxCoolMs: 800 } });
      const tasks = await fleet.submit(60, { max_retries: 8, base_delay: 0.05 });
      await eventually(async () => { expect((await fleet.service.queue.fleet.flowStore().snapshot([name()])).circuits.has(name())).to.equal(true); });
      await eventually(() => { expect(fleet.receiver.inFlight).to.equal(0); });
      mode = 'probed';
      const id = await eventually(() => probe ?? expect.fail('no probe yet'));
      const before = fleet.receiver.requests.length;
      await meanwhile?.();
      if (afterwards !== undefined) {
        expect(fleet.receiver.inFlight, 'it is still under way').to.equal(1);
        await noProbeIsLeft();
        await afterwards(id);
      }
      // Its lease would be over 5 s after its longest time.
      await eventually(() => { expect(fleet.receiver.requests.length).to.be.above(before); }, { withinMs: 5_000 });
      for (const task of tasks) if (task.id !== id) await waitForState(fleet.service.baseUrl, task.id, 'delivered', { withinMs: 15_000 });
      await noProbeIsLeft();
    }).timeout(40_000);
  }

  /** Another policy comes with another worker: a rolling restart. What it may not send ends without a try, and says nothing about the receiver. */
  it('gives its place back when its address is forbidden meanwhile: another one comes, and what is left is delivered once it is allowed', async () => {
    let isWell = false;
    fleet.receiver.on('/hook', () => ({ kind: 'answer', status: isWell ? 200 : 503 }));
    const circuit = { baseCoolMs: 400, maxCoolMs: 800 };
    const first = await fleet.service.startWorker({ concurrency: 50, circuit });
    const tasks = await fleet.submit(60, { max_retries: 8, base_delay: 0.05 });
    await eventually(async () => { expect((await fleet.service.queue.fleet.flowStore().snapshot([name()])).circuits.has(name())).to.equal(true); });
    await first.stop();
    const sent = fleet.receiver.requests.length;
    isWell = true;
    const rule = parseDestinationRule(new URL(fleet.origin).host) ?? expect.fail('no rule');
    const strict = await fleet.service.startWorker({ concurrency: 50, circuit, destinationPolicy: { level: 'any', allow: [], deny: [rule] } });
    // Each of them is a probe: a second one shows that the first has given its place back.
    await eventually(() => { expect(fleet.healthy.requestsTo('/dead').length).to.be.at.least(2); }, { withinMs: 5_000 });
    await strict.stop();
    await noProbeIsLeft();
    expect(fleet.receiver.requests.length, 'sent to a forbidden address').to.equal(sent);
    await fleet.service.startWorker({ concurrency: 50, circuit });
    await eventually(() => { expect(fleet.receiver.requests.length, 'another probe').to.be.above(sent); }, { withinMs: 15_000 });
    await eventually(() => {
      const ends = new Set([...fleet.receiver.requests.slice(sent), ...fleet.healthy.requestsTo('/dead')].map(({ taskId }) => taskId));
      expect(ends.size).to.be.at.least(tasks.length);
    }, { withinMs: 15_000 });
  }).timeout(40_000);
});

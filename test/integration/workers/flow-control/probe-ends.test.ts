import { expect } from 'chai';

import { flowNamed } from '../../../../shared/domain/destinations/flow.js';
import { endpointCircuitOf } from '../../../../shared/domain/flow/circuit.js';
import { flowKeys } from '../../../../shared/queue/names.js';
import { eventually } from '../../../support/eventually.js';
import type { Behaviour } from '../../../support/receiver.js';
import { call, waitForState } from '../../../support/tasks.js';
import { Fleet } from './fleet.js';

/** What becomes of the first probe: how the receiver answers it, and what a person does meanwhile. */
interface Ending {
  readonly name: string;
  readonly behaviour: Behaviour;
  readonly meanwhile?: (taskId: string) => Promise<unknown>;
  readonly afterwards?: () => Promise<unknown>;
}

/** What others have shipped: a probe that ended on a road that told nobody left a circuit half open for days. */
describe('the probe of an open circuit (L32)', () => {
  let fleet: Fleet;
  beforeEach(async () => { fleet = await Fleet.start(); });
  afterEach(() => fleet.close());

  const endpoint = (): string => `${fleet.origin}/hook`;
  const name = (): string => endpointCircuitOf(flowNamed(endpoint(), fleet.origin));
  const tell = (path: string, method = 'POST'): Promise<unknown> => call(fleet.service.baseUrl, path, { method });
  const destination = (): string => `/destinations/${encodeURIComponent(endpoint())}`;

  const endings: readonly Ending[] = [
    { name: 'answered with 404', behaviour: { kind: 'answer', status: 404 } },
    { name: 'not answered in time', behaviour: { kind: 'hang' } },
    { name: 'cancelled meanwhile', behaviour: { kind: 'answer', status: 503, delayMs: 400 }, meanwhile: (id) => tell(`/tasks/${id}`, 'DELETE') },
    { name: 'under way while its endpoint is paused, and resumed', behaviour: { kind: 'answer', status: 503, delayMs: 400 }, meanwhile: () => tell(`${destination()}/pause`), afterwards: () => tell(`${destination()}/resume`) },
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
      await eventually(async () => { expect((await fleet.service.queue.flowStore().snapshot([name()])).circuits.has(name())).to.equal(true); });
      await eventually(() => { expect(fleet.receiver.inFlight).to.equal(0); });
      mode = 'probed';
      const id = await eventually(() => probe ?? expect.fail('no probe yet'));
      const before = fleet.receiver.requests.length;
      await meanwhile?.(id);
      await afterwards?.();
      // Its lease would be over 5 s after its longest time.
      await eventually(() => { expect(fleet.receiver.requests.length).to.be.above(before); }, { withinMs: 5_000 });
      for (const task of tasks) if (task.id !== id) await waitForState(fleet.service.baseUrl, task.id, 'delivered', { withinMs: 15_000 });
      await eventually(async () => { expect(await fleet.service.redis.exists(flowKeys(fleet.service.prefix, false).probe(name())), 'no probe is left').to.equal(0); });
    }).timeout(40_000);
  }
});

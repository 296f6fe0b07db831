import { expect } from 'chai';

import { httpTask, submitNew, waitForState } from '../../../support/tasks.js';
import { eventually } from '../../../support/eventually.js';
import { Fleet } from './fleet.js';

/** Nothing listens at this port. It is not that of the default cluster. */
const DEAD_BROKER = { host: '127.0.0.1', port: 11 };

describe('a dead Kafka cluster', () => {
  let fleet: Fleet;
  beforeEach(async () => { fleet = await Fleet.start(); });
  afterEach(() => fleet.close());

  it('is one dead destination, whatever number of topics: healthy tasks do not wait for it', async () => {
    const dead = Array.from({ length: 200 }, (_, nth) => httpTask('', {
      destination_type: 'kafka',
      destination: { ...DEAD_BROKER, topic: `topic-${nth}` },
      dead_destination_type: 'http',
      dead_destination: { url: fleet.healthy.url('/dead') },
      max_retries: 5,
      base_delay: 0.5,
    }));
    await Promise.all(dead.map((task) => submitNew(fleet.service.baseUrl, task)));
    await fleet.hire(1, { concurrency: 20 });
    const host = `kafka://${DEAD_BROKER.host}:${DEAD_BROKER.port}`;
    await eventually(async () => {
      const { circuits } = await fleet.service.queue.fleet.flowStore().snapshot([host]);
      expect(circuits.get(host)?.reason).to.equal('failures');
    }, { withinMs: 20_000 });
    // Behind all of the dead ones.
    const healthy = await fleet.submit(100, {}, fleet.healthy);
    for (const { id } of healthy) await waitForState(fleet.service.baseUrl, id, 'delivered', { withinMs: 5_000 });
    expect(fleet.healthy.requestsTo('/dead'), 'none of them has used up its attempts').to.have.lengthOf(0);
    const burnt = fleet.service.log.split('\n').filter((line) => line.includes('broker_unreachable') && line.includes('task_id')).length;
    expect(burnt, 'attempts').to.be.below(50);
  }).timeout(40_000);

  it('never keeps healthy tasks from their slots before its circuit is open, either', async () => {
    await Promise.all(Array.from({ length: 60 }, (_, nth) => submitNew(fleet.service.baseUrl, httpTask('', {
      destination_type: 'kafka',
      destination: { ...DEAD_BROKER, topic: `topic-${nth}` },
      dead_destination_type: 'http',
      dead_destination: { url: fleet.healthy.url('/dead') },
      max_retries: 5,
      base_delay: 0.2,
    }))));
    const healthy = await fleet.submit(40, {}, fleet.healthy);
    await fleet.hire(1, { concurrency: 20, circuit: { isOn: false } });
    for (const { id } of healthy) await waitForState(fleet.service.baseUrl, id, 'delivered', { withinMs: 5_000 });
  }).timeout(20_000);
});

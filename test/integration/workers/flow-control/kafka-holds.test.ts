import { expect } from 'chai';

import { eventually } from '../../../support/eventually.js';
import { freePort } from '../../../../scripts/servers/free-port.mjs';
import { FakeKafka, frame, metadataBody, produceBody, targetOfProduceRequest, topicOfMetadataRequest, type FakeKafkaOptions, type FakeRequest } from '../../../support/fake-kafka.js';
import { getTask, httpTask, submitNew, waitForState, type WireTask } from '../../../support/tasks.js';
import { Fleet } from './fleet.js';

describe('a Kafka cluster that is well, and takes not everything', () => {
  let fleet: Fleet;
  let broker: FakeKafka | undefined;
  beforeEach(async () => { fleet = await Fleet.start(); });
  afterEach(async () => {
    await fleet.close();
    await broker?.stop();
  });

  async function submit(to: FakeKafka, changes: Partial<WireTask> = {}, key?: string): Promise<string> {
    const task = httpTask('', {
      destination_type: 'kafka',
      dead_destination_type: 'http',
      destination: { host: to.host, port: to.port, topic: 'orders', ...(key === undefined ? {} : { key }) },
      on_exhausted: 'park',
      max_retries: 1,
      base_delay: 0.2,
      max_delay: 60,
      ...changes,
    });
    await submitNew(fleet.service.baseUrl, task);
    return task.id;
  }

  it('is sent nothing while its quota is used up, which costs no task an attempt', async () => {
    const throttleMs = 2_000;
    broker = await FakeKafka.start({ throttleMs: (nth) => (nth < 2 ? throttleMs : 0) });
    await fleet.hire(1);
    const first = await submit(broker);
    await waitForState(fleet.service.baseUrl, first, 'delivered');
    const others: string[] = [];
    for (let nth = 0; nth < 10; nth += 1) others.push(await submit(broker, { max_retries: 0 }));
    await eventually(async () => {
      const waiting = await Promise.all(others.map((id) => getTask(fleet.service.baseUrl, id)));
      for (const { waiting_for } of waiting) expect(waiting_for?.code).to.equal('circuit_open');
    });
    for (const id of others) {
      const { timeline } = await waitForState(fleet.service.baseUrl, id, 'delivered');
      expect(timeline.filter(({ outcome }) => outcome === 'failed')).to.deep.equal([]);
    }
    const [at0 = 0, at1 = 0, at2 = 0] = broker.produced.map(({ at }) => at);
    expect(at1 - at0).to.be.at.least(throttleMs - 10);
    expect(at2 - at1).to.be.at.least(throttleMs - 10);
  }).timeout(40_000);

  const stoppedPartitions: readonly (readonly [why: string, options: () => Promise<FakeKafkaOptions>, code: string])[] = [
    ['has no leader', () => Promise.resolve({ partitions: [{ id: 0 }, { id: 1, error: 5, leader: -1 }] }), 'broker_unavailable'],
    ['has a leader where nothing listens', async () => ({ partitions: [{ id: 0 }, { id: 1, leader: 2 }], others: [{ node: 2, host: '127.0.0.1', port: await freePort() }] }), 'broker_unreachable'],
    [
      'has too few replicas in sync',
      () => Promise.resolve({
        partitions: [{ id: 0 }, { id: 1 }],
        reply: ({ api, body, correlationId }: FakeRequest) => {
          if (api !== 'produce') return undefined;
          const target = targetOfProduceRequest(body);
          return target.partition === 0 ? undefined : frame(correlationId, produceBody({ ...target, error: 19 }));
        },
      }),
      'broker_unavailable',
    ],
  ];
  for (const [why, options, code] of stoppedPartitions) {
    it(`keeps its circuit closed when one partition ${why}: other keys go on, and those of the partition use attempts`, async () => {
      broker = await FakeKafka.start(await options());
      const to = broker;
      await fleet.hire(1);
      const keys = Array.from({ length: 10 }, (_, nth) => `k${nth}`);
      const probes = await Promise.all(keys.map(async (key) => ({ key, id: await submit(to, { max_retries: 0 }, key) })));
      const states = await Promise.all(probes.map(async ({ key, id }) => ({ key, task: await ended(id) })));
      const stopped = states.filter(({ task }) => task.state === 'parked').map(({ key }) => key);
      expect(stopped).to.have.lengthOf(4);
      for (const { task } of states.filter(({ key }) => stopped.includes(key))) expect(task.timeline.map(({ error_code }) => error_code)).to.deep.equal([code]);
      // More than open a circuit, and no success among them.
      const dead = await Promise.all(Array.from({ length: 60 }, () => submit(to, { max_retries: 0 }, stopped[0])));
      for (const id of dead) expect((await ended(id)).state).to.equal('parked');
      const led = keys.find((key) => !stopped.includes(key));
      await waitForState(fleet.service.baseUrl, await submit(to, {}, led), 'delivered', { withinMs: 1_000 });
      const lines = fleet.service.log.split('\n').filter((line) => line.includes('circuit open') && line.includes(String(to.port)));
      expect(lines).to.deep.equal([]);
    }).timeout(40_000);
  }

  it('is asked for a topic that does not exist every few seconds, so that its tasks go out soon after it is created', async () => {
    let isMissing = true;
    broker = await FakeKafka.start({
      reply: ({ api, body, correlationId }, { port }) =>
        (api === 'metadata' && isMissing ? frame(correlationId, metadataBody({ port, topic: topicOfMetadataRequest(body), partitions: [], topicError: 3 })) : undefined),
    });
    const to = broker;
    await fleet.hire(1, { circuit: { baseCoolMs: 60_000, maxCoolMs: 60_000 } });
    const tasks = await Promise.all(Array.from({ length: 60 }, () => submit(to, { max_retries: 8 })));
    await eventually(async () => {
      const codes = await Promise.all(tasks.map(async (id) => (await getTask(fleet.service.baseUrl, id)).waiting_for?.code));
      expect(codes.filter((code) => code === 'circuit_open').length).to.be.above(20);
    });
    isMissing = false;
    await Promise.all(tasks.map((id) => waitForState(fleet.service.baseUrl, id, 'delivered', { withinMs: 20_000 })));
  }).timeout(40_000);

  function ended(id: string) {
    return eventually(async () => {
      const task = await getTask(fleet.service.baseUrl, id);
      expect(task.state).to.be.oneOf(['delivered', 'parked']);
      return task;
    }, { withinMs: 20_000 });
  }
});

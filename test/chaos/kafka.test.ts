import { expect } from 'chai';

import { eventually } from '../support/eventually.js';
import { kafkaTestBroker, KafkaProbe } from '../support/kafka.js';
import { PrivateBroker } from '../support/kafka-broker.js';
import { getTask, waitForState, type WireTask } from '../support/tasks.js';
import type { Ledger } from './ledger.js';
import { scenario } from './scenario.js';

/** Tasks to a cluster that is out of order: more than a worker has slots. */
const AILING = 250;

describe('chaos: Kafka', () => {
  scenario('11a', 'a broker killed, back, frozen and thawed, beside a healthy cluster', async (scene) => {
    const broker = await PrivateBroker.start();
    scene.onClose(() => broker.stop());
    const healthy = healthyCluster();
    scene.onClose(() => healthy.probe.close());
    const [shaky, calm] = [await broker.probe.createTopic(), await healthy.probe.createTopic()];
    const { ledger, receiver } = await scene.stage();
    const to = (host: string, port: number, topic: string): Partial<WireTask> => ({ destination_type: 'kafka', destination: { host, port, topic }, dead_destination_type: 'http', dead_destination: { url: receiver.url('/dead') }, max_retries: 30, base_delay: 0.2, max_delay: 1 });
    const toShaky = to(broker.host, broker.port, shaky);
    const toCalm = to(healthy.host, healthy.port, calm);
    let ailing = 0;
    /** The calm topic's tasks while the other cluster is out of order, and how long they took. */
    const besideMs = async (inAll: number): Promise<number> => {
      await ledger.submitAll(ledger.tasks(ailing, toShaky));
      const startedAt = performance.now();
      await ledger.submitAll(ledger.tasks(200, toCalm));
      await healthy.probe.readAtLeast(calm, inAll);
      const ms = Math.round(performance.now() - startedAt);
      return ms;
    };

    await ledger.submitAll(ledger.tasks(50, toShaky));
    await broker.probe.readAtLeast(shaky, 50);
    ailing = 0;
    const aloneMs = await besideMs(200);
    ailing = AILING;
    await broker.kill();
    const besideKilledMs = await besideMs(400);
    await broker.restart();
    await broker.probe.readAtLeast(shaky, 50 + AILING, 40_000);
    await broker.freeze();
    const besideFrozenMs = await besideMs(600);
    // One timeout of the other cluster takes longer than that.
    for (const ms of [besideKilledMs, besideFrozenMs]) expect(ms, `the healthy cluster is not slowed: ${aloneMs} ms alone`).to.be.below(Math.max(5_000, 3 * aloneMs));
    broker.thaw();
    ledger.faultIsOver();
    await broker.thawed();
    const sent = [...ledger.acked];
    await eventually(async () => {
      const seen = await idsIn(broker.probe, shaky);
      for (const id of await idsIn(healthy.probe, calm)) seen.add(id);
      expect(sent.filter((id) => !seen.has(id)), 'not arrived').to.deep.equal([]);
    }, { withinMs: 30_000 });
    for (const [probe, topic] of [[broker.probe, shaky], [healthy.probe, calm]] as const) await bookAll(ledger, probe, topic);
    const measured = await ledger.settle();
    const all = 50 + 2 * AILING + 600;
    expect(measured).to.include({ acked: all, delivered: all });
    return { ...measured, note: `200 tasks to the healthy cluster took ${aloneMs} ms alone, ${besideKilledMs} ms beside the dead one, ${besideFrozenMs} ms beside the frozen one` };
  });

  scenario('11b', 'a topic that is missing, one deleted while in use, a message too large', async (scene) => {
    const { host, port, probe } = healthyCluster();
    scene.onClose(() => probe.close());
    const [doomed, small] = [await probe.createTopic(), await probe.createTopic({ config: { 'max.message.bytes': '2000' } })];
    const { ledger, service, receiver } = await scene.stage();
    const to = (topic: string, changes: Partial<WireTask> = {}): WireTask =>
      ledger.task({ destination_type: 'kafka', destination: { host, port, topic }, dead_destination_type: 'http', dead_destination: { url: receiver.url('/dead') }, max_retries: 2, base_delay: 0.05, ...changes });
    const before = Array.from({ length: 20 }, () => to(doomed));
    await ledger.submitAll(before);
    for (const { id } of before) await waitForState(service.baseUrl, id, 'delivered');
    await bookAll(ledger, probe, doomed);
    await probe.deleteTopic(doomed);
    const failing = new Map<WireTask, [code: string, sends: number]>([
      [to('chaos-no-such-topic'), ['topic_unknown', 3]],
      [to(doomed), ['topic_unknown', 3]],
      [to(small, { message_data: 'x'.repeat(5_000) }), ['message_too_large', 1]],
    ]);
    const fitting = to(small);
    await ledger.submitAll([...failing.keys(), fitting]);
    for (const [{ id }, [code, sends]] of failing) {
      const { timeline } = await waitForState(service.baseUrl, id, 'dead_lettered', { withinMs: 20_000 });
      expect(timeline.filter(({ phase }) => phase === 'delivery').map(({ error_code }) => error_code), id).to.deep.equal(Array.from({ length: sends }, () => code));
    }
    await waitForState(service.baseUrl, fitting.id, 'delivered');
    await bookAll(ledger, probe, small);
    // Made again under the same name: it is written to again.
    await probe.createNamedTopic(doomed);
    ledger.faultIsOver();
    const again = to(doomed, { max_retries: 20 });
    await ledger.submitAll([again]);
    await waitForState(service.baseUrl, again.id, 'delivered', { withinMs: 20_000 });
    await bookAll(ledger, probe, doomed);
    const measured = await ledger.settle();
    expect((await getTask(service.baseUrl, again.id)).state).to.equal('delivered');
    expect(measured).to.include({ delivered: 22, dead: 3, duplicates: 0 });
    return measured;
  });
});

function healthyCluster(): { host: string; port: number; probe: KafkaProbe } {
  const broker = kafkaTestBroker();
  return { ...broker, probe: new KafkaProbe(broker) };
}

async function idsIn(probe: KafkaProbe, topic: string): Promise<Set<string>> {
  return new Set((await probe.readAll(topic)).map(({ headers }) => headers['x-retry-task-id']?.toString() ?? ''));
}

async function bookAll(ledger: Ledger, probe: KafkaProbe, topic: string): Promise<void> {
  const messages = await eventually(() => probe.readAll(topic), { withinMs: 10_000 });
  for (const { headers } of messages) ledger.book(headers['x-retry-task-id']?.toString() ?? '', 'delivered');
}

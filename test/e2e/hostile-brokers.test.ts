import http2 from 'node:http2';

import { expect } from 'chai';

import { FakeKafka, frame, i16, type FakeKafkaOptions } from '../support/fake-kafka.js';
import { createReceiver, type Receiver } from '../support/receiver.js';
import { Service } from '../support/service.js';
import { httpTask, submitNew, waitForState } from '../support/tasks.js';

const WITHIN_MS = 1_000;

/** Each of them once ended a worker process, or held it up. */
const brokers: Readonly<Record<string, FakeKafkaOptions>> = {
  'a length of -1': { reply: () => Buffer.from([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1]) },
  'telnet': { reply: () => Buffer.from([0xff, 0xfd, 0x18]) },
  'zeros': { reply: () => Buffer.alloc(64) },
  'zeros after a good first answer': { reply: ({ api }) => (api === 'apiVersions' ? undefined : Buffer.alloc(64)) },
  'a length of 1': { reply: () => Buffer.from([0, 0, 0, 1, 7]) },
  'an HTTP answer': { reply: () => Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n') },
  'an SSH greeting': { greet: (socket) => socket.write('SSH-2.0-OpenSSH_9.6\r\n') },
  'small frames for ever': {
    reply: ({ socket }) => {
      const many = Buffer.concat(Array.from({ length: 2_000 }, () => frame(77, i16(0))));
      const go = (): void => {
        if (socket.destroyed) return;
        if (socket.write(many)) setImmediate(go);
        else socket.once('drain', go);
      };
      go();
      return 'silence';
    },
  },
};

describe('e2e: brokers that are none', () => {
  let receiver: Receiver;
  let service: Service;
  const closing: { stop(): Promise<void> }[] = [];

  before(async () => {
    receiver = await createReceiver();
    service = await Service.start({ settings: { DELIVERY_TIMEOUT: '15s' } });
  });
  after(async () => {
    await service.close();
    await Promise.all(closing.map((each) => each.stop()));
    await receiver.close();
  });

  it('fail their tasks, while the worker lives and delivers all others within a second', async () => {
    const ports: [string, number][] = [];
    for (const [name, options] of Object.entries(brokers)) {
      const broker = await FakeKafka.start(options);
      closing.push(broker);
      ports.push([name, broker.port]);
    }
    ports.push(['HTTP/2', await http2Port(closing)]);
    const hostile = await Promise.all(ports.map(async ([name, port]) => {
      const task = httpTask('', { destination_type: 'kafka', dead_destination_type: 'http', destination: { host: '127.0.0.1', port, topic: 't' }, on_exhausted: 'park', max_retries: 5, base_delay: 0.1, max_delay: 0.1 });
      await submitNew(service.baseUrl, task);
      return { name, id: task.id };
    }));
    for (let nth = 0; nth < 20; nth += 1) {
      const task = httpTask(receiver.url('/innocent'));
      await submitNew(service.baseUrl, task);
      await waitForState(service.baseUrl, task.id, 'delivered', { withinMs: WITHIN_MS });
    }
    for (const { name, id } of hostile) {
      const { timeline } = await waitForState(service.baseUrl, id, 'parked');
      expect(timeline.map(({ error_code }) => error_code), name).to.deep.equal(Array.from({ length: 6 }, () => 'broker_unreachable'));
      for (const { error } of timeline) expect(error, name).to.include('the other side is no Kafka broker');
    }
    expect(service.output).to.not.include('uncaught');
  });
});

async function http2Port(closing: { stop(): Promise<void> }[]): Promise<number> {
  const server = http2.createServer();
  server.on('sessionError', () => undefined);
  const sessions = new Set<http2.ServerHttp2Session>();
  server.on('session', (session) => sessions.add(session));
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  closing.push({
    stop: async () => {
      for (const session of sessions) session.destroy();
      await new Promise((resolve) => { server.close(resolve); });
    },
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a TCP server has no port');
  return address.port;
}

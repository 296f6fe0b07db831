import type { KafkaDestination } from '../../shared/domain/destinations/kafka.js';
import { freePort } from '../../scripts/servers/free-port.mjs';
import { KafkaProbe, kafkaTestBroker } from '../support/kafka.js';
import { startRawHost } from '../support/kafka-raw-host.js';
import type { RawHost } from '../support/kafka-raw-host.js';
import { UNKNOWN_HOST } from '../support/unknown-host.js';
import { type AdapterHarness, countActiveSockets, describeAdapterContract, type Fault } from './adapter-suite.js';
import { adapterFor, kafka } from './kafka/sending.js';

/** What a broker takes by default, also where the one under test takes more. */
const maxMessageBytes = '1048588';

function createKafkaHarness(): AdapterHarness<KafkaDestination> {
  let probe: KafkaProbe;
  let silent: RawHost;
  let web: RawHost;

  const newTopic = () => probe.createTopic({ config: { 'max.message.bytes': maxMessageBytes } });
  const elsewhere = async (broker: { host: string; port: number }) => kafka({ topic: await newTopic(), broker });
  const fault = (
    name: string,
    codes: Fault<KafkaDestination>['codes'],
    destination: () => Promise<KafkaDestination>,
  ): Fault<KafkaDestination> => ({ name, codes, destination });

  return {
    createAdapter: () => adapterFor(kafkaTestBroker()),
    async start() {
      probe = new KafkaProbe(kafkaTestBroker());
      silent = await startRawHost();
      web = await startRawHost('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
    },
    async stop() {
      await Promise.all([probe.close(), silent.stop(), web.stop()]);
    },
    destination: async () => kafka({ topic: await newTopic() }),
    async arrivals({ topic }, count) {
      const stored = await probe.readAtLeast(topic, count);
      return stored.map(({ key, value, headers }) => ({
        key: String(key),
        headers: Object.fromEntries(Object.entries(headers).map(([name, text]) => [name.toLowerCase(), String(text)])),
        bodyBytes: value ?? Buffer.alloc(0),
      }));
    },
    refusal: fault('the topic does not exist', ['topic_unknown'], () => Promise.resolve(kafka({ topic: 'no-such-topic' }))),
    nothingListening: fault('nothing listens there', ['broker_unreachable'], async () =>
      elsewhere({ host: '127.0.0.1', port: await freePort() })),
    silence: fault('the other side takes the connection and says nothing', ['timed_out'], () => elsewhere(silent)),
    otherFaults: [
      fault('the topic name is not legal', ['topic_invalid'], () => Promise.resolve(kafka({ topic: 'not/legal' }))),
      fault('the host name does not exist', ['broker_unreachable'], () =>
        elsewhere({ host: UNKNOWN_HOST, port: 9092 })),
      fault('the other side speaks HTTP', ['broker_unreachable'], () => elsewhere(web)),
    ],
    largestBodyBytes: 1_000_000,
    tooLarge: { bodyBytes: 1_060_000, codes: ['message_too_large'] },
    openConnections: countActiveSockets,
  };
}

describeAdapterContract('kafka', createKafkaHarness());

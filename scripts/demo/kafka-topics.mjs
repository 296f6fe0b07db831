import { once } from 'node:events';
import net from 'node:net';

/** A broker at hand answers at once; a demo does not wait for others. */
const ANSWERS_WITHIN_MS = 1_000;
const LONGEST_CALL_MS = 10_000;

/**
 * Looks for a broker, and makes the topics of the demo there. They are removed at the end.
 *
 * @param {string} brokers `host:port,host:port`
 * @returns {Promise<{broker: string, topics: string[], close: () => Promise<void>} | undefined>} undefined where no broker takes part
 */
export async function findKafka(brokers) {
  const [first = ''] = brokers.split(',');
  const { hostname, port } = new URL(`kafka://${first.trim()}`);
  const broker = `${hostname}:${port || '9092'}`;
  if (!(await isListening(hostname, Number(port || '9092')))) return undefined;
  // Loaded late: without a broker it is not needed.
  const { default: kafkajs } = await import('kafkajs');
  const kafka = new kafkajs.Kafka({ brokers: [broker], clientId: 'kafka-retry-demo', logLevel: kafkajs.logLevel.NOTHING, connectionTimeout: ANSWERS_WITHIN_MS, requestTimeout: LONGEST_CALL_MS, retry: { retries: 2 } });
  const topics = ['orders', 'shipments'].map((name) => `demo-${name}-${Date.now().toString(36)}`);
  /** @param {(admin: import('kafkajs').Admin) => Promise<unknown>} act */
  const withAdmin = async (act) => {
    const admin = kafka.admin();
    await admin.connect();
    await act(admin).finally(() => admin.disconnect());
  };
  try {
    await withAdmin((admin) => admin.createTopics({ waitForLeaders: true, timeout: LONGEST_CALL_MS, topics: topics.map((topic) => ({ topic, numPartitions: 1, replicationFactor: 1 })) }));
  } catch (error) {
    console.error(`The demo runs without Kafka: ${broker} takes no topics (${error instanceof Error ? error.message : error}).`);
    return undefined;
  }
  return {
    broker,
    topics,
    close: () => withAdmin((admin) => admin.deleteTopics({ topics, timeout: LONGEST_CALL_MS })).catch((error) => console.error(`These topics stay at ${broker}: ${topics.join(', ')} (${error instanceof Error ? error.message : error}).`)),
  };
}

/** @param {string} host @param {number} port */
async function isListening(host, port) {
  const socket = net.connect({ host, port });
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(ANSWERS_WITHIN_MS) });
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

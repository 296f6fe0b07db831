import { composeImage } from '../install/compose-image.mjs';
import { docker } from './docker-engine.mjs';
import { freePort } from './free-port.mjs';

/**
 * The test broker where there is no Java but docker runs.
 * @returns {Promise<{container: string, port: number} | null>} null when docker could not run it (it said why)
 */
export async function startKafkaContainer() {
  const port = await freePort();
  const container = `kafka-retry-test-kafka-${process.pid}`;
  const settings = {
    KAFKA_NODE_ID: '1',
    KAFKA_PROCESS_ROLES: 'broker,controller',
    KAFKA_CONTROLLER_QUORUM_VOTERS: '1@localhost:9093',
    KAFKA_CONTROLLER_LISTENER_NAMES: 'CONTROLLER',
    // The same port inside and outside: the broker tells clients where it is.
    KAFKA_LISTENERS: `PLAINTEXT://:${port},CONTROLLER://:9093`,
    KAFKA_ADVERTISED_LISTENERS: `PLAINTEXT://127.0.0.1:${port}`,
    KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false',
    KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: '1',
    KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: '1',
    KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: '1',
    KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: '0',
  };
  const started = await docker(
    ...['run', '--detach', '--rm', '--name', container, '--publish', `127.0.0.1:${port}:${port}`],
    ...Object.entries(settings).flatMap(([name, value]) => ['--env', `${name}=${value}`]),
    composeImage('apache/kafka').image,
  );
  return started === null ? null : { container, port };
}

import type { KafkaDestination } from '../domain/destinations/kafka.js';
import type { TlsClient } from '../tls/tls-client.js';
import { brokerName } from '../domain/destinations/broker-name.js';

/** Host without brackets (an IPv6 literal is `::1`), port 1..65535. */
export interface BrokerAddress {
  readonly host: string;
  readonly port: number;
}

/** KAFKA_SASL_MECHANISM, KAFKA_USERNAME and KAFKA_PASSWORD, or those stored for a destination. */
export interface KafkaCredentials {
  readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
  readonly username: string;
  readonly password: string;
}

/** A broker may quote what it was sent: these must be in no text of ours. Empty without a login. */
export function secretTextsOfLogin(credentials: KafkaCredentials | undefined): readonly string[] {
  if (credentials === undefined) return [];
  const { username, password } = credentials;
  return [password, unpadded(password), unpadded(`\0${username}\0${password}`)];
}

function unpadded(text: string): string {
  return Buffer.from(text).toString('base64').replace(/=+$/, '');
}

/** What is needed to reach one cluster, and nothing that belongs to another. */
export interface KafkaCluster {
  /** The same for every spelling of the same cluster: `default`, or `host:port` in lower case. */
  readonly name: string;
  /** Brokers that are asked for the rest, first come first; never empty. */
  readonly bootstrap: readonly BrokerAddress[];
  /** It stands in KAFKA_BROKERS: the address policy is about what clients name. */
  readonly isOfOperator: boolean;
  /** As whom it is reached: another one for other credentials, '' for those of KAFKA_* or none. Connections are shared by it alone. */
  readonly identity: string;
  /** Those of KAFKA_* are only ever set for the default cluster. */
  readonly credentials: KafkaCredentials | undefined;
  /** undefined: without TLS. */
  readonly tls: TlsClient | undefined;
}

export interface ClusterSettings {
  /** KAFKA_BROKERS, as `host:port` or `[v6]:port`; at least one. */
  readonly defaultBrokers: readonly string[];
  readonly credentials?: KafkaCredentials | undefined;
  readonly tls: TlsClient | undefined;
}

/**
 * Which cluster a destination means, with the credentials that may go there: those of KAFKA_* go to the default
 * cluster and nowhere else. A destination without a broker means the default cluster, and so does one whose
 * host:port stands in KAFKA_BROKERS (`Kafka-1:9092` and `kafka-1:9092` are the same). Names are not resolved:
 * with KAFKA_BROKERS=localhost:9092 a destination on 127.0.0.1:9092 is another cluster, and gets no credentials.
 *
 * @throws Error when defaultBrokers is empty or an entry is not `host:port`: a configuration that the schema lets
 *         through, so a bug of ours
 */
export function createClusterFinder({ defaultBrokers, credentials, tls }: ClusterSettings) {
  const bootstrap = defaultBrokers.map(parseBrokerAddress);
  if (bootstrap.length === 0) throw new Error('KAFKA_BROKERS is empty');
  const defaultCluster: KafkaCluster = { name: 'default', bootstrap, isOfOperator: true, identity: '', credentials, tls };
  const defaultNames = new Set(bootstrap.map(brokerName));

  return function clusterOf(broker: KafkaDestination['broker']): KafkaCluster {
    if (broker === undefined) return defaultCluster;
    const address = { host: withoutBrackets(broker.host), port: broker.port };
    const name = brokerName(address);
    if (defaultNames.has(name)) return defaultCluster;
    return { name, bootstrap: [address], isOfOperator: false, identity: '', credentials: undefined, tls: undefined };
  };
}

function parseBrokerAddress(text: string): BrokerAddress {
  const match = /^(.+):(\d{1,5})$/.exec(text.trim());
  if (match?.[1] === undefined) throw new Error(`KAFKA_BROKERS: ${JSON.stringify(text)} is not host:port`);
  return { host: withoutBrackets(match[1]), port: Number(match[2]) };
}

function withoutBrackets(host: string): string {
  return host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
}

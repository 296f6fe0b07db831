import { flowNamed } from './flow.js';
import { hasNoControls, HIDDEN_VALUE, isShownOpenly, isWellFormed, type TextCheck } from '../field-check.js';
import { addressMeant } from './address-meant.js';
import { brokerName, spellBroker } from './broker-name.js';
import type { DestinationRow, UncheckedFields } from './destination-row.js';
import { nameWithoutSecrets } from './name-without-secrets.js';
import { placeholderIn } from './placeholder.js';

export interface KafkaDestination {
  readonly type: 'kafka';
  /** Bootstrap broker. undefined = the cluster in KAFKA_BROKERS, the only one that ever gets credentials. */
  readonly broker: { readonly host: string; readonly port: number } | undefined;
  readonly topic: string;
  /** Message key; undefined = `<task id>|<attempt>`. */
  readonly key: string | undefined;
  readonly headers: Readonly<Record<string, string>> | undefined;
}

export interface KafkaWire {
  readonly host?: string;
  readonly port?: string | number;
  readonly topic: string;
  readonly key?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface KafkaReceipt {
  readonly partition: number;
  /** A whole number in digits; null when the broker does not tell it. */
  readonly offset: string | null;
}

const MAX_HOST_CHARACTERS = 255;
const MAX_HEADERS = 1_000;
/** The client's part of the 64 KiB that a Kafka record may have beside the message (docs/KAFKA.md). */
const MAX_KEY_AND_HEADERS_BYTES = 32_768;
export const KAFKA_SCHEME = 'kafka://';
/** The name of the cluster in KAFKA_BROKERS. */
export const DEFAULT_CLUSTER = `${KAFKA_SCHEME}default`;
const CLUSTER = /^kafka:\/\/[^/]+/i;

export const kafkaType: DestinationRow<KafkaDestination, KafkaWire, KafkaReceipt> = {
  type: 'kafka',
  fields: {
    host: {
      check: { kind: 'text', checks: [isHost], maxCharacters: MAX_HOST_CHARACTERS, allowed: 'host name or IP address' },
      isRequired: false,
      doc: 'a broker to begin with; without it the cluster in `KAFKA_BROKERS`',
    },
    port: { check: { kind: 'port' }, isRequired: false, doc: 'the port of `host`; one goes with the other' },
    topic: {
      check: { kind: 'text', checks: [complaintAboutTopic], allowed: '1 to 249 of the characters a-z, A-Z, 0-9, . _ -' },
      isRequired: true,
      doc: 'a topic that exists: none is ever created',
    },
    key: {
      check: { kind: 'text', checks: [isWellFormed, hasNoControls], allowed: 'text without control characters' },
      isRequired: false,
      doc: 'key of the message; without it `<id>|<attempt>`',
    },
    headers: {
      check: {
        kind: 'texts_by_name',
        name: [isWellFormed, hasNoControls],
        value: [isWellFormed, isShownOpenly],
        maxNames: MAX_HEADERS,
        allowed: `at most ${MAX_HEADERS} texts by name, with \`key\` at most ${MAX_KEY_AND_HEADERS_BYTES} bytes; none is \`${HIDDEN_VALUE}\``,
      },
      isRequired: false,
      doc: 'headers of the message; those named `x-retry-...` are not sent',
    },
  },
  together: ['host', 'port'],
  checkAll({ key, headers }) {
    if (key === undefined && headers === undefined) return undefined;
    const texts = [key ?? '', ...Object.entries(headers ?? {}).flat()];
    const bytes = texts.reduce((sum, part) => sum + Buffer.byteLength(part), 0);
    return bytes <= MAX_KEY_AND_HEADERS_BYTES ? undefined : `must not have more than ${MAX_KEY_AND_HEADERS_BYTES} bytes of key and headers`;
  },
  parse({ host, port, topic, key, headers }) {
    const broker = host === undefined || port === undefined ? undefined : { host, port: Number(port) };
    return { type: 'kafka', broker, topic, key, headers };
  },
  unparse: ({ broker, topic, key, headers }) => ({ ...broker, topic, ...(key === undefined ? {} : { key }), ...(headers === undefined ? {} : { headers }) }),
  hideSecrets: ({ headers, ...rest }) => (headers === undefined ? rest : { ...rest, headers: withHiddenValues(headers) }),
  keepSecrets({ headers, ...rest }, old) {
    if (!isOptionalTexts(headers) || headers === undefined || !isSameCluster(rest, old)) return headers === undefined ? rest : { ...rest, headers };
    const { headers: known = {} } = old;
    return { ...rest, headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value === HIDDEN_VALUE && Object.hasOwn(known, name) ? known[name] : value])) };
  },
  /** Headers carry tokens. Which of them do is not known here, so none of their values is shown. */
  toWire: ({ broker, topic, key, headers }) => ({ ...broker, topic, key, headers: headers === undefined ? undefined : withHiddenValues(headers) }),
  receipt: { partition: 'partition', offset: 'offset' },
  /** `kafka orders@broker-1:9092`, `kafka orders@default`: without key and headers. */
  print: ({ broker, topic }) => `kafka ${topic}@${broker === undefined ? 'default' : `${broker.host}:${broker.port}`}`,
  canonical({ broker, topic, key, headers }) {
    const sortedHeaders = headers === undefined ? null : Object.entries(headers).sort(([a], [b]) => (a < b ? -1 : 1));
    return ['kafka', broker === undefined ? null : [broker.host, broker.port], topic, key ?? null, sortedHeaders];
  },
  flow({ broker, topic }, defaultBrokers) {
    const host = broker === undefined ? DEFAULT_CLUSTER : clusterOf(brokerName(broker), defaultBrokers);
    return flowNamed(`${host}/${topic}`, host);
  },
  /** What names a cluster and a topic is no secret, and brokers do not quote keys and headers. */
  secretTexts: () => [],
  dials: ({ broker }, defaultBrokers) => (broker === undefined || defaultBrokers.has(brokerName(broker)) ? undefined : { field: 'host', ...broker }),
  endpointPath: ({ topic }) => `/${topic}`,
  canonicalName(name, defaultBrokers) {
    if (!/^kafka:/i.test(name)) return undefined;
    const plain = nameWithoutSecrets(name);
    const cluster = CLUSTER.exec(plain)?.[0];
    if (cluster === undefined) return undefined;
    // The port of a task is a number, and a topic has a name: a zero in front and a slash behind mean nothing.
    const broker = spellBroker(cluster.slice(KAFKA_SCHEME.length).replace(/:0+(?=\d+$)/, ':'));
    const rest = plain.slice(cluster.length);
    return clusterOf(broker, defaultBrokers) + (rest === '/' ? '' : rest);
  },
  hostOfName: (name) => CLUSTER.exec(name)?.[0],
  mark: 't',
  encode: ({ broker, topic, key, headers }) => ({
    t: topic,
    ...(broker === undefined ? {} : { h: [broker.host, broker.port] }),
    ...(key === undefined ? {} : { k: key }),
    ...(headers === undefined ? {} : { e: headers }),
  }),
  decode({ t: topic, h: broker, k: key, e: headers }) {
    if (typeof topic !== 'string' || !isBroker(broker) || !isOptionalText(key) || !isOptionalTexts(headers)) return undefined;
    return { type: 'kafka', broker: broker === undefined ? undefined : { host: broker[0], port: broker[1] }, topic, key, headers };
  },
};

/** @param broker its `brokerName`: the Kafka adapter uses the same names to tell clusters apart */
function clusterOf(broker: string, defaultBrokers: ReadonlySet<string>): string {
  return defaultBrokers.has(broker) ? DEFAULT_CLUSTER : `${KAFKA_SCHEME}${broker}`;
}

/** @returns what is wrong with the name of a topic, without the name of its field */
export function complaintAboutTopic(value: string): ReturnType<TextCheck> {
  return /^[A-Za-z0-9._-]{1,249}$/.test(value) && value !== '.' && value !== '..'
    ? undefined
    : 'must be a legal Kafka topic name: 1 to 249 of the characters a-z, A-Z, 0-9, . _ -';
}

function withHiddenValues(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.keys(headers).map((name) => [name, HIDDEN_VALUE]));
}

/** A broker that is named never counts as the cluster in KAFKA_BROKERS, even if it is one of it: secrets are rather not kept. */
function isSameCluster({ host, port }: UncheckedFields, old: KafkaWire): boolean {
  if (host === undefined || old.host === undefined) return host === old.host;
  return typeof host === 'string' && brokerName({ host, port: Number(port) }) === brokerName({ host: old.host, port: Number(old.port) });
}

function isHost(value: string): ReturnType<TextCheck> {
  return isHostName(value) || isIpv6(value) ? undefined : `must be a host name or an IP address${hintForHost(value)}`;
}

function isHostName(value: string): boolean {
  return /^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/.test(value);
}

/** `localhost:9092` -> `: did you mean host "localhost" and port 9092?` */
function hintForHost(value: string): string {
  const placeholder = placeholderIn(value);
  if (placeholder !== undefined) return `: a ${placeholder} was not filled in`;
  const meant = addressMeant(value);
  if (meant === undefined) return '';
  const host = meant.host.replace(/^\[(.*)\]$/, '$1');
  if (!isHostName(host) && !isIpv6(host)) return '';
  const others = value.includes(',') ? ' One broker is enough: it names the others.' : '';
  return `: did you mean host ${JSON.stringify(host)}${meant.port === undefined ? '' : ` and port ${meant.port}`}?${others}`;
}

/** Does what isIPv6 of node:net does, which this room cannot import. An address may have a zone (`fe80::1%eth0`). */
function isIpv6(value: string): boolean {
  const [, address] = /^([0-9a-f.:]*:[0-9a-f.:]*)(?:%[0-9a-z.:-]+)?$/i.exec(value) ?? [];
  return address !== undefined && URL.canParse(`http://[${address}]/`);
}

function isBroker(value: unknown): value is readonly [string, number] | undefined {
  return value === undefined || (Array.isArray(value) && typeof value[0] === 'string' && typeof value[1] === 'number');
}

function isOptionalText(value: unknown): value is string | undefined {
  return value === undefined || typeof value === 'string';
}

function isOptionalTexts(value: unknown): value is Readonly<Record<string, string>> | undefined {
  return value === undefined || (typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every((text) => typeof text === 'string'));
}

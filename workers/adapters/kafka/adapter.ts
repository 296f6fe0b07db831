import type { AddressGuard } from '../../../shared/addresses/address-guard.js';
import type { KafkaDestination } from '../../../shared/domain/destinations/kafka.js';
import { withoutTexts } from '../../../shared/domain/destinations/without-secrets.js';
import { ShuttingDown, TimeLimitReached } from '../../../shared/domain/ports.js';
import type { Clock, DeliveryAdapter, DeliveryAttempt, DeliveryResult, EndSignal } from '../../../shared/domain/ports.js';
import { classifyKafkaError } from '../../../shared/kafka/classify-error.js';
import { ClusterEntrance } from '../../../shared/kafka/cluster-entrance.js';
import { createClusterFinder, secretTextsOfLogin } from '../../../shared/kafka/cluster-identity.js';
import type { ClusterSettings } from '../../../shared/kafka/cluster-identity.js';
import type { KafkaLog } from '../../../shared/kafka/kafkajs-log.js';
import { patchKafkajs } from '../../../shared/kafka/kafkajs-patches.js';
import { toTopicMessage } from '../../../shared/kafka/topic-message.js';
import type { Logger } from '../../../shared/logging/logger.js';
import { TlsClient } from '../../../shared/tls/tls-client.js';
import type { TlsFiles } from '../../../shared/tls/tls-files.js';
import { credentialsUnreadable, type CredentialFinder } from '../../credentials/credential-watch.js';
import { AccessLog } from './access-log.js';
import { createAccessFinder } from './credentials-of-topic.js';
import { TopicSenders } from './topic-senders.js';

export interface KafkaAdapterOptions extends Omit<ClusterSettings, 'tls'> {
  /** Our side of TLS with KAFKA_BROKERS; false: without TLS. */
  readonly tls: TlsFiles | false;
  readonly clock: Clock;
  /**
   * Longest wait for a broker, in whole milliseconds: for the brokers of one cluster to let us in, and again for one to
   * acknowledge a batch. Default 10,000: both fit into an attempt's 30 s. Shorter means that a slow cluster gets
   * messages twice, since what is not acknowledged in time is sent again by the next attempt.
   */
  readonly sendTimeoutMs?: number;
  /** TCP, TLS, version exchange and SASL with one broker, in whole milliseconds. Default 3,000, never above sendTimeoutMs. */
  readonly connectTimeoutMs?: number;
  /** Topics, of all clusters together, that are kept connected. Default 256. */
  readonly maxOpenTopics?: number;
  /** A topic without a send for this long is disconnected, in whole milliseconds. Default 5 min. */
  readonly idleTopicMs?: number;
  /** Keys, values and headers of one batch together. Default 512 KiB: half of what a broker takes by default. */
  readonly maxBatchBytes?: number;
  /** Default 100. */
  readonly maxBatchMessages?: number;
  readonly log?: KafkaLog;
  /** Told what an operator has to act on. Default: nobody is. */
  readonly logger?: Pick<Logger, 'error' | 'info' | 'warn'>;
  /** What operators have stored for destinations. The default has nothing. */
  readonly stored?: CredentialFinder;
  /** It judges every address before a connection to it is made. The default refuses only what is never sent to. */
  readonly guard?: AddressGuard;
}

/** How long close() waits for batches on their way before it answers them itself, in milliseconds. */
const closeGraceMs = 2_000;

export interface KafkaAdapter extends DeliveryAdapter<KafkaDestination> {
  /**
   * Logs in to KAFKA_BROKERS once, and says in the log what is wrong. Resolves in any case: a cluster that is away comes back, and
   * other destinations need none.
   */
  checkAccess(): Promise<void>;
}

/**
 * Sends to Kafka topics. Delivered means acknowledged by all in-sync replicas; the receipt is the exact partition and
 * offset. Topics are never created.
 *
 * The road of a message: cluster-identity (where, with which credentials), topic-senders (which of them are
 * connected), topic-sender (which batch), topic-connection (kafkajs), classify-error (what went wrong).
 */
export function createKafkaAdapter(options: KafkaAdapterOptions): KafkaAdapter {
  // A patch that is off is logged at start: see registry.ts.
  patchKafkajs();
  const { sendTimeoutMs = 10_000, connectTimeoutMs = 3_000, log, clock } = options;
  const onUnusable = (why: string): void => options.logger?.error('new TLS files for kafka cannot be used, so the old ones count', { error: why });
  const clusterOf = createClusterFinder({ ...options, tls: options.tls === false ? undefined : new TlsClient(options.tls, onUnusable) });
  const accessOf = createAccessFinder(options.stored, options.tls === false ? undefined : options.tls.ca);
  const accessLog = options.logger === undefined ? undefined : new AccessLog(options.logger);
  const settings = {
    sendTimeoutMs,
    connectTimeoutMs: Math.min(connectTimeoutMs, sendTimeoutMs),
    maxOpenTopics: options.maxOpenTopics ?? 256,
    idleTopicMs: options.idleTopicMs ?? 5 * 60_000,
    maxBatchBytes: options.maxBatchBytes ?? 512 * 1024,
    maxBatchMessages: options.maxBatchMessages ?? 100,
    clock,
    log,
    guard: options.guard,
  };
  const senders = new TopicSenders(settings);
  const checking = new AbortController();
  let closing: Promise<void> | undefined;

  function send(attempt: DeliveryAttempt, destination: KafkaDestination, signal: EndSignal): Promise<DeliveryResult> {
    if (signal.aborted) return Promise.resolve(abortedResult(signal.reason, false));
    if (closing !== undefined) return Promise.resolve(abortedResult(new ShuttingDown(), false));
    const access = accessOf(clusterOf(destination.broker), destination.topic);
    if (access === undefined) return Promise.resolve(credentialsUnreadable);
    const { cluster, record } = access;
    return new Promise((resolve) => {
      const sender = senders.senderFor(cluster, destination.topic);
      const pending = sender.add(toTopicMessage(attempt, destination), (result) => {
        signal.removeEventListener('abort', onAbort);
        const recorded = record(result);
        accessLog?.note({ cluster: cluster.name, identity: cluster.identity, topic: destination.topic }, recorded);
        resolve(recorded);
      });
      // The batch may still arrive: at least once, never less.
      function onAbort(): void {
        pending.answer(abortedResult(signal.reason, pending.isUnderWay));
      }
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  async function checkAccess(): Promise<void> {
    const cluster = clusterOf(undefined);
    try {
      // A topic is asked about only when something is sent to it.
      const connection = await new ClusterEntrance(cluster, settings).connect('', checking.signal);
      await connection.close();
    } catch (error) {
      if (checking.signal.aborted) return;
      const { code, detail: said } = classifyKafkaError(error);
      const detail = withoutTexts(said, secretTextsOfLogin(cluster.credentials));
      if (accessLog?.refused({ cluster: cluster.name, identity: cluster.identity, topic: '' }, { code, detail }) !== true) options.logger?.warn('kafka does not answer', { cluster: cluster.name, code, error: detail });
    }
  }

  return {
    type: 'kafka',
    send,
    checkAccess,
    close() {
      checking.abort();
      closing ??= senders.close(closeGraceMs);
      return closing;
    },
  };
}

/** @param mayHaveArrived the message was on its way */
function abortedResult(reason: unknown, mayHaveArrived: boolean): DeliveryResult {
  if (reason instanceof TimeLimitReached) {
    const detail = mayHaveArrived ? reason.message : `not sent within ${reason.limitMs} ms: it waited for the broker`;
    return { kind: 'failed', code: 'timed_out', detail };
  }
  if (reason instanceof ShuttingDown) return { kind: 'failed', code: 'shutting_down', detail: reason.message };
  return { kind: 'failed', code: 'internal', detail: `the send was aborted for no known reason: ${String(reason)}`.slice(0, 500) };
}

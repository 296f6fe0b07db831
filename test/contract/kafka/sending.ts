import { expect } from 'chai';

import type { KafkaDestination } from '../../../shared/domain/destinations/kafka.js';
import type { DeliveryErrorCode } from '../../../shared/domain/errors.js';
import type { DeliveryAdapter, DeliveryAttempt, DeliveryResult } from '../../../shared/domain/ports.js';
import { TimeLimitReached } from '../../../shared/domain/ports.js';
import { createKafkaAdapter } from '../../../workers/adapters/kafka/adapter.js';
import type { KafkaAdapter, KafkaAdapterOptions } from '../../../workers/adapters/kafka/adapter.js';

/** Time limit of one attempt, as in production. */
const attemptLimitMs = 30_000;

export interface Broker {
  readonly host: string;
  readonly port: number;
}

export interface Destination {
  readonly topic: string;
  readonly broker?: Broker | undefined;
  readonly key?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export function kafka({ topic, broker, key, headers }: Destination): KafkaDestination {
  return { type: 'kafka', broker, topic, key, headers };
}

export function attempt(id: string, body = `body of ${id}`): DeliveryAttempt {
  return { taskId: id, run: 1, edit: 0, phase: 'delivery', key: `${id}|0`, body, headers: { 'x-retry-task-id': id } };
}

export function adapterFor(broker: Broker, options: Partial<KafkaAdapterOptions> = {}): KafkaAdapter {
  return createKafkaAdapter({ defaultBrokers: [`${broker.host}:${broker.port}`], tls: false, clock: Date.now, ...options });
}

/** Closes what a test has made, also when it fails. Call in `afterEach`. */
export class Closing {
  #closers: (() => unknown)[] = [];

  add<T extends { close(): unknown } | { stop(): unknown }>(thing: T): T {
    this.#closers.push(() => ('close' in thing ? thing.close() : thing.stop()));
    return thing;
  }

  async closeAll(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) await close();
  }
}

export async function send(
  adapter: DeliveryAdapter<KafkaDestination>,
  what: DeliveryAttempt,
  destination: KafkaDestination,
): Promise<DeliveryResult> {
  const limit = new AbortController();
  const timer = setTimeout(() => { limit.abort(new TimeLimitReached(attemptLimitMs)); }, attemptLimitMs);
  try {
    return await adapter.send(what, destination, limit.signal);
  } finally {
    clearTimeout(timer);
  }
}

export interface KafkaReceipt {
  readonly partition: number;
  readonly offset: string | null;
}

/** Fails unless it was delivered. */
export function expectDelivered(result: DeliveryResult): KafkaReceipt {
  if (result.kind === 'failed') throw new Error(`expected delivered, got ${result.code}: ${result.detail}`);
  if (!('offset' in result.receipt)) throw new Error(`not a receipt of Kafka: ${JSON.stringify(result.receipt)}`);
  return result.receipt;
}

export function expectFailed(result: DeliveryResult, code: DeliveryErrorCode): void {
  if (result.kind === 'delivered') throw new Error(`expected ${code}, got delivered ${JSON.stringify(result.receipt)}`);
  expect(result.code, result.detail).to.equal(code);
}

export async function timed<T>(work: Promise<T>): Promise<{ value: T; tookMs: number }> {
  const startedAt = performance.now();
  const value = await work;
  return { value, tookMs: performance.now() - startedAt };
}

import { setTimeout as wait } from 'node:timers/promises';

import { withoutSecretsIn } from '../../shared/domain/destinations/without-secrets.js';
import { flowOf, type DefaultBrokers } from '../../shared/domain/flow/flow-key.js';
import type { PathMask } from '../../shared/domain/destinations/path-mask.js';
import { ShuttingDown, TimeLimitReached, type Clock, type DeliveryAttempt, type DeliveryResult } from '../../shared/domain/ports.js';
import { SealedTextError, type SecretBox } from '../../shared/domain/secrets/secret-box.js';
import { readProgress } from '../../shared/domain/task/attempt-record.js';
import { attemptToSend } from '../../shared/domain/task/outgoing-message.js';
import { openTask } from '../../shared/domain/task/task-secrets.js';
import type { Task } from '../../shared/domain/task/task.js';
import type { Logger } from '../../shared/logging/logger.js';
import { printError } from '../../shared/logging/print-error.js';
import { decodeTask, UnreadableTaskError } from '../../shared/queue/tasks/task-codec.js';
import type { TestSendAnswer, TestSendRequest, TestSendStore } from '../../shared/queue/test-sends/test-send-store.js';
import { adapterFor, type AdapterRegistry } from '../adapters/registry.js';
import { SendsInFlight } from '../delivery/sends-in-flight.js';

export interface TestSendRunnerOptions {
  readonly store: () => TestSendStore;
  readonly adapters: AdapterRegistry;
  readonly secrets: SecretBox;
  readonly mask: PathMask;
  readonly defaultBrokers: DefaultBrokers;
  readonly workerName: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

const STOP_WITHIN_MS = 1_000;
/** At once, beside the slots of this worker: people make them by hand. */
const MOST_AT_ONCE = 4;
const FIRST_RUN = 1;

/**
 * Makes the test sends that operators ask for. Each leaves through the same adapters as a task, so the address policy, credentials and
 * signatures hold. It goes past slots, limits, pauses and circuits, and nothing is counted of it.
 *
 * It asks Redis for nothing by itself: flow control, which looks at Redis five times a second anyway, learns on the way that
 * somebody waits (docs/decisions/0025-test-sends-by-a-worker.md).
 */
export class TestSendRunner {
  readonly #sends = new SendsInFlight();
  readonly #running = new Set<Promise<void>>();
  #mayTake = false;
  #taking: Promise<void> | undefined;

  constructor(private readonly options: TestSendRunnerOptions) {}

  start(): void {
    this.#mayTake = true;
  }

  /** Takes what waits, as far as there is room. Never rejects; what is left is told of again. */
  async take(): Promise<void> {
    this.#taking ??= this.#takeAll().finally(() => (this.#taking = undefined));
    await this.#taking;
  }

  /** Ends the sends that are under way; who asked for them is told so. */
  async stop(): Promise<void> {
    this.#mayTake = false;
    // Redis that is away must not hold up the stop. A request that it hands over later is not sent, and of one whose answer it does not take
    // the caller is told that nobody has answered.
    await withinStop(this.#taking);
    this.#sends.abortAll(new ShuttingDown());
    await withinStop(Promise.all(this.#running));
  }

  async #takeAll(): Promise<void> {
    try {
      while (this.#hasRoom()) {
        const taken = await this.options.store().take();
        if (taken === undefined || !this.#hasRoom()) return;
        const running = this.#run(taken.request, taken.leftMs).finally(() => this.#running.delete(running));
        this.#running.add(running);
      }
    } catch {
      // Redis that is away is logged elsewhere, and the caller is told that no worker has answered.
    }
  }

  #hasRoom(): boolean {
    return this.#mayTake && this.#running.size < MOST_AT_ONCE;
  }

  /** It never rejects. */
  async #run(request: TestSendRequest, leftMs: number): Promise<void> {
    const { clock, workerName, logger } = this.options;
    const startedAt = clock();
    const startedMs = performance.now();
    try {
      const result = await this.#send(request, Math.min(request.limitMs, leftMs));
      const answer: TestSendAnswer = { startedAt, durationMs: Math.round(performance.now() - startedMs), worker: workerName, result };
      await this.options.store().answer(request.id, answer);
    } catch (error) {
      // The caller learns that no worker has answered.
      logger.error('a test send failed in this worker', { test_send: request.id, error: printError(error) });
    }
  }

  async #send({ task: text, id }: TestSendRequest, limitMs: number): Promise<DeliveryResult> {
    const { adapters, mask, defaultBrokers, secrets, logger } = this.options;
    let task: Task;
    try {
      task = openTask(decodeTask(JSON.parse(text)), secrets);
    } catch (error) {
      if (error instanceof SealedTextError) return { kind: 'failed', code: 'credentials_unreadable', detail: 'the headers of this test send cannot be decrypted by this worker' };
      if (error instanceof UnreadableTaskError) return { kind: 'failed', code: 'data_unreadable', detail: 'the API is of a newer version than this worker' };
      throw error;
    }
    const { destination } = task;
    const attempt = marked(attemptToSend(task, readProgress([], FIRST_RUN), mask, 0, defaultBrokers));
    const sending = this.#sends.begin(limitMs, () => new TimeLimitReached(limitMs));
    let result: DeliveryResult;
    try {
      result = await adapterFor(adapters, destination).send(attempt, destination, sending.signal);
    } finally {
      sending.end();
    }
    const shown = withoutSecretsIn(result, destination, mask);
    logger.info('test send', { test_send: id, destination: flowOf(destination, undefined, defaultBrokers, mask).endpoint, outcome: shown.kind, code: shown.kind === 'failed' ? shown.code : undefined });
    return shown;
  }
}

/** Resolves when the work has ended, or when a stop waits for it no longer. */
async function withinStop(work: Promise<unknown> | undefined): Promise<void> {
  await Promise.race([work, wait(STOP_WITHIN_MS, undefined, { ref: false })]);
}

/** A receiver can tell it from a task. */
function marked(attempt: DeliveryAttempt): DeliveryAttempt {
  return { ...attempt, headers: { ...attempt.headers, 'x-retry-test': 'true' } };
}

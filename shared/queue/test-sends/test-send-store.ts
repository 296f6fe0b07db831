import type { DeliveryResult } from '../../domain/ports.js';
import type { QueueClient } from '../engine/queue-client.js';
import type { TestSendKeys } from '../fleet-keys.js';

/** What a worker is asked for. */
export interface TestSendRequest {
  readonly id: string;
  /** As the job of a task with this id would have it, so with its secrets encrypted. */
  readonly task: string;
  /** Of the send, ms. */
  readonly limitMs: number;
}

/** What became of it. */
export interface TestSendAnswer {
  /** ms since the epoch. */
  readonly startedAt: number;
  readonly durationMs: number;
  readonly worker: string;
  readonly result: DeliveryResult;
}

/** An answer is read within a tenth of a second, or never, ms. */
const ANSWER_FOR_MS = 30_000;

/** Hands test sends from the API to the workers, and what became of them back. Every method fails when Redis fails. */
export class TestSendStore {
  constructor(
    private readonly client: QueueClient,
    private readonly keys: TestSendKeys,
  ) {}

  /** @param perMinute TEST_SENDS_PER_MINUTE @returns 0: the caller may have it made; else in how many ms it may ask again */
  async takeTurn(caller: string, id: string, perMinute: number): Promise<number> {
    // The script's own answer.
    return (await this.client.runCommand('krsTakeTurn', [this.keys.turns(caller), id, perMinute])) as number;
  }

  /** @param keptMs whole ms, after which no worker takes it any more. @returns false: too many wait for the workers already */
  async ask(request: TestSendRequest, keptMs: number): Promise<boolean> {
    return (await this.client.runCommand('krsTestSendAsk', [this.keys.requests, JSON.stringify(request), keptMs])) === 1;
  }

  /** @returns the oldest request, and for how many ms somebody waits for it */
  async take(): Promise<{ readonly request: TestSendRequest; readonly leftMs: number } | undefined> {
    const reply: unknown = await this.client.runCommand('krsTestSendTake', [this.keys.requests]);
    if (!Array.isArray(reply)) return undefined;
    // The script's own answer, and `ask` has written the text.
    const [text, leftMs] = reply as [string, number];
    return { request: JSON.parse(text) as TestSendRequest, leftMs };
  }

  async answer(id: string, answer: TestSendAnswer): Promise<void> {
    await this.client.runCommand('krsTestSendAnswer', [this.keys.answer(id), JSON.stringify(answer), ANSWER_FOR_MS]);
  }

  /** It is there once. @returns undefined: not yet */
  async readAnswer(id: string): Promise<TestSendAnswer | undefined> {
    const text: unknown = await this.client.runCommand('krsTestSendReadAnswer', [this.keys.answer(id)]);
    // Only `answer` has written it.
    return typeof text === 'string' ? (JSON.parse(text) as TestSendAnswer) : undefined;
  }
}

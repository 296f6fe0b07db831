import { capacityOf, fillOf, type RateLimit } from '../../domain/access/rate-limit.js';
import type { QueueClient } from '../engine/queue-client.js';
import type { AccessKeys } from '../fleet-keys.js';

/** What is left in the bucket of a key, and how many processes share it. */
export interface RateLevel {
  readonly level: number;
  readonly processes: number;
}

/** The buckets of access keys, for all processes together. Every method fails when Redis fails. */
export class RateStore {
  constructor(
    private readonly client: QueueClient,
    private readonly keys: AccessKeys,
  ) {}

  /**
   * @param taken   what this process has let pass since it said so last
   * @param process its name
   */
  async settle({ keyId, perSecond }: RateLimit, taken: number, process: string): Promise<RateLevel> {
    const reply: unknown = await this.client.runCommand('krsRateSettle', [this.keys.rate(keyId), capacityOf(perSecond), fillOf(perSecond), taken, process]);
    // The script's own answer.
    const [level, processes] = reply as [string, number];
    return { level: Number(level), processes };
  }
}

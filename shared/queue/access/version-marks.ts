import { withinLimit } from '../../lifecycle/time-limit.js';
import type { QueueClient } from '../engine/queue-client.js';

/** A mark that has not answered by then does not count, ms. It leaves a process time to go on with the keys that it knows. */
const MARK_LIMIT_MS = 300;

/**
 * Marks in all parts of a Cluster, each with the newest version that it was told: of the access keys, or of the sessions that have ended. The master
 * that has these may be away alone. More than half of the marks are told of a change before its caller has an answer. So a process that finds no later
 * version in more than half of them knows the keys, or a session, as they are: any two groups of more than half have a mark in common. Where they
 * stand: markTags in fleet-keys.ts.
 */
export class VersionMarks {
  /** @param keys one of each mark */
  constructor(
    private readonly client: QueueClient,
    private readonly keys: readonly string[],
  ) {}

  /** Tells each mark. One that was told a later version keeps that. @returns whether more than half of them know of it; it never rejects */
  async tell(version: string): Promise<boolean> {
    return this.#mostAgree(async (key) => {
      await this.client.runCommand('krsVersionMark', [key, version]);
      return true;
    });
  }

  /** @returns whether more than half of the marks answer that they were told no later version; it never rejects */
  async isNewest(version: string): Promise<boolean> {
    return this.#mostAgree(async (key) => Number((await this.client.get(key)) ?? 0) <= Number(version));
  }

  /** It does not wait for those whose answer changes nothing any more. */
  #mostAgree(ask: (key: string) => Promise<boolean>): Promise<boolean> {
    const { length } = this.keys;
    return new Promise((resolve) => {
      let agreeing = 0;
      let others = 0;
      const count = (agrees: boolean): void => {
        if (agrees) agreeing += 1;
        else others += 1;
        if (agreeing * 2 > length) resolve(true);
        else if (others * 2 >= length) resolve(false);
      };
      for (const key of this.keys) void withinLimit(ask(key), MARK_LIMIT_MS, () => new Error('the mark has not answered in time')).then(count, () => { count(false); });
    });
  }
}

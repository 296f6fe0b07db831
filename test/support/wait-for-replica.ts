import { Redis } from 'ioredis';

import { eventually } from './eventually.js';
import type { PrivateRedis } from './redis.js';

/** Waits until a replica acknowledges writes of this master. One that is online need not do so yet: only an answer to WAIT shows it. */
export async function waitForReplica(master: PrivateRedis): Promise<void> {
  const client = new Redis({ ...master.clientOptions, retryStrategy: () => null });
  client.on('error', () => undefined); // the command fails, too
  try {
    await eventually(async () => {
      await client.set('replica-is-there', '', 'PX', 1_000);
      if ((await client.wait(1, 100)) < 1) throw new Error('no replica acknowledges');
    }, { withinMs: 10_000 });
  } finally {
    client.disconnect();
  }
}

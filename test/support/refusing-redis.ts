import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { Redis } from 'ioredis';

import { eventually } from './eventually.js';
import { PrivateRedis } from './redis.js';

/** A way in which a Redis that answers refuses writes. */
export interface Refusal {
  /** The first word of Redis' reply. */
  readonly code: string;
  /** Writes outside a script are taken all the same. */
  readonly takesCommands?: true;
  begin(admin: Redis): Promise<unknown>;
  end(admin: Redis): Promise<unknown>;
}

const ADMIN = { username: 'admin', password: 'admin' };

/** Makes the user of all other connections unable to write: the answers inside a script differ from those outside. */
const forbid = (...rules: string[]) => (admin: Redis): Promise<unknown> => admin.acl('SETUSER', 'default', ...rules);

export const refusals = {
  noReplicas: {
    code: 'NOREPLICAS',
    begin: (admin) => admin.config('SET', 'min-replicas-to-write', '1'),
    end: (admin) => admin.config('SET', 'min-replicas-to-write', '0'),
  },
  /** Refused inside scripts too, where Redis 7 says ERR. */
  missingCommand: { code: 'ERR', begin: forbid('-@write', '+evalsha', '+eval', '+bzpopmin'), end: forbid('+@all') },
  /** Plain commands are taken, as a probe may send them. */
  missingScripts: { code: 'NOPERM', takesCommands: true, begin: forbid('-@scripting'), end: forbid('+@all') },
  missingKeys: { code: 'NOPERM', begin: forbid('resetkeys', '~other:*'), end: forbid('allkeys') },
  readOnly: {
    code: 'READONLY',
    // Nothing listens there; what it holds stays, because no master ever answers.
    begin: (admin) => admin.replicaof('127.0.0.1', 1),
    end: (admin) => admin.replicaof('NO', 'ONE'),
  },
  failedSnapshot: {
    code: 'MISCONF',
    begin: async (admin) => {
      // A snapshot has no place when its folder is gone; root may write into any other.
      const folder = await mkdtemp(path.join(tmpdir(), 'redis-gone-'));
      await admin.config('SET', 'dir', folder);
      await rm(folder, { recursive: true });
      await admin.config('SET', 'save', '3600 1000000');
      await admin.bgsave();
      await eventually(async () => {
        if (!(await admin.info('persistence')).includes('rdb_last_bgsave_status:err')) throw new Error('the snapshot has not failed yet');
      });
    },
    end: (admin) => admin.config('SET', 'save', ''),
  },
} satisfies Record<string, Refusal>;

/** A private Redis, and a user of it that may do everything that other users may not. */
export class RefusingRedis {
  private constructor(
    readonly redis: PrivateRedis,
    readonly admin: Redis,
  ) {}

  static async start(): Promise<RefusingRedis> {
    const redis = await PrivateRedis.start(['--enable-protected-configs', 'yes']);
    const admin = new Redis(redis.address);
    admin.on('error', () => undefined);
    await admin.acl('SETUSER', ADMIN.username, 'on', `>${ADMIN.password}`, 'allkeys', 'allchannels', '+@all');
    await admin.auth(ADMIN.username, ADMIN.password);
    return new RefusingRedis(redis, admin);
  }

  async close(): Promise<void> {
    this.admin.disconnect();
    await this.redis.close();
  }
}

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { Redis } from 'ioredis';

import { eventually } from './eventually.js';
import { PrivateRedis } from './redis.js';
import { RedisCluster } from './redis-cluster.js';

/** A way in which a Redis that answers refuses writes. */
export interface Refusal {
  /** The first word of Redis' reply. */
  readonly code: string;
  /** Writes outside a script are taken all the same. */
  readonly takesCommands?: true;
  /** The worker may wait for it without an error. */
  readonly isWaitedFor?: true;
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

/** Ways in which a Redis that answers cannot do anything now. They heal by themselves. */
export const outages = {
  masterDown: {
    code: 'MASTERDOWN',
    begin: async (admin) => {
      await admin.config('SET', 'replica-serve-stale-data', 'no');
      // It would say READONLY to some of them.
      await admin.config('SET', 'replica-read-only', 'no');
      await admin.replicaof('127.0.0.1', 1);
    },
    end: (admin) => admin.replicaof('NO', 'ONE'),
  },
  busy: {
    code: 'BUSY',
    begin: async (admin) => {
      await admin.config('SET', 'lua-time-limit', '50');
      const busy = admin.duplicate();
      busy.eval('while true do end', 0).catch(() => busy.disconnect()); // it is killed at the end
      await eventually(async () => {
        const said = await admin.get('anything').catch((error: unknown) => String(error));
        if (said?.includes('BUSY') !== true) throw new Error('the script does not run yet');
      });
    },
    end: (admin) => admin.script('KILL'),
  },
  loading: {
    code: 'LOADING',
    isWaitedFor: true,
    begin: async (admin) => {
      const many = Array.from({ length: 3_000 }, (_, nth) => [`filler:${nth}`, 'x'.repeat(100)]).flat();
      await admin.mset(...many);
      // Some seconds for all keys, with a look at its clients in between.
      await admin.config('SET', 'key-load-delay', '3000');
      await admin.config('SET', 'loading-process-events-interval-bytes', '1024');
      const reloading = admin.duplicate();
      reloading.call('DEBUG', 'RELOAD').catch(() => undefined).finally(() => reloading.disconnect());
      await eventually(async () => {
        const said = await admin.get('anything').catch((error: unknown) => String(error));
        if (said?.includes('LOADING') !== true) throw new Error('it does not load yet');
      });
    },
    end: (admin) => admin.config('SET', 'key-load-delay', '0'),
  },
} satisfies Record<string, Refusal>;

/** The same for a node of a cluster, which has to be asked for one slot only: see `RefusingRedis.startNode`. */
export const clusterOutages = {
  clusterDown: {
    code: 'CLUSTERDOWN',
    begin: (admin) => admin.cluster('DELSLOTS', 0),
    end: (admin) => admin.cluster('ADDSLOTS', [0]),
  },
  tryAgain: {
    code: 'TRYAGAIN',
    begin: async (admin) => {
      const nodes = String(await admin.call('CLUSTER', 'NODES')).split('\n');
      const other = nodes.find((line) => line !== '' && !line.includes('myself'))?.split(' ')[0] ?? '';
      for (const slot of await slotsWithKeys(admin)) await admin.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', other);
    },
    end: async (admin) => {
      for (const slot of await slotsWithKeys(admin)) await admin.call('CLUSTER', 'SETSLOT', slot, 'STABLE');
    },
  },
} satisfies Record<string, Refusal>;

async function slotsWithKeys(admin: Redis): Promise<number[]> {
  const keys = await admin.keys('*');
  return [...new Set(await Promise.all(keys.map((key) => admin.cluster('KEYSLOT', key))))];
}

/** A private Redis, and a user of it that may do everything that other users may not. */
export class RefusingRedis {
  private constructor(
    readonly redis: PrivateRedis,
    readonly admin: Redis,
    private readonly closeRedis: () => Promise<void>,
  ) {}

  static async start(settings: readonly string[] = []): Promise<RefusingRedis> {
    return RefusingRedis.#of(await PrivateRedis.start(['--enable-protected-configs', 'yes', '--enable-debug-command', 'yes', ...settings]));
  }

  /** A node that serves all slots of a cluster, and knows another node. */
  static async startNode(): Promise<RefusingRedis> {
    const cluster = await RedisCluster.start({ masters: 1, replicas: 0, spares: 1 });
    const [node] = cluster.nodes;
    if (node === undefined) throw new Error('a cluster has nodes');
    return RefusingRedis.#of(node, () => cluster.close());
  }

  static async #of(redis: PrivateRedis, close = (): Promise<void> => redis.close()): Promise<RefusingRedis> {
    const admin = new Redis(redis.address);
    admin.on('error', () => undefined);
    await admin.acl('SETUSER', ADMIN.username, 'on', `>${ADMIN.password}`, 'allkeys', 'allchannels', '+@all');
    await admin.auth(ADMIN.username, ADMIN.password);
    return new RefusingRedis(redis, admin, close);
  }

  async close(): Promise<void> {
    this.admin.disconnect();
    await this.closeRedis();
  }
}

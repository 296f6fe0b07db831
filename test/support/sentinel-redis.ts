import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ConnectionOptions } from 'node:tls';

import { Redis } from 'ioredis';

import { eventually } from './eventually.js';
import { freePort } from '../../scripts/servers/free-port.mjs';
import { killWithUs } from './kill-with-us.js';
import { PrivateRedis, printAddress, tlsSettings, uncheckedTls, type RedisAddress, type ServerTls } from './redis.js';

const SENTINELS = 3;
const REPLICAS = 2;
export const MASTER_NAME = 'tasks';

/** A master with two replicas, watched by three sentinels: real processes on loopback. */
export class SentinelRedis {
  readonly #sentinels: readonly Sentinel[];

  private constructor(
    readonly nodes: readonly PrivateRedis[],
    sentinels: readonly Sentinel[],
  ) {
    this.#sentinels = sentinels;
  }

  /**
   * @param more settings of each node
   * @returns one whose replicas are in step and whose sentinels know each other
   */
  static async start(more: readonly string[] = []): Promise<SentinelRedis> {
    const settings = ['--appendonly', 'yes', '--appendfsync', 'everysec', '--maxmemory-policy', 'noeviction', '--repl-diskless-sync-delay', '0', ...more];
    const master = await PrivateRedis.start(settings, undefined, { config: '' });
    const { host, port } = master.address;
    const replicas = await Promise.all(Array.from({ length: REPLICAS }, () => PrivateRedis.start(settings, undefined, { config: `replicaof ${host} ${port}\n` })));
    const redis = new SentinelRedis([master, ...replicas], await Promise.all(Array.from({ length: SENTINELS }, () => Sentinel.start(master.address))));
    try {
      await redis.isWhole();
    } catch (error) {
      await redis.close();
      throw error;
    }
    return redis;
  }

  /** For REDIS_SENTINEL_ADDRS. */
  get sentinelAddresses(): string {
    return this.#sentinels.map(({ address }) => printAddress(address)).join(',');
  }

  get sentinels(): readonly RedisAddress[] {
    return this.#sentinels.map(({ address }) => address);
  }

  /** The master, as all sentinels see it. */
  async master(): Promise<PrivateRedis> {
    const named = await this.#askSentinels((client) => client.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', MASTER_NAME));
    const ports = new Set(named.map((answer) => Number((answer as string[])[1])));
    const found = this.nodes.find(({ address }) => ports.has(address.port));
    if (ports.size !== 1 || found === undefined) throw new Error(`the sentinels name the masters ${[...ports].join(' and ')}`);
    return found;
  }

  /** What an operator does to move the master: a replica takes over while the old master works. */
  async failOver(): Promise<void> {
    const [sentinel] = this.#sentinels;
    if (sentinel !== undefined) await ask(sentinel.address, (client) => client.call('SENTINEL', 'FAILOVER', MASTER_NAME));
  }

  /** What an operator does before that, so that the sentinels make the old master a replica within some two seconds: by themselves they wait for ten. */
  async lookOften(): Promise<void> {
    await this.#askSentinels((client) => client.call('SENTINEL', 'DEBUG', 'info-period', '500', 'publish-period', '250'));
    // One that has looked at a replica longer ago than three times that does not promote it.
    await eventually(async () => {
      for (const replicas of (await this.#askSentinels((client) => client.call('SENTINEL', 'REPLICAS', MASTER_NAME))) as string[][][]) {
        for (const facts of replicas) if (Number(facts[facts.indexOf('info-refresh') + 1]) > 1_000) throw new Error('a sentinel has not looked yet');
      }
    }, { withinMs: 12_000, everyMs: 50 });
  }

  /** Resolves when the sentinels agree, and each other node that runs is a replica in step with the master. */
  async isWhole(withinMs = 40_000): Promise<void> {
    await eventually(async () => {
      const master = await this.master();
      for (const node of this.nodes.filter(({ pid }) => pid !== undefined)) {
        const info = await ask(node.address, (client) => client.info('replication'));
        if (node === master ? !info.includes('role:master') : !info.includes('master_link_status:up')) throw new Error(`${printAddress(node.address)}: ${info}`);
      }
      for (const { address } of this.#sentinels) {
        const [facts] = (await ask(address, (client) => client.call('SENTINEL', 'MASTERS'))) as string[][];
        const read = (name: string): string | undefined => facts?.[facts.indexOf(name) + 1];
        if (read('num-other-sentinels') !== String(SENTINELS - 1) || read('num-slaves') !== String(REPLICAS)) throw new Error(`a sentinel does not know all: ${String(facts)}`);
      }
    }, { withinMs, everyMs: 200 });
  }

  #askSentinels<T>(work: (client: Redis) => Promise<T>): Promise<T[]> {
    return Promise.all(this.#sentinels.map(({ address }) => ask(address, work)));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#sentinels.map((sentinel) => sentinel.close()), ...this.nodes.map((node) => node.close())]);
  }
}

export interface SentinelAccess {
  readonly password: string;
  readonly masterPassword: string;
  /** Its certificate: then it speaks TLS alone, with the master too. */
  readonly tls: ServerTls;
}

export class Sentinel {
  private constructor(
    readonly address: RedisAddress,
    private readonly folder: string,
    private readonly child: ChildProcess,
  ) {}

  /** @param quorum how many sentinels have to agree */
  static async start(master: RedisAddress, { quorum = 2, access }: { readonly quorum?: number; readonly access?: SentinelAccess } = {}): Promise<Sentinel> {
    const folder = await mkdtemp(path.join(tmpdir(), 'sentinel-test-'));
    const port = await freePort();
    const file = path.join(folder, 'sentinel.conf');
    const settings = [
      ...(access === undefined
        ? [`port ${port}`]
        : ['port 0', 'tls-replication yes', `requirepass ${access.password}`, ...tlsSettings(port, access.tls).map((setting) => setting.join(' '))]),
      'bind 127.0.0.1',
      `dir ${folder}`,
      `sentinel monitor ${MASTER_NAME} ${master.host} ${master.port} ${quorum}`,
      ...(access === undefined ? [] : [`sentinel auth-pass ${MASTER_NAME} ${access.masterPassword}`]),
      `sentinel down-after-milliseconds ${MASTER_NAME} 1500`,
      `sentinel failover-timeout ${MASTER_NAME} 10000`,
    ];
    await writeFile(file, `${settings.join('\n')}\n`);
    const child = spawn(process.env['TEST_REDIS_BIN'] ?? 'redis-server', [file, '--sentinel'], { stdio: 'ignore' });
    killWithUs(child);
    const sentinel = new Sentinel({ host: '127.0.0.1', port }, folder, child);
    const options = access === undefined ? {} : { password: access.password, tls: uncheckedTls(access.tls) };
    await eventually(() => ask({ ...sentinel.address, ...options }, (client) => client.ping()), { withinMs: 10_000, everyMs: 50 });
    return sentinel;
  }

  async close(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const ended = once(this.child, 'exit');
      this.child.kill('SIGKILL');
      await ended;
    }
    await rm(this.folder, { recursive: true, force: true });
  }
}

async function ask<T>(address: RedisAddress & { readonly password?: string; readonly tls?: ConnectionOptions }, work: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis({ ...address, enableReadyCheck: false, retryStrategy: () => null });
  client.on('error', () => undefined); // the command fails, too
  try {
    return await work(client);
  } finally {
    client.disconnect();
  }
}

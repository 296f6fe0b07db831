import { Redis } from 'ioredis';

import { eventually } from './eventually.js';
import { freePort } from '../../scripts/servers/free-port.mjs';
import { PrivateRedis, printAddress, type ServerTls } from './redis.js';

const SLOTS = 16_384;

export interface ClusterOptions {
  /** Default 3. */
  readonly masters?: number;
  /** Default 3: one for each master. */
  readonly replicas?: number;
  /** Masters without slots. Default 0. */
  readonly spares?: number;
  /** After this silence a master is replaced. Default 1,500. */
  readonly nodeTimeoutMs?: number;
  /** Further settings of each node. */
  readonly settings?: readonly string[];
  /** Slots that no node serves. Default none. */
  readonly slotsLeftOut?: readonly number[];
  /** The certificate of all nodes: then they speak TLS alone, with each other too. */
  readonly tls?: ServerTls;
  /** A server of another version. Before 7.0 the port of the bus cannot be chosen. */
  readonly redis62?: string;
}

/** A Redis Cluster of the test's own: real servers on loopback, that may be killed, frozen and started again. */
export class RedisCluster {
  readonly #nodes: PrivateRedis[];

  private constructor(nodes: readonly PrivateRedis[], private readonly startNode: () => Promise<PrivateRedis>) {
    this.#nodes = [...nodes];
  }

  get nodes(): readonly PrivateRedis[] {
    return this.#nodes;
  }

  /** @returns one that serves all slots, unless some were left out, and whose replicas are in step */
  static async start({ masters = 3, replicas = 3, spares = 0, nodeTimeoutMs = 1_500, settings = [], slotsLeftOut = [], tls, redis62 }: ClusterOptions = {}): Promise<RedisCluster> {
    const startNode = async (): Promise<PrivateRedis> => PrivateRedis.start([
      ...['--cluster-enabled', 'yes', '--cluster-node-timeout', String(nodeTimeoutMs), ...(redis62 === undefined ? ['--cluster-port', String(await freePort())] : [])],
      // A node that has met no other one does not know its own address.
      ...['--cluster-announce-ip', '127.0.0.1'],
      // A replica takes over however long it has heard nothing: tests freeze and kill at any moment.
      ...['--cluster-replica-validity-factor', '0', '--repl-diskless-sync-delay', '0'],
      ...['--appendonly', 'yes', '--appendfsync', 'everysec', '--maxmemory-policy', 'noeviction'],
      ...(tls === undefined ? [] : ['--tls-cluster', 'yes', '--tls-replication', 'yes']),
      ...settings,
    ], tls, redis62 === undefined ? {} : { binary: redis62 });
    const nodes: PrivateRedis[] = [];
    // One after the other: a port is taken only when its server has started.
    for (let nth = 0; nth < masters + replicas + spares; nth += 1) nodes.push(await (redis62 === undefined ? startNode() : eventually(startNode, { withinMs: 10_000 })));
    const cluster = new RedisCluster(nodes, startNode);
    try {
      await cluster.#form(masters, replicas, new Set(slotsLeftOut));
    } catch (error) {
      await cluster.close();
      throw error;
    }
    return cluster;
  }

  /** For REDIS_CLUSTER_ADDRS. */
  get addresses(): string {
    return this.nodes.map(({ address }) => printAddress(address)).join(',');
  }

  /** What one node answers. */
  async ask<T>(node: PrivateRedis, work: (client: Redis) => Promise<T>): Promise<T> {
    const client = new Redis({ ...node.clientOptions, retryStrategy: () => null });
    client.on('error', () => undefined); // the command fails, too
    try {
      return await work(client);
    } finally {
      client.disconnect();
    }
  }

  /**
   * The nodes that are masters now, in the order of `nodes`.
   * @param without is not asked: it may be frozen
   */
  async masters(without?: PrivateRedis): Promise<PrivateRedis[]> {
    const roles = await Promise.all(this.nodes.map(async (node) => (node.pid === undefined || node === without ? '' : this.ask(node, (client) => client.info('replication')))));
    return this.nodes.filter((_, index) => roles[index]?.includes('role:master') === true);
  }

  /** Which slot a key has, and the master that serves it. Nodes that do not answer are not asked. */
  async ownerOf(key: string): Promise<{ readonly slot: number; readonly owner: PrivateRedis }> {
    for (const node of await this.masters()) {
      const slot = await this.ask(node, (client) => client.cluster('KEYSLOT', key));
      const ranges = (await this.ask(node, (client) => client.cluster('SLOTS'))) as unknown as readonly (readonly [from: number, to: number, master: readonly [host: string, port: number]])[];
      const port = ranges.find(([from, to]) => from <= slot && slot <= to)?.[2][1];
      const owner = this.nodes.find(({ address }) => address.port === port);
      if (owner !== undefined) return { slot, owner };
    }
    throw new Error(`no node serves ${key}`);
  }

  /** The replica of a master. */
  async replicaOf(master: PrivateRedis): Promise<PrivateRedis> {
    for (const node of this.nodes) {
      if (node.pid === undefined || node === master) continue;
      const info = await this.ask(node, (client) => client.info('replication'));
      if (info.includes('role:slave') && info.includes(`master_port:${master.address.port}\r`)) return node;
    }
    throw new Error(`no replica of ${printAddress(master.address)}`);
  }

  /** What an operator does to make a replica the master. @param how TAKEOVER does not ask the others */
  async takeOver(replica: PrivateRedis, how?: 'TAKEOVER'): Promise<void> {
    let askedAt = -Infinity;
    await eventually(async () => {
      if ((await this.ask(replica, (client) => client.info('replication'))).includes('role:master')) return;
      // A replica gives up after 5 s, in which it may not have come into step.
      if (performance.now() - askedAt > 6_000) {
        askedAt = performance.now();
        await this.ask(replica, (client) => client.call('CLUSTER', 'FAILOVER', ...(how === undefined ? [] : [how])));
      }
      throw new Error('it is no master yet');
    }, { withinMs: 20_000, everyMs: 20 });
  }

  /**
   * Moves a slot as redis-cli does it.
   * @param pauseMs how long its keys are on both nodes
   */
  async moveSlot(slot: number, from: PrivateRedis, to: PrivateRedis, { pauseMs = 0 }: { readonly pauseMs?: number } = {}): Promise<void> {
    const toId = await this.beginMove(slot, from, to);
    let isHalf = false;
    await this.ask(from, async (client) => {
      for (;;) {
        const keys = await client.cluster('GETKEYSINSLOT', slot, isHalf || pauseMs === 0 ? 100 : 3);
        if (keys.length === 0) break;
        await client.call('MIGRATE', to.address.host, to.address.port, '', 0, 5_000, 'KEYS', ...keys);
        if (!isHalf) await new Promise((resolve) => setTimeout(resolve, pauseMs));
        isHalf = true;
      }
    });
    for (const node of [to, from, ...(await this.masters())]) await this.ask(node, (client) => client.call('CLUSTER', 'SETSLOT', slot, 'NODE', toId));
  }

  /** The first step: from now on, what is not in the slot is asked for at the other node. @returns the id of that one */
  async beginMove(slot: number, from: PrivateRedis, to: PrivateRedis): Promise<string> {
    const [fromId = '', toId = ''] = await Promise.all([from, to].map((node) => this.ask(node, (client) => client.cluster('MYID'))));
    await this.ask(to, (client) => client.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId));
    await this.ask(from, (client) => client.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId));
    return toId;
  }

  /** Adds a master without slots. @returns it, when all nodes know it and it takes keys */
  async join(): Promise<PrivateRedis> {
    const node = await this.startNode();
    this.#nodes.push(node);
    await this.#meet(node);
    await this.#knowEachOther();
    // For some seconds it refuses all keys.
    await this.isWhole();
    return node;
  }

  /** Ends every connection of a client to a node, one after the other. */
  async cutLinks(node: PrivateRedis): Promise<void> {
    await this.ask(node, async (client) => {
      const list = String(await client.call('CLIENT', 'LIST', 'TYPE', 'normal'));
      const own = String(await client.call('CLIENT', 'ID'));
      for (const [, id = ''] of list.matchAll(/^id=(\d+)/gm)) if (id !== own) await client.call('CLIENT', 'KILL', 'ID', id).catch(() => undefined); // gone by itself
    });
  }

  /** Resolves when every slot has a master that works, and every node that runs is in step with its master. */
  async isWhole(withinMs = 30_000): Promise<void> {
    const running = this.nodes.filter(({ pid }) => pid !== undefined);
    await eventually(async () => {
      for (const node of running) {
        const [cluster, replication] = await this.ask(node, async (client) => [await client.cluster('INFO'), await client.info('replication')] as const);
        if (!cluster.includes('cluster_state:ok')) throw new Error(`the cluster is not whole: ${cluster}`);
        if (replication.includes('role:slave') && !replication.includes('master_link_status:up')) throw new Error('a replica is not in step');
      }
    }, { withinMs, everyMs: 100 });
  }

  async close(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.close()));
  }

  async #form(masters: number, replicas: number, leftOut: ReadonlySet<number>): Promise<void> {
    const share = Math.ceil(SLOTS / masters);
    const ids = await Promise.all(this.nodes.map((node) => this.ask(node, (client) => client.cluster('MYID'))));
    for (const [index, node] of this.nodes.entries()) {
      await this.ask(node, async (client) => {
        await client.cluster('SET-CONFIG-EPOCH', index + 1);
        if (index < masters) {
          const slots = Array.from({ length: Math.min(share, SLOTS - index * share) }, (_, nth) => index * share + nth).filter((slot) => !leftOut.has(slot));
          await client.cluster('ADDSLOTS', slots);
        }
      });
    }
    for (const node of this.nodes.slice(1)) await this.#meet(node);
    await this.#knowEachOther();
    for (const [index, node] of this.nodes.slice(masters, masters + replicas).entries()) {
      const master = ids[index % masters] ?? '';
      await eventually(() => this.ask(node, (client) => client.cluster('REPLICATE', master)), { withinMs: 10_000, everyMs: 100 });
    }
    if (leftOut.size === 0) await this.isWhole();
  }

  async #meet(node: PrivateRedis): Promise<void> {
    const [first] = this.nodes;
    if (first === undefined) throw new Error('a cluster has at least one node');
    const busPort = await this.ask(node, async (client) => Number((await client.config('GET', 'cluster-port'))[1] ?? node.address.port + 10_000));
    await this.ask(first, (client) => client.call('CLUSTER', 'MEET', node.address.host, node.address.port, busPort));
  }

  async #knowEachOther(): Promise<void> {
    await eventually(async () => {
      for (const node of this.nodes) {
        const info = await this.ask(node, (client) => client.cluster('INFO'));
        if (!info.includes(`cluster_known_nodes:${this.nodes.length}\r`)) throw new Error(`a node does not know the others: ${info}`);
      }
    }, { withinMs: 20_000, everyMs: 50 });
  }
}

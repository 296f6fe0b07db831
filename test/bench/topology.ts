import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Redis } from 'ioredis';
import { PrivateRedis, printAddress } from '../support/redis.js';
import { RedisCluster } from '../support/redis-cluster.js';
import { httpTask } from '../support/tasks.js';
import { size, type Bench } from './benchmark.js';
import { end, spawnProduct } from './process.js';
import { commandReadings, redisCpuUs } from './redis-readings.js';
import type { Comparison } from './report.js';
import { readyPort } from './start-api.js';

const SHARDS = 16;
const PER_SHARD = 40;
const WORKERS = 2;
const CONNECTIONS = 64;
/** Clock ticks of /proc in a second. */
const TICKS = 100;
const TICK_MS = 20;

interface Topology {
  readonly settings: Readonly<Record<string, string>>;
  readonly masters: readonly PrivateRedis[];
  readonly shards: number;
  readonly close: () => Promise<unknown>;
}

interface Costs {
  /** At PER_SHARD tasks a second for each shard, and at the same rate in all. */
  readonly perShardUs: number[];
  readonly inAllUs: number[];
  /** Calls of scripts a task, at these two rates. */
  readonly perShardCalls: number[];
  readonly inAllCalls: number[];
  readonly idleRedis: number[];
  readonly idleWorker: number[];
}

const redisSettings = ['--appendonly', 'yes', '--appendfsync', 'everysec', '--maxmemory-policy', 'noeviction', '--repl-diskless-sync-delay', '0'];

/** What the same work costs on one Redis, in 16 queues on one Redis, and on a Cluster, each with a replica for each master. */
export async function benchTopology(bench: Bench): Promise<Comparison[]> {
  const sides: readonly (readonly [name: string, start: () => Promise<Topology>])[] = [
    ['one Redis', () => oneRedis(1)],
    [`${SHARDS} queues on one Redis`, () => oneRedis(SHARDS)],
    ['Cluster of 3 masters', cluster],
  ];
  const costs = sides.map(noCosts);
  for (let round = 0; round < bench.rounds; round += 1) {
    for (const [index, [, start]] of sides.entries()) {
      const cost = costs[index];
      if (cost !== undefined) await measure(bench, start, cost);
    }
  }
  const one = costs[0];
  return sides.flatMap(([name], index) => {
    const { perShardUs, inAllUs, perShardCalls, inAllCalls, idleRedis, idleWorker } = costs[index] ?? noCosts();
    const beside = index === 0 || one === undefined ? undefined : one;
    return [
      { figure: `${name}: Redis CPU per task at ${PER_SHARD} tasks/s a shard, masters`, unit: 'us', product: { name, values: perShardUs }, ...(beside && { baseline: { name: 'one Redis', values: beside.perShardUs }, highestRatio: 1.3 }) },
      { figure: `${name}: Redis CPU per task at ${SHARDS * PER_SHARD} tasks/s in all, masters`, unit: 'us', product: { name, values: inAllUs }, ...(beside && { baseline: { name: 'one Redis', values: beside.inAllUs } }) },
      // Why it costs what it costs: tasks of one shard share calls, the more the more there are in a millisecond.
      { figure: `${name}: script calls per task at ${PER_SHARD} tasks/s a shard`, unit: 'calls', product: { name, values: perShardCalls }, ...(beside && { baseline: { name: 'one Redis', values: beside.perShardCalls } }) },
      { figure: `${name}: script calls per task at ${SHARDS * PER_SHARD} tasks/s in all`, unit: 'calls', product: { name, values: inAllCalls }, ...(beside && { baseline: { name: 'one Redis', values: beside.inAllCalls } }) },
      { figure: `${name}: Redis CPU while nothing is to be done, masters`, unit: '% of a core', product: { name, values: idleRedis }, ...(beside && { baseline: { name: 'one Redis', values: beside.idleRedis } }) },
      { figure: `${name}: CPU of a worker while nothing is to be done`, unit: '% of a core', product: { name, values: idleWorker }, limit: 3 },
    ];
  });
}

function noCosts(): Costs {
  return { perShardUs: [], inAllUs: [], perShardCalls: [], inAllCalls: [], idleRedis: [], idleWorker: [] };
}

async function oneRedis(shards: number): Promise<Topology> {
  const master = await PrivateRedis.start(redisSettings);
  const replica = await PrivateRedis.start([...redisSettings, '--replicaof', master.address.host, String(master.address.port)]);
  return { settings: { REDIS_ADDR: printAddress(master.address), SHARDS: String(shards) }, masters: [master], shards, close: () => Promise.all([replica.close(), master.close()]) };
}

async function cluster(): Promise<Topology> {
  const started = await RedisCluster.start();
  return { settings: { REDIS_MODE: 'cluster', REDIS_CLUSTER_ADDRS: started.addresses }, masters: started.nodes.slice(0, 3), shards: SHARDS, close: () => started.close() };
}

async function measure(bench: Bench, start: () => Promise<Topology>, costs: Costs): Promise<void> {
  const topology = await start();
  const clients = topology.masters.map(({ address }) => new Redis(address));
  const cpuUs = async (): Promise<number> => (await Promise.all(clients.map(redisCpuUs))).reduce((sum, each) => sum + each);
  const scriptCalls = async (): Promise<number> => (await Promise.all(clients.map(commandReadings))).flat().reduce((sum, { command, calls }) => sum + (command === 'evalsha' ? calls : 0), 0);
  let arrived = 0;
  const receiver = createServer((incoming, response) => {
    arrived += 1;
    incoming.resume().on('end', () => response.end());
  }).listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;
  const api = spawnProduct('server', { ...topology.settings, HTTP_PORT: '0', HTTP_HOST: '127.0.0.1' }, 'pipe');
  const workers = Array.from({ length: WORKERS }, () => spawnProduct('workers', { DESTINATION_POLICY: 'any', LOG_LEVEL: 'warn', ...topology.settings }, 'ignore'));
  try {
    const port = await readyPort(api);
    // Both compile what they need.
    await feed(port, url, 300, SHARDS * PER_SHARD, () => arrived);
    const idleMs = size(bench, 5_000, 500);
    const before = { redis: await cpuUs(), workers: workers.map(cpuMs), at: performance.now() };
    await new Promise((resolve) => setTimeout(resolve, idleMs));
    const idleFor = performance.now() - before.at;
    costs.idleRedis.push(((await cpuUs()) - before.redis) / idleFor / 10);
    costs.idleWorker.push((workers.reduce((sum, each, nth) => sum + cpuMs(each) - (before.workers[nth] ?? 0), 0) / WORKERS / idleFor) * 100);
    const perTask = async (perSecond: number): Promise<{ readonly us: number; readonly calls: number }> => {
      const tasks = perSecond * size(bench, 10, 1);
      const [used, called] = [await cpuUs(), await scriptCalls()];
      arrived = 0;
      await feed(port, url, tasks, perSecond, () => arrived);
      return { us: ((await cpuUs()) - used) / tasks, calls: ((await scriptCalls()) - called) / tasks };
    };
    const inAll = await perTask(SHARDS * PER_SHARD);
    const perShard = topology.shards === SHARDS ? inAll : await perTask(topology.shards * PER_SHARD);
    costs.inAllUs.push(inAll.us);
    costs.inAllCalls.push(inAll.calls);
    costs.perShardUs.push(perShard.us);
    costs.perShardCalls.push(perShard.calls);
  } finally {
    for (const client of clients) client.disconnect();
    await Promise.all([api, ...workers].map((child) => end(child)));
    receiver.closeAllConnections();
    receiver.close();
    await topology.close();
  }
}

let fed = 0;

/** Posts tasks that are due at once, at a rate, and resolves when all have arrived. */
async function feed(port: number, url: string, tasks: number, perSecond: number, arrived: () => number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const startedAt = performance.now();
  let sent = 0;
  let answered = 0;
  let refused = 0;
  while (answered < tasks || arrived() < tasks) {
    const due = Math.min(tasks, Math.floor(((performance.now() - startedAt) / 1_000) * perSecond));
    for (; sent < due; sent += 1) {
      const body = JSON.stringify(httpTask(url, { id: `fed-${(fed += 1)}` }));
      const post = request({ host: '127.0.0.1', port, path: '/tasks', method: 'POST', agent, headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) } }, (answer) => {
        if (answer.statusCode !== 201) refused += 1;
        answer.resume().on('end', () => (answered += 1));
      });
      post.end(body);
    }
    if (refused > 0) throw new Error(`${refused} of ${answered} tasks were not answered with 201`);
    if (performance.now() - startedAt > 120_000) throw new Error(`${arrived()} of ${tasks} tasks have arrived, ${answered} were answered`);
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  }
  agent.destroy();
}

/** CPU of a process so far, ms. */
function cpuMs({ pid }: ChildProcess): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return ((Number(fields[11]) + Number(fields[12])) / TICKS) * 1_000;
}

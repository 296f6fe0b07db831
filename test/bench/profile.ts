import type { ChildProcess } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KafkaProbe, kafkaTestBroker } from '../support/kafka.js';
import { size, type Bench } from './benchmark.js';
import { summarizeCpu, type CpuProfile, type CpuSummary } from './cpu-profile.js';
import { Receiver } from './delivered.js';
import { fillBare, fillProduct } from './fill-queue.js';
import { acknowledged } from './kafka.js';
import { end, whileRunning } from './process.js';
import { commandReadings, redisCpuUs, type CommandReading } from './redis-readings.js';
import { scriptNames } from './script-names.js';
import { feedApi, startApi } from './start-api.js';
import { DEFAULT_SLOTS, startBareWorker, startWorker } from './start-workers.js';

/** Where the time of one process of the product, and that of its Redis, went. */
export interface ProfileSummary {
  readonly what: string;
  readonly tasks: number;
  readonly perSecond: number;
  readonly cpu: CpuSummary;
  readonly redisCpuUs: number;
  readonly commands: readonly CommandReading[];
  /** Commands over the threshold, the slowest first. */
  readonly slowest: readonly { readonly command: string; readonly us: number }[];
}

const FUNCTIONS_SHOWN = 25;
const COMMANDS_SHOWN = 12;
const SLOW_US = 1_000;
const SLOWEST_SHOWN = 8;

interface ProfiledRun {
  readonly bench: Bench;
  readonly tasks: number;
  /** For the process that is profiled. */
  readonly nodeArgs: readonly string[];
  /** To be called right before it begins: what Redis has counted until then is forgotten. */
  readonly begin: () => Promise<void>;
}

type Profiled = (run: ProfiledRun) => Promise<{ what: string; seconds: number; endProcess: () => Promise<void> }>;

/** By the name of the benchmark that each looks into. */
export const profiles: Readonly<Record<string, Profiled>> = { 'delivery': runDelivery, 'bare-delivery': runBareDelivery, 'destinations': runDestinations, 'paths': runPaths, 'kafka': runKafka, 'submission': runSubmission };

export async function profile(bench: Bench, run: Profiled): Promise<ProfileSummary> {
  const { redis } = bench;
  const tasks = size(bench, 60_000, 2_000);
  const dir = await mkdtemp(join(tmpdir(), 'kafka-retry-profile-'));
  try {
    await redis.flushall();
    await redis.config('SET', 'slowlog-log-slower-than', SLOW_US);
    await redis.config('SET', 'slowlog-max-len', 1_000);
    let cpuBeforeUs = 0;
    const begin = async (): Promise<void> => {
      await redis.config('RESETSTAT');
      await redis.slowlog('RESET');
      cpuBeforeUs = await redisCpuUs(redis);
    };
    const { what, seconds, endProcess } = await run({ bench, tasks, nodeArgs: ['--cpu-prof', `--cpu-prof-dir=${dir}`], begin });
    const usedUs = (await redisCpuUs(redis)) - cpuBeforeUs;
    const reading = await readRedis(bench);
    // The profile is written at exit.
    await endProcess();
    return { what, tasks, perSecond: tasks / seconds, cpu: summarizeCpu(await readCpuProfile(dir), FUNCTIONS_SHOWN), redisCpuUs: usedUs, ...reading };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** One worker with the default slots, one fast receiver, everything due at once. */
async function runDelivery({ bench, tasks, nodeArgs, begin }: ProfiledRun): ReturnType<Profiled> {
  const receiver = await Receiver.start();
  await fillProduct(bench.redisPort, { tasks, destination: receiver.destination });
  return deliverAll('the worker', receiver, tasks, begin, () => startWorker(bench.redisPort, DEFAULT_SLOTS, { nodeArgs }));
}

/** The same to 10,000 destinations in turn. */
async function runDestinations({ bench, tasks, nodeArgs, begin }: ProfiledRun): ReturnType<Profiled> {
  const receiver = await Receiver.start({ origins: size(bench, 10_000, 50) });
  await fillProduct(bench.redisPort, { tasks, destination: receiver.destination });
  return deliverAll('the worker', receiver, tasks, begin, () => startWorker(bench.redisPort, DEFAULT_SLOTS, { nodeArgs }));
}

/** The same to 1,000 paths of one host in turn. */
async function runPaths({ bench, tasks, nodeArgs, begin }: ProfiledRun): ReturnType<Profiled> {
  const receiver = await Receiver.start();
  const { url } = receiver.destination(0);
  await fillProduct(bench.redisPort, { tasks, destination: (nth) => ({ type: 'http', url: `${url}/${nth % 1_000}` }) });
  return deliverAll('the worker', receiver, tasks, begin, () => startWorker(bench.redisPort, DEFAULT_SLOTS, { nodeArgs }));
}

/** The baseline of `delivery`: a bare BullMQ Worker + undici with as many sends in flight. */
async function runBareDelivery({ bench, tasks, nodeArgs, begin }: ProfiledRun): ReturnType<Profiled> {
  const receiver = await Receiver.start();
  await fillBare(bench.redisPort, { tasks, destination: receiver.destination });
  return deliverAll('the bare worker', receiver, tasks, begin, () => startBareWorker(bench.redisPort, Math.round(DEFAULT_SLOTS * 3 / 7), 0, nodeArgs));
}

async function deliverAll(what: string, receiver: Receiver, tasks: number, begin: ProfiledRun['begin'], start: () => ChildProcess): ReturnType<Profiled> {
  const { done } = await receiver.expect(tasks);
  await begin();
  const worker = start();
  const { firstMs, lastMs } = await whileRunning([worker], done);
  const endProcess = async (): Promise<void> => {
    await end(worker);
    await receiver.end();
  };
  return { what, seconds: (lastMs - firstMs) / 1_000, endProcess };
}

/** The same to one topic of a real broker. */
async function runKafka({ bench, tasks, nodeArgs, begin }: ProfiledRun): ReturnType<Profiled> {
  const { host, port } = kafkaTestBroker();
  const broker = `${host}:${port}`;
  const probe = new KafkaProbe({ host, port });
  const topic = await probe.createTopic();
  await fillProduct(bench.redisPort, { tasks, destination: () => ({ type: 'kafka', topic, broker: undefined, key: undefined, headers: undefined }) });
  await begin();
  const worker = startWorker(bench.redisPort, DEFAULT_SLOTS, { nodeArgs, env: { KAFKA_BROKERS: broker } });
  const { seconds } = await whileRunning([worker], acknowledged(broker, topic, tasks));
  const endProcess = async (): Promise<void> => {
    await end(worker);
    await probe.close();
  };
  return { what: 'the worker', seconds, endProcess };
}

/** One API process, 64 connections, tasks that are due in an hour. */
async function runSubmission({ bench, tasks, nodeArgs, begin }: ProfiledRun): ReturnType<Profiled> {
  const { child, port } = await startApi(bench.redisPort, { nodeArgs });
  await begin();
  const startedMs = performance.now();
  await whileRunning([child], feedApi({ port, tasks, url: 'http://127.0.0.1:9/hook', initialDelay: 3_600 }));
  return { what: 'the API', seconds: (performance.now() - startedMs) / 1_000, endProcess: () => end(child) };
}

async function readRedis({ redis }: Bench): Promise<Pick<ProfileSummary, 'commands' | 'slowest'>> {
  // As Redis documents an entry: id, time, microseconds, the command's words, ...
  const entries = (await redis.slowlog('GET', 1_000)) as [number, number, number, string[]][];
  const names = scriptNames();
  const slowest = entries.map(([, , us, words]) => ({ command: printCommand(words, names), us })).sort((a, b) => b.us - a.us);
  return { commands: (await commandReadings(redis)).slice(0, COMMANDS_SHOWN), slowest: slowest.slice(0, SLOWEST_SHOWN) };
}

/** `evalsha bullmq moveToFinished`, `hmget bull:deliver-0:meta paused`; never the text of a script. */
function printCommand([command = '', ...words]: readonly string[], names: ReadonlyMap<string, string>): string {
  const shown = command.toLowerCase();
  if (shown === 'eval') return `eval of ${/^-{0,2}[\s[]*(.*)/.exec(words[0] ?? '')?.[1]?.slice(0, 60) ?? ''}`;
  if (shown === 'evalsha') return `evalsha ${names.get(words[0] ?? '') ?? words[0] ?? ''}`;
  return [shown, ...words.slice(0, 2)].join(' ').slice(0, 80);
}

async function readCpuProfile(dir: string): Promise<CpuProfile> {
  const [file] = await readdir(dir);
  if (file === undefined) throw new Error('the process wrote no CPU profile');
  return JSON.parse(await readFile(join(dir, file), 'utf8')) as CpuProfile;
}

/** Markdown that is readable in a terminal too. */
export function printProfile({ what, tasks, perSecond, cpu, redisCpuUs: cpuUs, commands, slowest }: ProfileSummary): string {
  const ms = (value: number): string => `${Math.round(value)} ms`;
  const percent = (share: number): string => `${(share * 100).toFixed(1)}%`;
  const perTask = (us: number): string => `${(us / tasks).toFixed(1)} us`;
  return [
    `${tasks.toLocaleString('en-US')} tasks at ${Math.round(perSecond).toLocaleString('en-US')}/s while being profiled; ${what} was busy for ${ms(cpu.busyMs)} (${perTask(cpu.busyMs * 1_000)} per task) and idle for ${ms(cpu.idleMs)}; Redis used ${perTask(cpuUs)} of CPU per task.`,
    table(['package', 'self time', 'of busy time', 'per task'], cpu.packages.filter(({ share }) => share >= 0.005).map(({ name, ms: time, share }) => [name, ms(time), percent(share), perTask(time * 1_000)])),
    table(['function', 'self time', 'of busy time'], cpu.functions.map(({ name, ms: time, share }) => [name, ms(time), percent(share)])),
    table(['Redis command', 'calls per task', 'us per call', 'us per task'], commands.map(({ command, calls, us }) => [command, (calls / tasks).toFixed(2), (us / calls).toFixed(1), (us / tasks).toFixed(1)])),
    slowest.length === 0 ? `No command of Redis took ${SLOW_US} us.` : table([`SLOWLOG over ${SLOW_US} us`, 'us'], slowest.map(({ command, us }) => [command, String(us)])),
  ].join('\n\n');
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`).join('\n');
}

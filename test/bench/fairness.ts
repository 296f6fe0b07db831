import type { ChildProcess } from 'node:child_process';
import { size, type Bench } from './benchmark.js';
import { expectArrivals } from './expect-arrivals.js';
import { bareJobOf, openBareQueue, openProductQueue, taskOf, type Filling } from './fill-queue.js';
import { percentile } from './percentile.js';
import { end, forkBench, message, whileRunning } from './process.js';
import type { Arrivals, ReceiverUrls } from './receivers/neighbours.js';
import type { Comparison } from './report.js';
import { slotShare, type SlotSetting } from '../../shared/domain/flow/slot-share.js';
import { DEFAULT_CONCURRENCY, startBareWorker, startWorker } from './start-workers.js';

/** One noisy neighbourhood: slow tasks wait in Redis before the worker starts, fast ones come behind or meanwhile. */
export interface Scenario {
  readonly name: string;
  /** WORKER_CONCURRENCY of each worker. Default: what a user gets who sets nothing. */
  readonly slots?: SlotSetting;
  /** Worker processes. Default 1. */
  readonly workers?: number;
  /** What it is measured beside: a bare BullMQ Worker, or this service with slow receivers that answer at once. Default 'bare'. */
  readonly beside?: 'bare' | 'nothing slow';
  readonly slowReceivers: number;
  /** true: all receivers are paths of one origin. */
  readonly isOneHost?: boolean;
  readonly slowTasksEach: number;
  /** Due with the slow ones, but behind them. */
  readonly fastAtOnce: number;
  readonly fastPerSecond: number;
  readonly seconds: number;
  /** Limit for the 99th percentile of arrival - due of the fast ones, milliseconds. */
  readonly barMs: number;
  /** Whether the end of the slow ones is waited for: it takes minutes, and says the same for 20,000 as for 5,000. */
  readonly waitsForSlow: boolean;
  /** Seconds after which a bare worker is stopped: it would need minutes, and the fast ones wait all that time. */
  readonly bareLimitS: number;
  /** Tasks that are delivered before: code that has never run is slow. */
  readonly warmUp: number;
  /** Where they go. `elsewhere`: to another host, so that nothing is known of the receivers. Default `fast`. */
  readonly warmUpTo?: 'fast' | 'elsewhere';
}

export const s1: Scenario = { name: 'S1', slowReceivers: 1, slowTasksEach: 200, fastAtOnce: 1_000, fastPerSecond: 0, seconds: 0, barMs: 500, waitsForSlow: true, bareLimitS: 30, warmUp: 3_000 };
/** The same bar: a deployment starts all its workers. */
const s1AtStart: Scenario = { ...s1, name: 'S1, worker just started', warmUp: 0, waitsForSlow: false };

const scenarios: readonly Scenario[] = [
  { name: 'S2', slowReceivers: 1, slowTasksEach: 5_000, fastAtOnce: 0, fastPerSecond: 500, seconds: 30, barMs: 1_000, waitsForSlow: true, bareLimitS: 10, warmUp: 0 },
  { name: 'S2 with 20,000 slow', slowReceivers: 1, slowTasksEach: 20_000, fastAtOnce: 0, fastPerSecond: 500, seconds: 30, barMs: 1_000, waitsForSlow: false, bareLimitS: 10, warmUp: 0 },
  { name: 'S3', slowReceivers: 20, slowTasksEach: 100, fastAtOnce: 0, fastPerSecond: 300, seconds: 15, barMs: 500, waitsForSlow: true, bareLimitS: 10, warmUp: 0 },
];

function slowMs(bench: Bench): number {
  return size(bench, 5_000, 200);
}

/** The same shape in a few seconds. */
function quickly(scenario: Scenario): Scenario {
  const { slowTasksEach, fastAtOnce, seconds, warmUp } = scenario;
  return { ...scenario, slowTasksEach: Math.ceil(slowTasksEach / 20), fastAtOnce: fastAtOnce / 10, seconds: Math.min(seconds, 1), bareLimitS: 2, warmUp: warmUp / 100 };
}

/** The worker is up when the first task is due. */
const WORKER_LEAD_MS = 2_500;
const WARM_UP_LIMIT_MS = 60_000;
/** Pessimistic; what comes too late would be counted as waiting. */
const SUBMITTED_PER_SECOND = 4_000;

/**
 * Slow receivers (5 s) beside a fast one, one worker process with the default slots: how late the fast tasks arrive, and
 * when the slow ones are done, against the time that the slots they may have allow. Beside a bare BullMQ Worker with as
 * many slots, which is stopped after some seconds: what had not arrived by then counts with its wait so far.
 */
export function benchFairness(bench: Bench): Promise<Comparison[]> {
  return measureScenarios(bench, scenarios);
}

/** It is short, and its bars are near: more rounds. */
export function benchS1(bench: Bench): Promise<Comparison[]> {
  return measureScenarios(bench, [s1, s1AtStart]);
}

/** The same three on paths of one origin. */
export function benchFairnessInOneHost(bench: Bench): Promise<Comparison[]> {
  return measureScenarios(bench, [s1, ...scenarios].map((scenario) => ({ ...scenario, name: `${scenario.name}, one host`, isOneHost: true })));
}

export async function measureScenarios(bench: Bench, chosen: readonly Scenario[]): Promise<Comparison[]> {
  const rows: Comparison[] = [];
  for (const full of chosen.filter(({ name }) => name.includes(bench.scenario ?? ''))) {
    const scenario = bench.isQuick ? quickly(full) : full;
    const product: Fairness[] = [];
    const baseline: Fairness[] = [];
    for (let round = 0; round < bench.rounds; round += 1) {
      product.push(await measureFairness(bench, scenario, await productSide(bench, scenario), slowMs(bench)));
      baseline.push(isBesideBare(scenario)
        ? await measureFairness(bench, scenario, await bareSide(bench, scenario), slowMs(bench))
        : await measureFairness(bench, scenario, await productSide(bench, scenario), 0));
    }
    rows.push(...compare(scenario, slowMs(bench), product, baseline));
  }
  return rows;
}

function isBesideBare({ beside = 'bare' }: Scenario): boolean {
  return beside === 'bare';
}

/** What fast tasks may wait beside slow ones, in waits of the same tasks with nothing slow: a burst takes a slow machine longer than the bar. */
const RATIO_OF_A_SLOW_MACHINE = 1.25;

function compare(scenario: Scenario, slow: number, product: readonly Fairness[], baseline: readonly Fairness[]): Comparison[] {
  const { name, barMs, waitsForSlow, bareLimitS } = scenario;
  const bareName = baseline.every(({ isStopped }) => !isStopped) ? 'bare BullMQ' : `bare BullMQ, stopped after ${bareLimitS} s`;
  const baselineName = isBesideBare(scenario) ? bareName : 'nothing slow';
  const fast = (what: 'fastP50Ms' | 'fastP99Ms', limit?: number): Comparison => ({
    figure: `${name}: fast ${what === 'fastP50Ms' ? 'p50' : 'p99'}`,
    unit: 'ms',
    product: { name: 'service', values: product.map((each) => each[what]) },
    baseline: { name: baselineName, values: baseline.map((each) => each[what]) },
    ...(limit === undefined ? {} : { limit, ...(isBesideBare(scenario) ? {} : { limitOrRatio: RATIO_OF_A_SLOW_MACHINE }) }),
  });
  const ideal = idealSeconds(scenario, slow);
  const done: Comparison = {
    figure: `${name}: slow tasks done after`,
    unit: 's',
    product: { name: 'service', values: product.map(({ slowLastS }) => slowLastS) },
    baseline: { name: 'ideal for the slots they may have', values: product.map(() => ideal) },
    highestRatio: 1.1,
  };
  return [fast('fastP50Ms'), fast('fastP99Ms', barMs), ...(waitsForSlow ? [done] : [])];
}

/**
 * They run their tasks in waves. n slow hosts with one endpoint each may have 3n/(3n + 4) of the slots: each has three times what
 * its host has left, and n slow endpoints of one host have 3n/(6n + 1), but not more than 6/13.
 */
function idealSeconds(scenario: Scenario, slow: number): number {
  const { slowReceivers, isOneHost, slowTasksEach } = scenario;
  const share = isOneHost === true ? Math.min((3 * slowReceivers) / (6 * slowReceivers + 1), 6 / 13) : (3 * slowReceivers) / (3 * slowReceivers + 4);
  const slots = Math.floor(slotsOf(scenario) * share);
  return (Math.ceil((slowReceivers * slowTasksEach) / slots) * slow) / 1_000;
}

/** Slots of all workers of the scenario together. */
function slotsOf({ slots = DEFAULT_CONCURRENCY, workers = 1 }: Scenario): number {
  return workers * slotShare(slots, workers);
}

interface Side {
  submit(url: string, nth: number, dueAt: number): Promise<unknown>;
  startWorkers(): readonly ChildProcess[];
  /** Seconds after the start at which it is stopped. */
  readonly limitS: number;
  close(): Promise<void>;
}

async function productSide(bench: Bench, scenario: Scenario): Promise<Side> {
  const queue = await openProductQueue(bench.redisPort);
  return {
    submit: (url, nth, dueAt) => queue.submit(taskOf(fillingOf(url, dueAt), nth)),
    startWorkers: () => Array.from({ length: scenario.workers ?? 1 }, () => startWorker(bench.redisPort, scenario.slots ?? DEFAULT_CONCURRENCY)),
    // Half as long again as it may take, so that a MISSED has a figure.
    limitS: Math.max(idealSeconds(scenario, slowMs(bench)) * 1.5, scenario.seconds) + 20,
    close: () => queue.close(),
  };
}

async function bareSide(bench: Bench, scenario: Scenario): Promise<Side> {
  const queue = openBareQueue(bench.redisPort);
  await queue.waitUntilReady();
  return {
    submit: async (url, nth, dueAt) => {
      const job = bareJobOf(fillingOf(url, dueAt), nth);
      await queue.add(job.name, job.data, job.opts);
    },
    startWorkers: () => [startBareWorker(bench.redisPort, slotsOf(scenario))],
    limitS: scenario.bareLimitS,
    close: () => queue.close(),
  };
}

function fillingOf(url: string, dueAt: number): Filling {
  return { tasks: 1, destination: () => ({ type: 'http', url }), body: () => JSON.stringify({ due: dueAt }), dueAt: () => dueAt };
}

interface Fairness {
  readonly fastP50Ms: number;
  readonly fastP99Ms: number;
  /** From the start until the last slow task was answered, seconds. */
  readonly slowLastS: number;
  readonly isStopped: boolean;
}

/** @param delayMs after which a slow receiver answers */
async function measureFairness(bench: Bench, scenario: Scenario, side: Side, delayMs: number): Promise<Fairness> {
  const { slowReceivers, isOneHost, slowTasksEach, fastAtOnce, fastPerSecond, seconds, waitsForSlow, warmUp, warmUpTo = 'fast' } = scenario;
  await bench.redis.flushall();
  const receivers = forkBench('receivers/neighbours.ts', [slowReceivers, delayMs, isOneHost === true ? 1 : 0]);
  const urls = await message<ReceiverUrls>(receivers, 'urls');
  const slowTasks = slowReceivers * slowTasksEach;
  let count = 0;
  let workers: readonly ChildProcess[] | undefined;
  if (warmUp > 0) {
    await expectArrivals(receivers, { fast: warmUp, slow: 0 });
    workers = side.startWorkers();
    const isWarm = message<Arrivals>(receivers, 'done', WARM_UP_LIMIT_MS);
    await Promise.all(Array.from({ length: warmUp }, () => side.submit(urls[warmUpTo], count++, Date.now())));
    await whileRunning(workers, isWarm);
  }
  await expectArrivals(receivers, { fast: fastAtOnce + fastPerSecond * seconds, slow: waitsForSlow ? slowTasks : 0 });

  const fastDues: number[] = [];
  const submitFast = (dueAt: number): Promise<unknown> => {
    fastDues.push(dueAt);
    return side.submit(urls.fast, count++, dueAt);
  };
  const startAt = Date.now() + WORKER_LEAD_MS + ((slowTasks + fastAtOnce) / SUBMITTED_PER_SECOND) * 1_000;
  for (let nth = 0; nth < slowTasksEach; nth += 100) {
    const each = Math.min(100, slowTasksEach - nth);
    // All receivers' tasks mixed, as they would come.
    await Promise.all(Array.from({ length: each }, () => urls.slow.map((url) => side.submit(url, count++, startAt))).flat());
  }
  await Promise.all(Array.from({ length: fastAtOnce }, () => submitFast(startAt)));
  workers ??= side.startWorkers();
  await waitUntil(startAt);
  const done = message<Arrivals>(receivers, 'done', (side.limitS + 30) * 1_000);
  const patience = new AbortController();
  const limit = setTimeout(() => {
    patience.abort();
    // It may be gone when the run has failed.
    if (receivers.connected) receivers.send({ stop: true });
  }, side.limitS * 1_000);
  await feed(scenario, patience.signal, () => submitFast(Date.now()));
  const { fastMs, slowLastAt } = await whileRunning(workers, done);
  clearTimeout(limit);
  const isStopped = patience.signal.aborted;
  const stoppedAt = Date.now();
  await Promise.all([...workers, receivers].map((each) => end(each)));
  await side.close();
  // First come, first served: those that are missing are the last ones.
  const waits = [...fastMs, ...fastDues.slice(fastMs.length).map((dueAt) => stoppedAt - dueAt)];
  return { fastP50Ms: percentile(waits, 0.5), fastP99Ms: percentile(waits, 0.99), slowLastS: ((isStopped ? stoppedAt : slowLastAt) - startAt) / 1_000, isStopped };
}

/** Submits at an even pace, catching up when a timer was late, until the signal says that the run is stopped. */
async function feed({ fastPerSecond, seconds }: Scenario, stopped: AbortSignal, submit: () => Promise<unknown>): Promise<void> {
  const total = fastPerSecond * seconds;
  const startedAt = performance.now();
  const underWay: Promise<unknown>[] = [];
  while (underWay.length < total && !stopped.aborted) {
    const behind = Math.min(total, Math.floor(((performance.now() - startedAt) / 1_000) * fastPerSecond)) - underWay.length;
    for (let nth = 0; nth < behind; nth += 1) underWay.push(submit());
    await new Promise((resolve) => { setTimeout(resolve, 5); });
  }
  await Promise.all(underWay);
}

async function waitUntil(at: number): Promise<void> {
  await new Promise((resolve) => { setTimeout(resolve, at - Date.now()); });
}

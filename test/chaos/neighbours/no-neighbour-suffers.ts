import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { expect } from 'chai';

import { PrivateRedis } from '../../support/redis.js';
import { Service, type Settings } from '../../support/service.js';
import { profile } from '../profile.js';
import { bookRow, type Measured as OfScenario } from '../scenario.js';
import { Attack, type Attacker } from './attack.js';
import { InnocentCrowd } from './innocent-crowd.js';
import type { Measured } from './innocents.js';
import { WatchedProcess, watchedIn, type Sighting } from './watched-process.js';

const INNOCENTS = 20;
/** How much an attack may add to the innocents' p99 of the control run, for requests and for lateness. */
const MOST_MS_MORE = 1_000;
/** The same for the probes. They are few, so the slowest one counts, and each needs a new connection. */
const MOST_MS_MORE_OF_PROBE = 3_000;
/**
 * The rule is 50 ms for one request, answer or batch. A turn is shown up to 10 ms too long (longest-turn.mjs), and a turn in
 * which several sockets are ready does a little for each of them.
 */
const LONGEST_TURN_MS = 75;
/**
 * An idle process has 130 MiB. Bodies may have 256 MiB and unread answers 128 MiB, of which large ones have 64 MiB. What V8 has not
 * collected yet comes on top. Without those limits it was 2,228 MiB after two seconds.
 */
const MOST_MIB = 1_024;

/** Runs of an attacker before it is taken to do harm. */
const MOST_TRIES = 3;

interface Run {
  readonly name: string;
  readonly measured: Measured;
  readonly api: Sighting;
  readonly worker: Sighting;
}

/** The service under attack, and what belongs to it. */
interface Stage {
  readonly service: Service;
  readonly api: WatchedProcess;
  readonly worker: WatchedProcess;
}

/**
 * Tests that each attacker leaves the neighbours alone: an API, a worker and a Redis of their own, and innocents that post tasks
 * to a healthy receiver while one attacker does its worst. Before that comes a run without attacker, to compare with.
 *
 * @param number of the row in docs/RELIABILITY.md
 */
export function noNeighbourSuffers(number: string, from: string, attackers: readonly Attacker[], settings: Settings = {}): void {
  const chosen = attackers.filter(({ isLongOnly = false }) => !isLongOnly || profile.name === 'long');

  describe(`chaos: no neighbour suffers from ${from}`, function () {
    this.timeout(MOST_TRIES * (40_000 + profile.attackSeconds * 1_000));
    const startedAt = performance.now();
    const runs: Run[] = [];
    let folder: string;
    let redis: PrivateRedis;
    let crowd: InnocentCrowd;
    let stage: Stage | undefined;
    let control: Measured | undefined;
    let failed = 0;

    before(async () => {
      folder = await mkdtemp(path.join(tmpdir(), 'neighbours-'));
      redis = await PrivateRedis.start(['--maxmemory-policy', 'noeviction']);
      crowd = await InnocentCrowd.start(INNOCENTS, profile.innocentRequestsPerSecond);
    });

    after(async () => {
      await crowd.close();
      await stage?.service.close();
      await redis.close();
      await rm(folder, { recursive: true });
      console.log(`\n${printRuns(runs)}\n`);
      const title = `${INNOCENTS} clients of ${profile.innocentRequestsPerSecond} requests/s beside ${from}, ${chosen.length} kinds`;
      if (failed > 0 || new Set(runs.map(({ name }) => name)).size <= chosen.length) bookRow({ number, title, failed: true });
      else bookRow({ number, title, ...reckon(runs), tookMs: Math.round(performance.now() - startedAt) });
    });

    afterEach(async function () {
      if (this.currentTest?.state !== 'failed') return;
      failed += 1;
      // The next attacker shall not be blamed for what this one has left behind.
      const { service } = stage ?? {};
      stage = undefined;
      await service?.close().catch(() => undefined);
    });

    async function ready(): Promise<Stage> {
      if (stage !== undefined) return stage;
      // Few finished records are kept: the run makes a hundred thousand of them.
      const service = await Service.start({ workers: 0, redis: redis.address, settings: { DELIVERED_MAX: '20000', SHUTDOWN_TIMEOUT: '3s', ...watchedIn(folder), ...settings } });
      const worker = await service.startWorker().catch(async (error: unknown) => {
        await service.close();
        throw error;
      });
      const started: Stage = { service, api: new WatchedProcess(service.server, folder), worker: new WatchedProcess(worker, folder) };
      stage = started;
      crowd.aimAt(portOf(service));
      // Code that has never run is slow, and a start is one long turn.
      await crowd.measure(1_000);
      return started;
    }

    async function measure(name: string, attacker?: Attacker): Promise<Run> {
      const { service, api, worker } = await ready();
      const attack = new Attack(portOf(service));
      try {
        await Promise.all([api.look(), worker.look()]);
        await attacker?.start(attack);
        const measured = await crowd.measure(Math.max(profile.attackSeconds, attacker?.leastSeconds ?? 0) * 1_000);
        const dead = [api, worker].filter((each) => !each.process.isRunning);
        if (dead.length > 0) throw new Error(`${dead.map((each) => (each === api ? 'the API' : 'the worker')).join(' and ')} has ended; the end of the output:\n${service.output.slice(-3_000)}`);
        const run: Run = { name, measured, api: await api.look(), worker: await worker.look() };
        runs.push(run);
        return run;
      } finally {
        await attack.end();
      }
    }

    it('runs without an attacker, to compare with', async () => {
      // The machine may be busy with something else for a moment.
      for (let tries = 0; tries < MOST_TRIES && !(control !== undefined && isCalm(control)); tries += 1) control = (await measure('none')).measured;
      expect(control).to.deep.include({ failures: {}, missing: 0 });
      expect(control?.requestP99Ms).to.be.below(MOST_MS_MORE);
      expect(control?.latenessP99Ms).to.be.below(MOST_MS_MORE);
      expect(control?.acked, 'the machine bears these clients').to.be.above(0.8 * 0.9 * INNOCENTS * profile.innocentRequestsPerSecond * profile.attackSeconds);
    });

    for (const attacker of chosen) {
      it(attacker.name, async () => {
        if (control === undefined) throw new Error('there is no run to compare with');
        const tries: Run[] = [];
        let harm: string[];
        do {
          const run = await measure(attacker.name, attacker);
          tries.push(run);
          harm = [...harmOf(run), ...slownessOf(tries, control)];
        } while (harm.length > 0 && tries.every((run) => harmOf(run).length === 0) && tries.length < MOST_TRIES);
        expect(harm).to.deep.equal([]);
      });
    }
  });
}

function portOf({ baseUrl }: Service): number {
  return Number(new URL(baseUrl).port);
}

function isCalm({ requestP99Ms, latenessP99Ms, failures, missing }: Measured): boolean {
  return requestP99Ms < MOST_MS_MORE && latenessP99Ms < MOST_MS_MORE && missing === 0 && Object.keys(failures).length === 0;
}

type Limit = readonly [what: string, seen: number, limit: number];

const isBroken = ([, seen, limit]: Limit): boolean => !(seen <= limit);
const inWords = ([what, seen, limit]: Limit): string => `${what}: ${Math.round(seen)}, at most ${Math.round(limit)}`;

/** Harm for which no busy machine is an excuse, in words. All of it: the first one is seldom the one that explains the others. */
function harmOf({ measured, api, worker }: Run): string[] {
  const failures = Object.entries(measured.failures).map(([how, times]) => `${times} x ${how}`);
  const limits: readonly Limit[] = [
    ['memory of the API, MiB', api.peakMiB, MOST_MIB],
    ['memory of the worker, MiB', worker.peakMiB, MOST_MIB],
  ];
  return [...failures, ...limits.filter(isBroken).map(inWords)];
}

/** What took too long in each of the runs. A busy machine makes things late, never early, so the best run counts. */
function slownessOf(runs: readonly Run[], control: Measured): string[] {
  const best = (of: (run: Run) => number): number => Math.min(...runs.map(of));
  const limits: readonly Limit[] = [
    ['p99 of the requests, ms', best(({ measured }) => measured.requestP99Ms), control.requestP99Ms + MOST_MS_MORE],
    ['p99 of the probes, ms', best(({ measured }) => measured.probeP99Ms), control.probeP99Ms + MOST_MS_MORE_OF_PROBE],
    ['p99 of the lateness, ms', best(({ measured }) => measured.latenessP99Ms), control.latenessP99Ms + MOST_MS_MORE],
    ['tasks that have not arrived 10 s later', best(({ measured }) => measured.missing), 0],
    ['longest turn of the API, ms of CPU', best(({ api }) => api.longestTurnMs), LONGEST_TURN_MS],
    ['longest turn of the worker, ms of CPU', best(({ worker }) => worker.longestTurnMs), LONGEST_TURN_MS],
  ];
  return limits.filter(isBroken).map(inWords);
}

function printRuns(runs: readonly Run[]): string {
  const head = ['attacker', 'requests', 'request p99', 'probe p99', 'lateness p99', 'missing', 'failures', 'turn api', 'turn worker', 'cpu api', 'cpu worker', 'MiB api', 'MiB worker'];
  const rows = runs.map(({ name, measured, api, worker }) => [
    name,
    measured.requests,
    ...[measured.requestP99Ms, measured.probeP99Ms, measured.latenessP99Ms].map(Math.round),
    measured.missing,
    Object.values(measured.failures).reduce((sum, times) => sum + times, 0),
    ...[api.longestTurnMs, worker.longestTurnMs, api.cpuMs, worker.cpuMs, api.peakMiB, worker.peakMiB].map(Math.round),
  ]);
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function reckon(runs: readonly Run[]): OfScenario {
  const sum = (of: (run: Run) => number): number => runs.reduce((total, run) => total + of(run), 0);
  const most = (of: (run: Run) => number): number => Math.round(Math.max(...runs.map(of)));
  const [control] = runs;
  const lost = sum(({ measured }) => measured.missing);
  const acked = sum(({ measured }) => measured.acked);
  return {
    acked,
    refused: 0,
    delivered: acked - lost,
    dead: 0,
    parked: 0,
    cancelled: 0,
    lost,
    duplicates: sum(({ measured }) => measured.duplicates),
    recoveryMs: 0,
    note: `p99 of a request ${most(({ measured }) => measured.requestP99Ms)} ms at worst (${Math.round(control?.measured.requestP99Ms ?? NaN)} without attacker), of lateness ${most(({ measured }) => measured.latenessP99Ms)} ms (${Math.round(control?.measured.latenessP99Ms ?? NaN)}); longest turn ${most(({ api, worker }) => Math.max(api.longestTurnMs, worker.longestTurnMs))} ms of CPU; at most ${most(({ api, worker }) => Math.max(api.peakMiB, worker.peakMiB))} MiB`,
  };
}

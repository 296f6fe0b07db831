import type { SlotSetting } from '../../shared/domain/flow/slot-share.js';
import type { Bench } from './benchmark.js';
import { measureScenarios, s1, type Scenario } from './fairness.js';
import type { Comparison } from './report.js';

const oneHost = { isOneHost: true, beside: 'nothing slow', waitsForSlow: false, barMs: 500, warmUp: 0 } as const;

/** All begin with a worker that knows no endpoint of the host. The first one has delivered 3,000 tasks to another host before; the others have just started. */
const neighbourhoods: readonly Scenario[] = [
  { ...s1, ...oneHost, name: 'one slow path', warmUp: s1.warmUp, warmUpTo: 'elsewhere' },
  { ...s1, ...oneHost, name: 'one slow path, just started' },
  { ...s1, ...oneHost, name: '150 slow paths', slowReceivers: 150, slowTasksEach: 10, fastAtOnce: 0, fastPerSecond: 300, seconds: 15 },
];

/** WORKER_CONCURRENCY, and how many workers have it each. */
const settings: readonly (readonly [slots: SlotSetting, workers: number])[] = [
  [50, 1],
  [200, 1],
  [1_000, 1],
  ['auto', 1],
  [25, 2],
  [100, 2],
  ['auto', 2],
];

/**
 * Slow paths (5 s) beside a fast one of the same origin: how late the fast tasks arrive, by the number of slots and of workers. One slow
 * path has 200 tasks, and 1,000 fast ones are due with them, behind them. 150 slow paths have 10 tasks each, all due at once, and 300 fast ones
 * are due in each second from then on. Beside the same tasks with receivers that all answer at once: a burst takes its time then too.
 */
export function benchFairnessBySlots(bench: Bench): Promise<Comparison[]> {
  return measureScenarios(bench, neighbourhoods.flatMap((scenario) => settings.map(([slots, workers]) => ({
    ...scenario,
    name: `${scenario.name}, ${workers === 1 ? '' : `${workers} workers, `}${slots} slots${workers === 1 ? '' : ' each'}`,
    slots,
    workers,
  }))));
}

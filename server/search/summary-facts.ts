import type { PathMask } from '../../shared/domain/destinations/path-mask.js';
import type { SettingsInForce } from '../../shared/domain/flow/worker-facts.js';
import type { Clock } from '../../shared/domain/ports.js';
import type { TaskQueue } from '../../shared/queue/tasks/task-queue.js';
import type { SummaryFacts } from './summary-view.js';

export interface SummaryParts {
  readonly queue: Pick<TaskQueue, 'fleet'>;
  readonly mask: PathMask;
  readonly clock: Clock;
}

/**
 * @param isWaiting whether one of the tasks waits
 * @param settings  that the tasks were looked for by: asking once more would take up to 0.15 s more while the part that has them is away
 */
export async function summaryFacts(isWaiting: boolean, { defaultBrokers, circuit: rules }: SettingsInForce, { queue, mask, clock }: SummaryParts): Promise<SummaryFacts> {
  const snapshot = isWaiting ? await queue.fleet.flowIfThere((store) => store.snapshotOfAll()) : undefined;
  return { defaultBrokers, mask, rules, snapshot, now: clock() };
}

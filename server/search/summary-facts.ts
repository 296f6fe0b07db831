import type { PathMask } from '../../shared/domain/destinations/path-mask.js';
import type { Clock } from '../../shared/domain/ports.js';
import type { TaskQueue } from '../../shared/queue/tasks/task-queue.js';
import type { FleetSettings } from '../flow/fleet-settings.js';
import type { SummaryFacts } from './summary-view.js';

export interface SummaryParts {
  readonly queue: Pick<TaskQueue, 'flowIfThere'>;
  readonly fleetSettings: Pick<FleetSettings, 'inForce'>;
  readonly mask: PathMask;
  readonly clock: Clock;
}

/** @param isWaiting whether one of the tasks waits */
export async function summaryFacts(isWaiting: boolean, { queue, fleetSettings, mask, clock }: SummaryParts): Promise<SummaryFacts> {
  const { defaultBrokers, circuit: rules } = await fleetSettings.inForce();
  const snapshot = isWaiting ? await queue.flowIfThere((store) => store.snapshotOfAll()) : undefined;
  return { defaultBrokers, mask, rules, snapshot, now: clock() };
}

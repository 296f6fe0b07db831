import type { Clock } from '../../shared/domain/ports.js';
import type { PathMask } from '../../shared/domain/destinations/path-mask.js';
import { EVERYTHING } from '../../shared/domain/flow/flow-policy.js';
import { flowDue } from '../../shared/domain/flow/flow-key.js';
import { taskIdOf } from '../../shared/queue/names.js';
import type { Shard } from '../../shared/queue/engine/shard.js';
import { SINGLE_DATA_BYTES, type BoardJob } from '../../shared/queue/tasks/board-jobs.js';
import { UnreadableTaskError } from '../../shared/queue/tasks/task-codec.js';
import type { TaskQueue } from '../../shared/queue/tasks/task-queue.js';
import { readTask, type TaskView } from '../../shared/queue/tasks/task-view.js';
import type { FleetSettings } from '../flow/fleet-settings.js';
import { namesOf, waitingFor, type WaitingFor } from '../tasks/waiting-for.js';

export interface WaitingParts {
  /** The connection of the board. */
  readonly reads: Pick<TaskQueue, 'fleet'>;
  readonly fleetSettings: Pick<FleetSettings, 'inForce'>;
  readonly mask: PathMask;
  readonly clock: Clock;
}

/** Why the tasks of a page wait, by the ids of their jobs: as GET /tasks/:id says it. */
export type WaitingByJob = ReadonlyMap<string, WaitingFor>;

/**
 * It reads the settings of all destinations of a page at once. A task whose data is too long for the page is left out: it would
 * have to be read for this alone.
 */
export async function readWaiting(shard: Shard, jobs: readonly BoardJob[], { reads, fleetSettings, mask, clock }: WaitingParts): Promise<WaitingByJob> {
  const waiting = jobs.filter(({ finishedAt, data }) => finishedAt === undefined && data !== undefined);
  if (waiting.length === 0) return new Map();
  const [views, { defaultBrokers, circuit: rules }] = await Promise.all([Promise.all(waiting.map(async ({ id }) => viewOf(shard, id))), fleetSettings.inForce()]);
  const seen = views.map((view) => ({ view, flow: view === undefined ? undefined : flowDue(view.task, view.progress.phase, defaultBrokers, mask) }));
  const names = new Set([EVERYTHING, ...seen.flatMap(({ flow }) => (flow === undefined ? [] : namesOf(flow)))]);
  const snapshot = await reads.fleet.flowIfThere((store) => store.snapshot([...names]));
  return new Map(
    seen.flatMap(({ view, flow }, nth) => {
      const reason = view === undefined ? null : waitingFor(view, { flow, snapshot, rules, now: clock() });
      const id = waiting[nth]?.id;
      return reason === null || id === undefined ? [] : [[id, reason]];
    }),
  );
}

async function viewOf(shard: Shard, jobId: string): Promise<TaskView | undefined> {
  const taskId = taskIdOf(jobId);
  if (taskId === undefined) return undefined;
  try {
    const view = await readTask(shard, taskId, SINGLE_DATA_BYTES);
    return view === 'too large' || view === 'foreign' ? undefined : view;
  } catch (error) {
    if (error instanceof UnreadableTaskError) return undefined; // the page says so in place of its data
    throw error;
  }
}

import { hasPermission, type Caller } from '../../shared/domain/access/caller.js';
import { flowDue } from '../../shared/domain/flow/flow-key.js';
import { EVERYTHING } from '../../shared/domain/flow/flow-policy.js';
import type { SettingsInForce } from '../../shared/domain/flow/worker-facts.js';
import type { Clock } from '../../shared/domain/ports.js';
import type { PathMask } from '../../shared/domain/destinations/path-mask.js';
import type { TaskQueue } from '../../shared/queue/tasks/task-queue.js';
import type { TaskView } from '../../shared/queue/tasks/task-view.js';
import type { FleetSettings } from '../flow/fleet-settings.js';
import { jsonAnswer, type Answer } from '../http/answer.js';
import type { WorkTurns } from '../http/work-turns.js';
import { hasLargeMessage } from './large-task.js';
import { toWireTask } from './view.js';
import { namesOf, type WaitingFacts } from './waiting-for.js';

export interface ShowTaskParts {
  readonly queue: TaskQueue;
  readonly fleetSettings: Pick<FleetSettings, 'inForce'>;
  /** What is shown of the paths of urls. */
  readonly mask: PathMask;
  readonly turns: WorkTurns;
  readonly clock: Clock;
}

/**
 * The answer that shows a task, with why it waits. Whole urls are shown to a key that may see messages. While AUTH=off anybody on the network may
 * ask, so then nobody sees them here.
 */
export async function showTask(view: TaskView, caller: Caller, includesMessage: boolean, parts: ShowTaskParts): Promise<Answer> {
  const { mask, turns } = parts;
  const includesUrls = caller.type !== 'anonymous' && hasPermission(caller, 'payload');
  const settings = await parts.fleetSettings.inForce();
  const waiting = view.nextAttemptAt === undefined ? undefined : await findObstacles(view, settings, parts);
  // To decode a message of 6 MiB took 15 ms of this turn, and to print it takes as long.
  if (hasLargeMessage(view.task)) await turns.next();
  return jsonAnswer(200, toWireTask(view, { includesMessage, includesUrls, waiting, mask, defaultBrokers: settings.defaultBrokers }));
}

async function findObstacles({ task, progress }: TaskView, { defaultBrokers, circuit }: SettingsInForce, { queue, mask, clock }: ShowTaskParts): Promise<WaitingFacts> {
  const flow = flowDue(task, progress.phase, defaultBrokers, mask);
  const snapshot = await queue.fleet.flowIfThere((store) => store.snapshot(flow === undefined ? [EVERYTHING] : namesOf(flow)));
  return { flow, snapshot, rules: circuit, now: clock() };
}

import type { SecretBox } from '../../shared/domain/secrets/secret-box.js';
import { sealTask } from '../../shared/domain/task/task-secrets.js';
import type { Task } from '../../shared/domain/task/task.js';
import { contentHash, encodeTask, messageJson, type TaskContent } from '../../shared/queue/tasks/task-codec.js';
import type { WorkTurns } from '../http/work-turns.js';

/** UTF-16 units. A message of this size that consists of control characters takes 6 ms to encode. */
const LARGE_CHARACTERS = 262_144;

/** Its content should be made in turns of their own. */
export function hasLargeMessage({ messageData }: Task): boolean {
  return messageData.length >= LARGE_CHARACTERS;
}

/** The data of a task that was changed: see encodeTask. A large message is written in turns of its own. */
export async function dataInTurns(changed: Task, edits: number, turns: WorkTurns, secrets: SecretBox): Promise<string> {
  const task = sealTask(changed, secrets);
  if (!hasLargeMessage(task)) return encodeTask(task, messageJson(task), edits);
  await turns.next();
  const message = messageJson(task);
  await turns.next();
  return encodeTask(task, message, edits);
}

/** Makes the parts of a submission that take long for a large message: 1 MiB of control characters takes 40 ms in all. */
export async function contentInTurns(task: Task, turns: WorkTurns, secrets: SecretBox): Promise<TaskContent> {
  await turns.next();
  const message = messageJson(task);
  await turns.next();
  const sha = contentHash(task, message);
  await turns.next();
  return { sha, data: encodeTask(sealTask(task, secrets), message) };
}

import { RequestError } from '../../shared/domain/errors.js';
import type { Task } from '../../shared/domain/task/task.js';
import type { ParseTask } from '../tasks/schema.js';
import { hintInTask } from '../tasks/unknown-field.js';

const fields = ['destination_type', 'destination', 'message_data', 'reason'] as const;
const DEFAULT_MESSAGE = '{"test":true}';
const SHOWN_CHARACTERS = 100;

/** What a receiver sees of a test send in place of a task: it has no client, and is never repeated. */
const NAME = 'test-send';

export interface TestSend {
  /** It is stored nowhere as a task. */
  readonly task: Task;
  /** As it came. */
  readonly reason: unknown;
}

/**
 * The body of POST /test-sends. The destination is checked as that of a task, by the same rules and the same address policy.
 * @param id of the task that it would be. @throws RequestError invalid_task, secrets_not_configured
 */
export function parseTestSend(body: unknown, id: string, parseTask: ParseTask): TestSend {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw refusal('', 'the body must be an object with destination_type and destination');
  const given = body as Readonly<Record<string, unknown>>;
  for (const name of Object.keys(given)) if (!(fields as readonly string[]).includes(name)) throw refusal(name.slice(0, SHOWN_CHARACTERS).toWellFormed(), `is not taken here${hintInTask(name, fields)}`);
  const { destination_type, destination, message_data = DEFAULT_MESSAGE, reason } = given;
  const task = parseTask({ id, source: NAME, client_id: NAME, destination_type, destination, on_exhausted: 'park', max_retries: 0, base_delay: 1, message_data });
  return { task, reason };
}

function refusal(field: string, complaint: string): RequestError {
  const message = field === '' ? complaint : `${field} ${complaint}`;
  return new RequestError('invalid_task', message, [{ field, message }]);
}

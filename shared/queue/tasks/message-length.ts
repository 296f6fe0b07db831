import { taskFields } from '../../domain/task/task-fields.js';

const MESSAGE_LETTER = taskFields.messageData.letter;

/**
 * How much of the memory of a worker a job takes, nearly: all other fields are small beside a large message.
 * @param data what a job holds, as in task-codec.ts
 * @returns characters of its message; 0 for data that this version cannot read
 */
export function messageLength(data: unknown): number {
  if (typeof data !== 'object' || data === null) return 0;
  // The field is checked below.
  const message = (data as Readonly<Record<string, unknown>>)[MESSAGE_LETTER];
  return typeof message === 'string' ? message.length : 0;
}

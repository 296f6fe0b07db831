import type { IncomingMessage } from 'node:http';
import { RequestError } from '../../shared/domain/errors.js';
import { readJsonBody } from './json-body.js';
import { nearestName } from './nearest-name.js';
import { hasContent } from './unread-body.js';

/** This is far more than a reason needs. */
const MAX_BODY_BYTES = 65_536;
const MAX_REASON_CHARACTERS = 500;
const SHOWN_CHARACTERS = 100;

/**
 * Reads the body of a change that needs none: nothing, `{}`, or `{"reason":"the receiver is back"}`. What else stands there was
 * meant to do something, so it must not be dropped in silence.
 * @throws RequestError invalid_request, and those of readJsonBody
 */
export async function checkReasonBody(request: IncomingMessage): Promise<void> {
  if (!hasContent(request)) return;
  const body = await readJsonBody(request, MAX_BODY_BYTES);
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw refusal('', 'the body must be an object, or there must be none');
  for (const [name, value] of Object.entries(body)) {
    if (name !== 'reason') throw refusal(name.slice(0, SHOWN_CHARACTERS).toWellFormed(), `is not taken here${nearestName(name, ['reason']) === undefined ? '' : ': did you mean reason?'}`);
    if (!isReason(value)) throw refusal('reason', `must be a text of 1 to ${MAX_REASON_CHARACTERS} characters`);
  }
}

/** Refuses a body where none can be meant. @throws RequestError invalid_request */
export function checkNoBody(request: IncomingMessage): void {
  if (hasContent(request)) throw refusal('', 'this call takes no body');
}

function isReason(value: unknown): boolean {
  return typeof value === 'string' && value.length > 0 && value.isWellFormed() && [...value.slice(0, 2 * MAX_REASON_CHARACTERS + 2)].length <= MAX_REASON_CHARACTERS;
}

function refusal(field: string, complaint: string): RequestError {
  const message = field === '' ? complaint : `${field} ${complaint}`;
  return new RequestError('invalid_request', message, [{ field, message }]);
}

import type { IncomingMessage } from 'node:http';
import type { Actor } from '../../shared/domain/actor.js';
import { RequestError } from '../../shared/domain/errors.js';
import { readJsonBody } from './json-body.js';
import { didYouMean } from './nearest-name.js';
import { operatorOf } from './operator-header.js';
import type { RequestContext } from './request-context.js';
import { hasContent } from './unread-body.js';

/*
 * Who asks for a change, and why. Every call that changes something takes both in the same way: the header X-Operator, and
 * `?reason=` or the member `reason` of a body.
 */

/** This is far more than a reason and three other fields need. */
export const MAX_CHANGE_BYTES = 65_536;
const MAX_REASON_CHARACTERS = 500;
const SHOWN_CHARACTERS = 100;

export const REASON_RULE = `must be a text of 1 to ${MAX_REASON_CHARACTERS} characters`;

/** What a caller says beside the change itself. */
export interface AskedChange {
  readonly by: Actor;
  readonly reason: string | undefined;
}

/**
 * @param bodyReason the member `reason` of the body; undefined or null when there is none
 * @throws RequestError invalid_request
 */
export function askedChange({ request, query, caller: { type, id, name } }: RequestContext, bodyReason?: unknown): AskedChange {
  const by: Actor = { type, id, name, operator: operatorOf(request) };
  const queryReason = query.get('reason');
  if (queryReason !== undefined && bodyReason !== undefined && bodyReason !== null) throw refusal('reason', 'stands in the query and in the body: give it once');
  // A field that has nothing is null, so null is no reason. What an answer says of a pause can be sent as it is.
  const reason: unknown = queryReason ?? bodyReason ?? undefined;
  if (reason !== undefined && !isReason(reason)) throw refusal('reason', REASON_RULE);
  return { by, reason };
}

/** Of a call that takes no body. @throws RequestError invalid_request */
export function readAskedChange(context: RequestContext): AskedChange {
  checkNoBody(context.request);
  return askedChange(context);
}

/**
 * Of a call whose body may be left out: nothing, `{}`, or `{"reason":"the receiver is back"}`. What else stands there was meant
 * to do something, so it must not be dropped in silence.
 * @param others names of further members that the call takes
 * @returns also the further members as they came
 * @throws RequestError invalid_request, and those of readJsonBody
 */
export async function readReasonBody<Other extends string = never>(context: RequestContext, others: readonly Other[] = []): Promise<{ readonly asked: AskedChange; readonly others: Readonly<Partial<Record<Other, unknown>>> }> {
  const found: Partial<Record<Other, unknown>> = {};
  if (!hasContent(context.request)) return { asked: askedChange(context), others: found };
  const body = await readJsonBody(context, MAX_CHANGE_BYTES);
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw refusal('', 'the body must be an object, or there must be none');
  const known = ['reason', ...others];
  let reason: unknown;
  for (const [name, value] of Object.entries(body as Readonly<Record<string, unknown>>)) {
    const other = others.find((each) => each === name);
    if (other !== undefined) found[other] = value;
    else if (name === 'reason') reason = value;
    else throw refusal(name.slice(0, SHOWN_CHARACTERS).toWellFormed(), `is not taken here${didYouMean(name, known) || `; known: ${known.join(', ')}`}`);
  }
  return { asked: askedChange(context, reason), others: found };
}

export function isReason(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.isWellFormed() && [...value.slice(0, 2 * MAX_REASON_CHARACTERS + 2)].length <= MAX_REASON_CHARACTERS;
}

function checkNoBody(request: IncomingMessage): void {
  if (hasContent(request)) throw refusal('', 'this call takes no body: a reason stands in the query, ?reason=...');
}

function refusal(field: string, complaint: string): RequestError {
  const message = field === '' ? complaint : `${field} ${complaint}`;
  return new RequestError('invalid_request', message, [{ field, message }]);
}

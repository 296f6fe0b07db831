import { createHash } from 'node:crypto';
import type { BulkOrder } from '../../shared/domain/bulk-actions/bulk-action.js';
import type { Override } from '../../shared/domain/bulk-actions/override.js';
import { openOverride } from '../../shared/domain/bulk-actions/override-secrets.js';
import { RequestError } from '../../shared/domain/errors.js';
import { parseFilterMembers, type Filter } from '../../shared/domain/search/filter.js';
import { SealedTextError, type SecretBox } from '../../shared/domain/secrets/secret-box.js';
import { statesTakenBy, taskActions, type TaskAction } from '../../shared/domain/task/state-actions.js';
import { taskIdCheck } from '../../shared/domain/task/task-id.js';
import type { WireViolation } from '../../shared/wire/error.js';
import { statesNamed } from '../../shared/queue/search/search-places.js';
import { didYouMean } from '../http/nearest-name.js';
import { shortViolations } from '../http/short-error.js';
import { hintForChoice } from '../http/value-hint.js';
import type { ParseTask } from '../tasks/schema.js';
import { parseOverride, type OverrideFault } from './override.js';

/** What may be asked of bulk actions. Wire names (snake_case) become our names here. */

const MAX_IDS = 10_000;
/** 10,000 ids of 255 characters, written as JSON. */
export const MAX_BULK_BYTES = 16 * 1_048_576;
/** 10,000 ids have as many commas. */
export const MOST_STRUCTURAL = 20_000;

const RATE = { min: 0.001, max: 1_000_000 } as const;
const MAX_LIMIT = 100_000_000;
const FIELDS = ['id', 'action', 'filter', 'ids', 'dry_run', 'cursor', 'expected', 'rate', 'limit', 'order', 'override', 'reason'];

const orders = ['oldest', 'newest'] as const satisfies readonly BulkOrder[];

/** What other systems call the actions. */
const wordsForActions: ReadonlyMap<string, TaskAction> = new Map([
  ...['retry', 'replay', 'requeue', 'resend', 'resubmit'].map((word) => [word, 'redrive'] as const),
  ...['abort', 'stop'].map((word) => [word, 'cancel'] as const),
  ...['remove', 'discard'].map((word) => [word, 'delete'] as const),
]);

export interface BulkRequest {
  /** undefined: one is made. */
  readonly id: string | undefined;
  readonly action: TaskAction;
  /** Each once, in the order in which they were given. */
  readonly ids: readonly string[] | undefined;
  /** As it came, and as conditions. Either this or ids are given. */
  readonly filter: { readonly wire: Readonly<Record<string, unknown>>; readonly conditions: Filter } | undefined;
  /** Where a dry run goes on. */
  readonly cursor: string | undefined;
  readonly isDryRun: boolean;
  readonly expected: number | null;
  readonly rate: number | null;
  readonly limit: number | null;
  readonly order: BulkOrder;
  /** null: none. */
  readonly override: Override | null;
  readonly reason: unknown;
}

/**
 * @param body  JSON from outside
 * @param reason of the query; undefined when there is none
 * @param parseTask checks the fields of an override
 * @throws RequestError invalid_request with the first violations
 */
export function parseBulkRequest(body: unknown, reason: string | undefined, parseTask: ParseTask): BulkRequest {
  if (!isObject(body)) throw refusal([{ field: '', message: 'the body must be an object' }]);
  const faults: OverrideFault[] = [];
  const fault: Fault = (field, complaint) => {
    faults.push({ field, message: `${field} ${complaint}` });
    return null;
  };
  for (const name of Object.keys(body).slice(0, 1_000)) if (!FIELDS.includes(name)) fault(name, `is not allowed${didYouMean(name, FIELDS)}`);
  const action = taskActions.find((each) => each === body['action']) ?? fault('action', `must be one of ${taskActions.join(', ')}${hintForChoice(body['action'], taskActions, wordsForActions)}`);
  const id = body['id'] === undefined ? undefined : checkId(body['id'], fault);
  const ids = checkIds(body, fault);
  const filter = body['filter'] === undefined ? undefined : checkFilter(body['filter'], action, fault);
  const cursor = checkCursor(body['cursor'], isDryRunIn(body), fault);
  const isDryRun = flag(body['dry_run'], 'dry_run', fault);
  const expected = wholeNumber(body['expected'], 'expected', 0, fault);
  const limit = wholeNumber(body['limit'], 'limit', 1, fault);
  const rate = checkRate(body['rate'], fault);
  const order = body['order'] === undefined ? 'oldest' : orders.find((each) => each === body['order']) ?? fault('order', `must be oldest or newest${hintForChoice(body['order'], orders)}`);
  const override = body['override'] === undefined ? null : checkOverride(body['override'], action, parseTask, faults);
  if ((action === 'cancel' || action === 'delete') && !isDryRun) {
    if (isMissing(body['expected'])) fault('expected', `is required: ${action} cannot be taken back, so say how many tasks it is to change (a dry run tells)`);
    if (isMissing(body['reason']) && reason === undefined) fault('reason', `is required for ${action}`);
  }
  if (faults.length > 0 || action === null || order === null) throw refusal(faults);
  return { id: id ?? undefined, action, ids: ids ?? undefined, filter: filter ?? undefined, cursor: cursor ?? undefined, isDryRun, expected, rate, limit, order, override, reason: body['reason'] };
}

/** PATCH `{"rate": 100}`; null: none. @throws RequestError invalid_request */
export function parseRateChange(body: unknown): { readonly rate: number | null; readonly reason: unknown } {
  if (!isObject(body)) throw refusal([{ field: '', message: 'the body must be an object, such as {"rate":100}' }]);
  const faults: WireViolation[] = [];
  const fault: Fault = (field, complaint) => {
    faults.push({ field, message: `${field} ${complaint}` });
    return null;
  };
  for (const name of Object.keys(body).slice(0, 1_000)) if (name !== 'rate' && name !== 'reason') fault(name, `is not allowed${didYouMean(name, ['rate', 'reason'])}`);
  if (body['rate'] === undefined) fault('rate', 'is required: a number of tasks a second, or null for no rate');
  const rate = checkRate(body['rate'], fault);
  if (faults.length > 0) throw refusal(faults);
  return { rate, reason: body['reason'] };
}

/**
 * Two requests ask for the same if their bodies hold the same, in whatever order, and their keys are bound to the same clients.
 * @param reason    the one that counts, wherever it stood
 * @param clientIds undefined: the key is bound to none
 * @param override  as it is stored beside the digest. What is encrypted there must not be in the digest, by which short secrets could be
 *                  guessed: hasSameSecrets compares it
 */
export function digestOf(body: unknown, reason: string | undefined, clientIds: readonly string[] | undefined, override: Override | null): string {
  const { id: _id, ...rest } = isObject(body) ? body : {};
  return createHash('sha256').update(canonical({ ...rest, reason, ...(override === null ? {} : { override: override.fields }), ...(clientIds === undefined ? {} : { ' clients': [...clientIds].sort() }) })).digest('base64url');
}

/** Whether two overrides that are the same in what they show are the same in what they hide. @throws RequestError conflict: this process cannot tell */
export function hasSameSecrets(asked: Override | null, stored: Override | null, actionId: string, secrets: SecretBox): boolean {
  if (asked === null || stored === null) return asked === stored;
  return canonical(asked.fields) === canonical(opened(stored, actionId, secrets).fields);
}

/** The key may have left SECRETS_KEYS meanwhile. */
function opened(stored: Override, actionId: string, secrets: SecretBox): Override {
  try {
    return openOverride(stored, actionId, secrets);
  } catch (error) {
    if (!(error instanceof SealedTextError)) throw error;
    throw new RequestError('conflict', `a bulk action with the id ${JSON.stringify(actionId)} is there, and what it hides cannot be decrypted by this process`);
  }
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, each: unknown) => (isObject(each) ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1))) : each));
}

/** Notes a violation. @returns null, which stands for the value that is not valid */
type Fault = (field: string, complaint: string) => null;

/** The id of an action is a part of paths and of names in Redis. */
function checkId(id: unknown, fault: Fault): string | null {
  const complaint = complaintAbout(id) ?? (typeof id === 'string' && id.includes('/') ? 'must not contain /' : undefined);
  return complaint === undefined && typeof id === 'string' ? id : fault('id', complaint ?? 'must be a text');
}

function checkIds(body: Readonly<Record<string, unknown>>, fault: Fault): readonly string[] | null {
  const { ids } = body;
  if (body['filter'] !== undefined) return ids === undefined ? null : fault('ids', 'must not stand beside filter: give one of them');
  if (ids === undefined) return fault('filter', 'is required, or ids');
  if (!Array.isArray(ids) || ids.length === 0 || ids.length > MAX_IDS) return fault('ids', `must be an array of 1 to 10,000 ids${Array.isArray(ids) ? `, and it has ${ids.length}` : ''}`);
  const unique = new Set<string>();
  for (const [index, id] of (ids as readonly unknown[]).entries()) {
    if (typeof id !== 'string' || id === '' || !id.isWellFormed() || id.length > 2_048) return fault(`ids.${index}`, 'must be the id of a task');
    unique.add(id);
  }
  return [...unique];
}

function checkOverride(override: unknown, action: TaskAction | null, parseTask: ParseTask, faults: OverrideFault[]): Override | null {
  if (action === null || action === 'redrive') return parseOverride(override, parseTask, faults);
  faults.push({ field: 'override', message: `override is for redrive alone: ${action} starts no new run` });
  return null;
}

/** An empty filter would change all tasks there are: such a wish has to say so, for example by the states. */
function checkFilter(filter: unknown, action: TaskAction | null, fault: Fault): NonNullable<BulkRequest['filter']> | null {
  if (!isObject(filter)) return fault('filter', 'must be an object, such as {"client_id":"acme"}');
  const names = Object.keys(filter);
  if (names.length === 0) return fault('filter', 'must not be empty: to take all tasks, say so by their states');
  const conditions = parseFilterMembers(names.map((name) => [name, filter[name]]), (name) => `filter.${name}`);
  if (action !== null) for (const name of names) checkStates(parseFilterMembers([[name, filter[name]]]), `filter.${name}`, action, fault);
  return { wire: filter, conditions };
}

/** @param member of the filter: its query may name states, too */
function checkStates(conditions: Filter, member: string, action: TaskAction, fault: Fault): void {
  const taken: readonly string[] = statesTakenBy[action];
  for (const { field, isNegated, values } of conditions) {
    if (field !== 'state' || isNegated) continue;
    const wrong = values.flatMap((value) => (value.kind === 'text' ? statesNamed(value.text) : [])).find((state) => !taken.includes(state));
    if (wrong !== undefined) fault(member, `must not ${member === 'filter.state' ? 'be' : 'name the state'} ${wrong}: ${action} takes ${taken.join(', ')}`);
  }
}

function isDryRunIn(body: Readonly<Record<string, unknown>>): boolean {
  return body['dry_run'] === true;
}

function checkCursor(cursor: unknown, isDryRun: boolean, fault: Fault): string | null {
  if (cursor === undefined) return null;
  if (!isDryRun) return fault('cursor', 'is for a dry run alone');
  return typeof cursor === 'string' && cursor !== '' ? cursor : fault('cursor', 'must be the next_cursor of the dry run before');
}

/** Ids of tasks that were stored before a rule came are still ids, so only the id of an action is checked by the rules. */
function complaintAbout(id: unknown): string | undefined {
  if (typeof id !== 'string' || id === '') return 'must be a text of 1 to 255 characters';
  if (taskIdCheck.kind !== 'text') return undefined;
  for (const check of taskIdCheck.checks) {
    const complaint = check(id);
    if (complaint !== undefined) return complaint;
  }
  return undefined;
}

/** null says no more than a missing member does. */
function isMissing(value: unknown): boolean {
  return value === undefined || value === null;
}

function flag(value: unknown, field: string, fault: Fault): boolean {
  if (value !== undefined && typeof value !== 'boolean') fault(field, 'must be true or false');
  return value === true;
}

/** @returns null for nothing, too */
function wholeNumber(value: unknown, field: string, min: number, fault: Fault): number | null {
  if (value === undefined || value === null) return null;
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= MAX_LIMIT) return value;
  return fault(field, `must be a whole number from ${min} to ${MAX_LIMIT}`);
}

function checkRate(value: unknown, fault: Fault): number | null {
  if (value === undefined || value === null) return null;
  if (typeof value === 'number' && value >= RATE.min && value <= RATE.max) return value;
  return fault('rate', `must be a number of tasks a second from ${RATE.min} to ${RATE.max}, or null`);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function refusal(faults: readonly OverrideFault[]): RequestError {
  const details = shortViolations(faults);
  const { notes = {} } = faults.find((fault) => fault.notes?.reason !== undefined) ?? {};
  return new RequestError('invalid_request', details.map(({ message }) => message).join('; '), details, { notes });
}

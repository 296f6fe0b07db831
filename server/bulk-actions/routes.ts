import { randomBytes } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { CallerLimits } from '../../shared/config/config.js';
import { mayUseClient, type Caller } from '../../shared/domain/access/caller.js';
import { narrowedFilter } from '../../shared/domain/access/narrowed-filter.js';
import { printActor } from '../../shared/domain/actor.js';
import { hasEnded, type AskedBulkAction, type BulkAction, type BulkState } from '../../shared/domain/bulk-actions/bulk-action.js';
import { sealOverride } from '../../shared/domain/bulk-actions/override-secrets.js';
import { needsRoom } from '../../shared/domain/bulk-actions/room.js';
import { RequestError, type RefusalNotes } from '../../shared/domain/errors.js';
import type { SecretBox } from '../../shared/domain/secrets/secret-box.js';
import { fixTimes } from '../../shared/domain/search/filter.js';
import type { Clock } from '../../shared/domain/ports.js';
import type { Logger } from '../../shared/logging/logger.js';
import type { CountedBulkAction } from '../../shared/queue/bulk-actions/bulk-actions.js';
import type { BulkChange } from '../../shared/queue/bulk-actions/bulk-action-store.js';
import { hashesFor, type OpenAuditEntry } from '../../shared/queue/audit/audit-log.js';
import type { FieldHashes } from '../../shared/queue/audit/field-hashes.js';
import type { BulkActionsOfQueue } from '../../shared/queue/bulk-actions/open-bulk-actions.js';
import type { TaskQueue } from '../../shared/queue/tasks/task-queue.js';
import { parseLimit } from '../http/list-limit.js';
import { orSayMissing } from '../flow/or-away.js';
import { jsonAnswer, type Answer } from '../http/answer.js';
import { askedChange, MAX_CHANGE_BYTES, readReasonBody, type AskedChange } from '../http/asked-change.js';
import type { BodyBudget } from '../http/body-budget.js';
import { readJsonBody } from '../http/json-body.js';
import { performed, type ActionName } from '../http/operator-action.js';
import type { RequestContext } from '../http/request-context.js';
import type { Route } from '../http/route.js';
import { needPermission } from '../access/need-permission.js';
import { openCursor, sealCursor } from '../access/sealed-cursor.js';
import { checkFilterAccess } from '../search/search-query.js';
import type { WorkTurns } from '../http/work-turns.js';
import type { ParseTask } from '../tasks/schema.js';
import { conditionsOf, dryRun, type DryRunParts } from './dry-run.js';
import { parseCursor, printCursor } from './list-cursor.js';
import { digestOf, hasSameSecrets, MAX_BULK_BYTES, MOST_STRUCTURAL, parseBulkRequest, parseRateChange, type BulkRequest } from './schema.js';
import { ulid } from './ulid.js';
import { toWireBulkAction } from './view.js';

/** A caller that expects a number of tasks waits so long at most for the number that there is, ms. */
const EXPECTED_WITHIN_MS = 2_000;
const LOOK_EVERY_MS = 25;
/** What is not shown while its part of Redis is away. */
const MISSING = 'bulk actions';
const ALL_NOT_ENDED = ['matching', 'running', 'paused'] as const satisfies readonly BulkState[];

export interface BulkActionParts extends DryRunParts {
  readonly queue: Pick<TaskQueue, 'withAudit' | 'lasting' | 'fleet'>;
  readonly bulkActions: BulkActionsOfQueue;
  readonly parseTask: ParseTask;
  readonly bodyBudget: BodyBudget;
  readonly turns: WorkTurns;
  readonly secrets: SecretBox;
  readonly callerLimits: Pick<CallerLimits, 'liveBulkActions' | 'liveBulkActionsPerKey'>;
  /** @throws RequestError redis_full */
  readonly checkRoom: () => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Changes many tasks at once. The API only writes down what was asked for; the workers do it. */
export const bulkActionRoutes: readonly Route<BulkActionParts>[] = [
  {
    method: 'POST',
    path: '/bulk-actions',
    role: 'operate',
    isNarrowed: true,
    body: 'json',
    query: ['reason'],
    operationId: 'createBulkAction',
    metricLabel: '/bulk-actions',
    handle: async (context, parts) => {
      const body = await readBulkBody(context, parts);
      const request = parseBulkRequest(body, context.query.get('reason'), parts.parseTask);
      if (request.override !== null) needPermission(context.caller, 'edit');
      checkFilterAccess(request.filter?.conditions ?? [], context.caller);
      const asked = askedChange(context, request.reason);
      if (request.isDryRun) return jsonAnswer(200, await dryRun(request, context.caller, parts));
      return create(context, parts, body, request, asked);
    },
  },
  {
    method: 'GET',
    path: '/bulk-actions',
    role: 'read',
    isNarrowed: true,
    body: 'none',
    query: ['limit', 'cursor'],
    operationId: 'listBulkActions',
    metricLabel: '/bulk-actions',
    handle: async ({ query, caller }, { bulkActions, clock, mask }) => {
      const limit = parseLimit(query.get('limit'));
      const cursor = openCursor(query.get('cursor'), caller);
      const after = cursor === undefined ? undefined : parseCursor(cursor);
      const isShown = caller.clientIds === undefined ? undefined : (action: BulkAction): boolean => isOwn(action, caller);
      const found = await orSayMissing(MISSING, bulkActions.with((actions) => actions.list(limit, after, isShown)));
      const last = found.length < limit ? undefined : found.at(-1);
      const next = last === undefined ? null : printCursor({ createdAt: last.action.asked.createdAt, id: last.action.id });
      return jsonAnswer(200, { bulk_actions: found.map((each) => toWireBulkAction(each, clock(), { caller, mask })), next_cursor: sealCursor(next, caller) });
    },
  },
  {
    method: 'GET',
    path: '/bulk-actions/:id',
    role: 'read',
    isNarrowed: true,
    body: 'none',
    query: [],
    operationId: 'readBulkAction',
    metricLabel: '/bulk-actions/:id',
    handle: async (context, parts) => {
      const id = idIn(context);
      return jsonAnswer(200, toWireBulkAction(await read(parts, id, context.caller), parts.clock(), { caller: context.caller, mask: parts.mask }));
    },
  },
  {
    method: 'PATCH',
    path: '/bulk-actions/:id',
    role: 'operate',
    isNarrowed: true,
    body: 'json',
    query: ['reason'],
    operationId: 'changeBulkAction',
    metricLabel: '/bulk-actions/:id',
    handle: async (context, parts) => {
      const { rate, reason } = parseRateChange(await readJsonBody(context, MAX_CHANGE_BYTES));
      const asked = askedChange(context, reason);
      return change(context, parts, 'bulk_action.rate', asked, { from: ALL_NOT_ENDED, to: 'same', fields: { rate } });
    },
  },
  changeRoute('pause', 'pauseBulkAction', ({ by, reason }) => ({
    from: ['matching', 'running'],
    to: 'paused',
    reason: { code: 'operator', message: `paused by ${printActor(by)}${reason === undefined ? '' : ` (${JSON.stringify(reason)})`}` },
  })),
  changeRoute('resume', 'resumeBulkAction', () => ({ from: ['paused'], to: 'resumed', fields: { resumedAt: 'now' } })),
  changeRoute('cancel', 'cancelBulkAction', ({ by, reason }) => ({
    from: ALL_NOT_ENDED,
    to: 'cancelled',
    reason: { code: 'operator', message: `cancelled by ${printActor(by)}${reason === undefined ? '' : ` (${JSON.stringify(reason)})`}` },
    fields: { doneAt: 'now' },
  })),
];

function changeRoute(verb: 'pause' | 'resume' | 'cancel', operationId: string, changeOf: (asked: AskedChange) => BulkChange): Route<BulkActionParts> {
  return {
    method: 'POST',
    path: `/bulk-actions/:id/${verb}`,
    role: 'operate',
    isNarrowed: true,
    body: 'reason',
    query: ['reason'],
    operationId,
    metricLabel: `/bulk-actions/:id/${verb}`,
    handle: async (context, parts) => {
      const { asked } = await readReasonBody(context);
      return change(context, parts, `bulk_action.${verb}`, asked, changeOf(asked));
    },
  };
}

async function readBulkBody(context: RequestContext, { bodyBudget, turns }: BulkActionParts): Promise<unknown> {
  const held = bodyBudget.open(context.request);
  try {
    return await readJsonBody(context, MAX_BULK_BYTES, { mostStructural: MOST_STRUCTURAL, large: { held, turns } });
  } finally {
    held.release();
  }
}

async function create(context: RequestContext, parts: BulkActionParts, body: unknown, request: BulkRequest, asked: AskedChange): Promise<Answer> {
  const { bulkActions, clock, mask, callerLimits } = parts;
  const createdAt = clock();
  const id = request.id ?? `ba_${ulid(createdAt, randomBytes(16))}`;
  const form: AskedBulkAction = {
    action: request.action,
    filter: request.filter?.wire ?? null,
    // Relative times count from now on, however long matching takes.
    conditions: request.filter === undefined ? null : narrowedFilter(fixTimes(conditionsOf(request.action, request.filter.conditions), createdAt), context.caller.clientIds),
    override: request.override === null ? null : sealOverride(request.override, id, parts.secrets),
    order: request.order,
    limit: request.limit,
    expected: request.expected,
    reason: asked.reason ?? null,
    createdAt,
    createdBy: asked.by,
    clientIds: context.caller.clientIds ?? null,
  };
  const digest = digestOf(body, asked.reason, context.caller.clientIds, form.override);
  const isAnother = (reason?: 'foreign_id'): RequestError => new RequestError('conflict', `a bulk action with the id ${JSON.stringify(id)} was asked for, with another body`, undefined, { notes: reason === undefined ? {} : { reason } });
  // What a filter finds is written down later, by a worker, which asks for room then.
  if (needsRoom(request.action, request.ids?.length ?? 0) && (request.id === undefined || (await bulkActions.with((actions) => actions.store.read(id))) === undefined)) parts.checkRoom();
  return performed(context, parts, { action: 'bulk_action.create', target: { type: 'bulk_action', id }, asked }, async (opened) => {
    const entry = { opened, fields: overrideHashes(request, opened) };
    const made = await bulkActions.with((actions) => actions.store.create({ id, digest, asked: form, rate: request.rate, ids: request.ids, entry, most: { ofAll: callerLimits.liveBulkActions, ofKey: callerLimits.liveBulkActionsPerKey } }));
    if (made === 'too_many') throw tooMany('there are', { limit: 'MAX_LIVE_BULK_ACTIONS' });
    if (made === 'too_many_of_key') throw tooMany('this key has', { limit: 'MAX_LIVE_BULK_ACTIONS_PER_KEY' });
    if (made === 'other') throw isAnother(await isForeign(parts, id, context.caller) ? 'foreign_id' : undefined);
    if (made === 'created') await bulkActions.with((actions) => actions.removeSurplus());
    const found = made === 'created' && request.expected !== null ? await whenMatched(parts, id, context.caller) : await read(parts, id, context.caller);
    if (made === 'created' && found.action.state === 'refused') throw await refuse(parts, found);
    const shown = toWireBulkAction(found, clock(), { caller: context.caller, mask });
    if (made === 'same' && !hasSameSecrets(request.override, found.action.asked.override, id, parts.secrets)) throw isAnother();
    if (made === 'same') return { result: jsonAnswer(200, { ...shown, is_duplicate: true }), isUnchanged: true };
    // How many tasks it is about is known when they have been looked for.
    return { result: jsonAnswer(201, shown, { Location: `/bulk-actions/${encodeURIComponent(id)}` }), isCompletedLater: true };
  });
}

function tooMany(there: string, notes: RefusalNotes): RequestError {
  return new RequestError('quota_exceeded', `${there} as many bulk actions as may be at work, paused, or waiting for the end of what they have started: cancel those that are not needed`, undefined, { notes });
}

/** For the audit, which names the fields that are changed in each task, and holds no value of them. */
function overrideHashes({ override }: BulkRequest, entry: OpenAuditEntry): FieldHashes | undefined {
  if (override === null) return undefined;
  return hashesFor(entry, {}, Object.fromEntries(Object.entries(override.fields).map(([name, value]) => [`override.${name}`, value])));
}

/** The action when its tasks are known, or after 2 s. */
async function whenMatched(parts: BulkActionParts, id: string, caller: Caller): Promise<CountedBulkAction> {
  const until = performance.now() + EXPECTED_WITHIN_MS;
  for (;;) {
    const found = await read(parts, id, caller);
    if (found.action.state !== 'matching' || performance.now() >= until) return found;
    await wait(LOOK_EVERY_MS);
  }
}

/** Nothing is kept of an action whose caller is told at once that it was refused. */
async function refuse({ bulkActions }: BulkActionParts, { action, counts: { matched } }: CountedBulkAction): Promise<RequestError> {
  await bulkActions.with((actions) => actions.remove(action));
  const message = `expected ${action.asked.expected} tasks, and ${matched} match; none was touched`;
  return new RequestError('count_differs', message, [{ field: 'expected', message, matched }]);
}

/** Makes a change, and answers with the action as it is then. @throws RequestError finished, bulk_action_not_found */
async function change(context: RequestContext, parts: BulkActionParts, action: ActionName, asked: AskedChange, wanted: BulkChange): Promise<Answer> {
  const id = idIn(context);
  return performed(context, parts, { action, target: { type: 'bulk_action', id }, asked }, async () => {
    // Another action, of other clients, may take the id between the look and the change.
    const meant = context.caller.clientIds === undefined ? wanted : { ...wanted, digest: (await read(parts, id, context.caller)).action.digest };
    const changed = await parts.bulkActions.with((actions) => actions.change(id, meant));
    if (changed === undefined) throw bulkActionNotFound(id);
    const { state } = changed.action;
    // What is as it was asked to be already is no error: the answer to the first call may have been lost.
    if (!changed.isChanged && hasEnded(state) && state !== wanted.to) throw new RequestError('finished', `the bulk action is ${state}: it cannot be changed any more`);
    return { result: jsonAnswer(200, toWireBulkAction(await read(parts, id, context.caller), parts.clock(), { caller: context.caller, mask: parts.mask })), isUnchanged: !changed.isChanged };
  });
}

/** An action that is not the caller's does not exist for it. @throws RequestError bulk_action_not_found */
async function read({ bulkActions }: BulkActionParts, id: string, caller: Caller): Promise<CountedBulkAction> {
  const found = await orSayMissing(MISSING, bulkActions.with((actions) => actions.find(id)));
  if (found === undefined || !isOwn(found.action, caller)) throw bulkActionNotFound(id, found === undefined ? undefined : 'foreign_bulk_action');
  return found;
}

/** Whether the action that has the id is none of the caller's. */
async function isForeign({ bulkActions }: BulkActionParts, id: string, caller: Caller): Promise<boolean> {
  const found = await bulkActions.with((actions) => actions.store.read(id));
  return found !== undefined && !isOwn(found, caller);
}

/** An action is told to a key that is bound to clients when it changes tasks of these clients alone. */
function isOwn({ asked: { clientIds } }: BulkAction, caller: Caller): boolean {
  return caller.clientIds === undefined || (clientIds !== null && clientIds.every((each) => mayUseClient(caller, each)));
}

/** An id that no action can have is not an error of the caller: there is no action under it. */
function idIn(context: RequestContext): string {
  const id = context.param('id');
  if (!id.isWellFormed()) throw new RequestError('bulk_action_not_found', 'no bulk action with such an id is known: it was never asked for');
  return id;
}

function bulkActionNotFound(id: string, reason?: 'foreign_bulk_action'): RequestError {
  return new RequestError('bulk_action_not_found', `no bulk action ${JSON.stringify(id)} is known: it was never asked for, or its record is gone (they are kept for 30 days, and at most 1,000 of them)`, undefined, { notes: reason === undefined ? {} : { reason } });
}

import { hash, randomBytes } from 'node:crypto';
import type { CallerLimits } from '../../shared/config/config.js';
import { printApiKey } from '../../shared/domain/access/api-key.js';
import { RequestError } from '../../shared/domain/errors.js';
import type { Clock } from '../../shared/domain/ports.js';
import type { Logger } from '../../shared/logging/logger.js';
import type { KeyChange, KeyStore } from '../../shared/queue/access/key-store.js';
import type { StoredKey } from '../../shared/queue/access/stored-key.js';
import type { FieldValues } from '../../shared/queue/audit/field-hashes.js';
import type { TaskQueue } from '../../shared/queue/tasks/task-queue.js';
import { orSayMissing } from '../flow/or-away.js';
import { jsonAnswer } from '../http/answer.js';
import { askedChange, MAX_CHANGE_BYTES, readAskedChange, readReasonBody } from '../http/asked-change.js';
import { badCursor, printCursorText, readCursorText } from '../http/cursor-text.js';
import { readJsonBody } from '../http/json-body.js';
import { parseLimit } from '../http/list-limit.js';
import { performed, type Performed } from '../http/operator-action.js';
import type { Route } from '../http/route.js';
import { checkQuotaClients } from './client-quotas.js';
import type { KeyRing } from './key-ring.js';
import { untoldTakenBack } from './untold-secret.js';
import { checkBinding, parseKeyChange, parseNewKey, parseOverlap } from './schema.js';
import { toWireKey } from './view.js';

export interface KeyParts {
  readonly queue: Pick<TaskQueue, 'withAudit' | 'lasting' | 'fleet'>;
  /** It learns at once of what this process changes. */
  readonly keyRing: Pick<KeyRing, 'changed'>;
  /** BOOTSTRAP_API_KEY is set, so no key is the last one that can manage keys. */
  readonly hasBootstrapKey: boolean;
  readonly callerLimits: Pick<CallerLimits, 'accessKeys' | 'quotaClients'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

const ID_CHARACTERS = 'abcdefghijklmnopqrstuvwxyz0123456789';
const ID_LENGTH = 10;
const SECRET_BYTES = 32;
/** Another call may change the same key between our look and our change; give up after this. */
const MAX_ROUNDS = 5;

/** Who may call the API. A secret stands in the answer that makes it, and nowhere else. */
export const keyRoutes: readonly Route<KeyParts>[] = [
  {
    method: 'POST',
    path: '/keys',
    role: 'admin',
    body: 'json',
    query: ['reason'],
    operationId: 'createKey',
    metricLabel: '/keys',
    handle: async (context, parts) => {
      const { settings, reason } = parseNewKey(await readJsonBody(context, MAX_CHANGE_BYTES), parts.clock());
      const asked = askedChange(context, reason);
      const id = newId();
      const secret = newSecret();
      const key: StoredKey = { id, ...settings, secretHash: hashOf(secret), previous: null, sealSecret: newSecret(), createdAt: parts.clock(), createdBy: asked.by };
      return untoldTakenBack(parts, (written) => performed(context, parts, { action: 'key.create', target: { type: 'key', id }, asked }, async () => {
        const { accessKeys, quotaClients } = parts.callerLimits;
        checkQuotaClients(await storedKeys(parts), key, quotaClients);
        await settle(parts, (store) => store.put(undefined, key, { mayBeLastAdmin: true, most: accessKeys }));
        written((store) => store.remove(key, { mayBeLastAdmin: true }));
        return { result: jsonAnswer(201, { key: printApiKey({ id, secret }), ...toWireKey(key, undefined, parts.clock()) }), fields: { before: {}, after: fieldsOf(key) } };
      }));
    },
  },
  {
    method: 'GET',
    path: '/keys',
    role: 'admin',
    body: 'none',
    query: ['limit', 'cursor'],
    operationId: 'listKeys',
    metricLabel: '/keys',
    handle: async ({ query }, { queue, clock }) => {
      const limit = parseLimit(query.get('limit'));
      const after = parsePlace(query.get('cursor'));
      const [{ keys = new Map<string, StoredKey>() }, uses] = await orSayMissing('access keys', queue.fleet.withKeys((store) => Promise.all([store.read(), store.lastUses()])));
      const sorted = [...keys.values()].sort(byNewest).filter((key) => after === undefined || byNewest(after, key) < 0);
      const page = sorted.slice(0, limit);
      const last = sorted.length > limit ? page.at(-1) : undefined;
      return jsonAnswer(200, { keys: page.map((key) => toWireKey(key, uses.get(key.id), clock())), next_cursor: last === undefined ? null : printCursorText([LIST, last.createdAt, last.id]) });
    },
  },
  {
    method: 'PATCH',
    path: '/keys/:id',
    role: 'admin',
    body: 'json',
    query: ['reason'],
    operationId: 'changeKey',
    metricLabel: '/keys/:id',
    handle: async (context, parts) => {
      const { settings, reason } = parseKeyChange(await readJsonBody(context, MAX_CHANGE_BYTES), parts.clock());
      const asked = askedChange(context, reason);
      const id = context.param('id');
      return performed(context, parts, { action: 'key.edit', target: { type: 'key', id }, asked }, async () => {
        const { before, after } = await changed(parts, id, (key) => {
          const next = { ...key, ...settings };
          checkBinding(next);
          return next;
        });
        return shown(parts, before, after);
      });
    },
  },
  {
    method: 'DELETE',
    path: '/keys/:id',
    role: 'admin',
    body: 'none',
    query: ['reason'],
    operationId: 'deleteKey',
    metricLabel: '/keys/:id',
    handle: async (context, parts) => {
      const asked = readAskedChange(context);
      const id = context.param('id');
      return performed(context, parts, { action: 'key.delete', target: { type: 'key', id }, asked }, async () => {
        const { before } = await changed(parts, id, () => undefined);
        return { result: jsonAnswer(200, { message: `Key ${id} deleted`, id }), fields: { before: fieldsOf(before), after: {} } };
      });
    },
  },
  {
    method: 'POST',
    path: '/keys/:id/rotate',
    role: 'admin',
    body: 'reason',
    query: ['reason'],
    operationId: 'rotateKey',
    metricLabel: '/keys/:id/rotate',
    handle: async (context, parts) => {
      const { asked, others } = await readReasonBody(context, ['overlap']);
      const overlapMs = Math.ceil(parseOverlap(others.overlap) * 1_000);
      const id = context.param('id');
      const secret = newSecret();
      return untoldTakenBack(parts, (written) => performed(context, parts, { action: 'key.rotate', target: { type: 'key', id }, asked }, async () => {
        // A secret that was replaced before ends now: two hold at most.
        const { before, after } = await changed(parts, id, (key) => ({ ...key, secretHash: hashOf(secret), previous: overlapMs === 0 ? null : { secretHash: key.secretHash, until: parts.clock() + overlapMs } }));
        // One that has leaked stays ended: the next try gives a secret.
        if (overlapMs > 0) written((store) => store.put(after, before, { mayBeLastAdmin: true, most: parts.callerLimits.accessKeys }));
        return shown(parts, before, after, { key: printApiKey({ id, secret }) });
      }));
    },
  },
];

interface ChangedKey<After extends StoredKey | undefined> {
  readonly before: StoredKey;
  readonly after: After;
}

/**
 * Changes a key as it is now.
 * @param make what it shall be; undefined: nothing, it is removed
 * @throws RequestError key_not_found, last_admin
 */
async function changed<After extends StoredKey | undefined>(parts: KeyParts, id: string, make: (key: StoredKey) => After): Promise<ChangedKey<After>> {
  for (let round = 1; round <= MAX_ROUNDS; round += 1) {
    const keys = await storedKeys(parts);
    const before = keys.get(id);
    if (before === undefined) throw new RequestError('key_not_found', 'no key has this id');
    const after = make(before);
    if (after !== undefined) checkQuotaClients(keys, after, parts.callerLimits.quotaClients);
    const mayBeLastAdmin = parts.hasBootstrapKey || !endsAdmin(before, after, parts.clock());
    const change = await settle(parts, (store) => (after === undefined ? store.remove(before, { mayBeLastAdmin }) : store.put(before, after, { mayBeLastAdmin, most: parts.callerLimits.accessKeys })));
    if (change === 'done') return { before, after };
  }
  throw new RequestError('redis_unavailable', 'the key was changed again and again by others');
}

async function storedKeys({ queue }: KeyParts): Promise<ReadonlyMap<string, StoredKey>> {
  return (await queue.fleet.withKeys((store) => store.read())).keys ?? new Map<string, StoredKey>();
}

/** An admin key that expires sooner than before may leave nobody who can make another one. */
function endsAdmin(before: StoredKey, after: StoredKey | undefined, now: number): boolean {
  if (before.role !== 'admin' || (before.expiresAt !== null && before.expiresAt <= now)) return false;
  return after === undefined || (after.expiresAt !== null && (before.expiresAt === null || after.expiresAt < before.expiresAt));
}

/** @returns `changed` when the key is no longer as it was read. @throws RequestError for what cannot be done */
async function settle({ queue, keyRing, callerLimits }: KeyParts, change: (store: KeyStore) => Promise<KeyChange>): Promise<'done' | 'changed'> {
  const outcome = await queue.fleet.withKeys(change);
  switch (outcome.kind) {
    case 'done':
      await keyRing.changed(outcome.version);
      return outcome.kind;
    case 'changed':
      return outcome.kind;
    case 'last_admin':
      throw new RequestError('last_admin', 'this is the last admin key, or the last one that never expires: make another one that never expires first, or set BOOTSTRAP_API_KEY');
    case 'too_many':
      throw new RequestError('invalid_request', `there are ${callerLimits.accessKeys} keys already: delete some that are not used`, undefined, { notes: { limit: 'MAX_ACCESS_KEYS' } });
  }
}

async function shown({ queue, clock }: KeyParts, before: StoredKey, after: StoredKey, more: object = {}): Promise<Performed<ReturnType<typeof jsonAnswer>>> {
  const uses = await queue.fleet.withKeys((store) => store.lastUses());
  return { result: jsonAnswer(200, { ...more, ...toWireKey(after, uses.get(after.id), clock()) }), fields: { before: fieldsOf(before), after: fieldsOf(after) } };
}

/** For the audit, which keeps hashes of what differs. The hash of a secret is not among it. */
function fieldsOf({ name, role, permissions, clientIds, rateLimit = null, quota = null, expiresAt, previous }: StoredKey): FieldValues {
  return { name, role, permissions, client_ids: clientIds, rate_limit: rateLimit, quota, expires_at: expiresAt, previous_expires_at: previous?.until };
}

function byNewest(a: Pick<StoredKey, 'createdAt' | 'id'>, b: Pick<StoredKey, 'createdAt' | 'id'>): number {
  return b.createdAt - a.createdAt || (a.id < b.id ? -1 : Number(a.id > b.id));
}

/** It stands in the cursors of this list: those of another list would name a place in this one as well. */
const LIST = 'keys';

function parsePlace(cursor: string | undefined): Pick<StoredKey, 'createdAt' | 'id'> | undefined {
  if (cursor === undefined) return undefined;
  const [list, createdAt, id] = readCursorText(cursor, 3) ?? [];
  if (list !== LIST || typeof createdAt !== 'number' || typeof id !== 'string') throw badCursor('a page of this list');
  return { createdAt, id };
}

function newId(): string {
  return [...randomBytes(ID_LENGTH)].map((byte) => ID_CHARACTERS.charAt(byte % ID_CHARACTERS.length)).join('');
}

function newSecret(): string {
  return randomBytes(SECRET_BYTES).toString('hex');
}

function hashOf(secret: string): string {
  return hash('sha256', secret, 'hex');
}

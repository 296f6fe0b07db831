import { keyRoles, permissions, type KeyRole, type Permission } from '../../shared/domain/access/caller.js';
import { RequestError } from '../../shared/domain/errors.js';
import { parseInstant } from '../../shared/domain/parse-instant.js';
import type { StoredKey } from '../../shared/queue/access/stored-key.js';
import type { WireViolation } from '../../shared/wire/error.js';
import { isReason, REASON_RULE } from '../http/asked-change.js';
import { didYouMean } from '../http/nearest-name.js';
import { shortViolations } from '../http/short-error.js';
import { hintForChoice } from '../http/value-hint.js';

/** What may be asked of access keys. Wire names (snake_case) become our names here. */

const MAX_NAME_CHARACTERS = 100;
const MAX_CLIENT_IDS = 100;
const MAX_CLIENT_ID_CHARACTERS = 255;
const DEFAULT_OVERLAP_S = 86_400;
const MAX_OVERLAP_S = 30 * 86_400;
const MIN_RATE = 0.001;
const MAX_RATE = 1_000_000;
const MAX_QUOTA = 1_000_000_000;
const SHOWN_CHARACTERS = 100;

/** What a key is, beside its id and its secrets. */
export type KeySettings = Pick<StoredKey, 'name' | 'role' | 'permissions' | 'clientIds' | 'expiresAt' | 'rateLimit' | 'quota'>;

/** Reads one member. It adds what is wrong to `faults`. */
type Reader<T> = (value: unknown, faults: WireViolation[]) => T | undefined;

const NO_NAME = `name must be a text of 1 to ${MAX_NAME_CHARACTERS} characters without control characters`;

const readName: Reader<string> = (value, faults) => {
  if (typeof value === 'string' && value.trim() !== '' && value.isWellFormed() && !/\p{C}/u.test(value) && [...value].length <= MAX_NAME_CHARACTERS) return value;
  faults.push({ field: 'name', message: NO_NAME });
  return undefined;
};

const readRole: Reader<KeyRole> = (value, faults) => {
  const role = keyRoles.find((each) => each === value);
  if (role === undefined) faults.push({ field: 'role', message: `role must be one of ${keyRoles.join(', ')}${hintForChoice(value, keyRoles)}` });
  return role;
};

const readPermissions: Reader<readonly Permission[]> = (value, faults) => {
  const given: readonly unknown[] = Array.isArray(value) ? (value as readonly unknown[]) : [undefined];
  const known = given.flatMap((each) => permissions.find((permission) => permission === each) ?? []);
  if (known.length === given.length && new Set(known).size === known.length) return known;
  const [unknown] = given.filter((each) => !permissions.some((permission) => permission === each));
  faults.push({ field: 'permissions', message: `permissions must be an array of ${permissions.join(', ')}, each once${hintForChoice(unknown, permissions)}` });
  return undefined;
};

const readClientIds: Reader<readonly string[] | null> = (value, faults) => {
  if (value === null) return null;
  const given: readonly unknown[] = Array.isArray(value) ? (value as readonly unknown[]) : [];
  const ids = given.filter((each): each is string => typeof each === 'string' && each !== '' && each.length <= MAX_CLIENT_ID_CHARACTERS && each.isWellFormed());
  if (ids.length > 0 && ids.length <= MAX_CLIENT_IDS && ids.length === given.length && new Set(ids).size === ids.length) return ids;
  faults.push({ field: 'client_ids', message: `client_ids must be null, or an array of 1 to ${MAX_CLIENT_IDS} texts of 1 to ${MAX_CLIENT_ID_CHARACTERS} characters, each once` });
  return undefined;
};

function readExpiresAt(now: number): Reader<number | null> {
  return (value, faults) => {
    if (value === null) return null;
    const at = typeof value === 'string' ? parseInstant(value) : undefined;
    if (at !== undefined && at > now) return at;
    faults.push({ field: 'expires_at', message: 'expires_at must be null, or a time in the future such as 2030-01-01T00:00:00Z' });
    return undefined;
  };
}

const readRateLimit: Reader<number | null> = (value, faults) => {
  if (value === null || (typeof value === 'number' && value >= MIN_RATE && value <= MAX_RATE)) return value;
  faults.push({ field: 'rate_limit', message: `rate_limit must be null, or a number of tasks a second from ${MIN_RATE} to ${MAX_RATE}` });
  return undefined;
};

const readQuota: Reader<number | null> = (value, faults) => {
  if (value === null || (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= MAX_QUOTA)) return value;
  faults.push({ field: 'quota', message: `quota must be null, or a whole number of tasks from 1 to ${MAX_QUOTA}` });
  return undefined;
};

interface KeyRequest<Settings> {
  readonly settings: Settings;
  readonly reason: string | undefined;
}

/**
 * The body of POST /keys.
 * @param now milliseconds since the epoch
 * @throws RequestError invalid_request with the first 20 violations
 */
export function parseNewKey(body: unknown, now: number): KeyRequest<KeySettings> {
  const faults: WireViolation[] = [];
  const members = membersOf(body, ['name', 'role', 'permissions', 'client_ids', 'expires_at', 'rate_limit', 'quota', 'reason'], faults);
  const name = readName(members['name'], faults);
  const role = readRole(members['role'], faults);
  const allowed = members['permissions'] === undefined ? [] : readPermissions(members['permissions'], faults);
  const clientIds = members['client_ids'] === undefined ? null : readClientIds(members['client_ids'], faults);
  const expiresAt = members['expires_at'] === undefined ? null : readExpiresAt(now)(members['expires_at'], faults);
  const rateLimit = members['rate_limit'] === undefined ? null : readRateLimit(members['rate_limit'], faults);
  const quota = members['quota'] === undefined ? null : readQuota(members['quota'], faults);
  const reason = readReason(members['reason'], faults);
  if (name === undefined || role === undefined || allowed === undefined || clientIds === undefined || expiresAt === undefined || rateLimit === undefined || quota === undefined || faults.length > 0) throw refuse(faults);
  const settings = { name, role, permissions: allowed, clientIds, expiresAt, rateLimit, quota };
  checkBinding(settings);
  return { settings, reason };
}

/** The body of PATCH /keys/:id: what is left out stays. @throws RequestError invalid_request */
export function parseKeyChange(body: unknown, now: number): KeyRequest<Partial<Omit<KeySettings, 'role'>>> {
  const faults: WireViolation[] = [];
  const members = membersOf(body, ['name', 'permissions', 'client_ids', 'expires_at', 'rate_limit', 'quota', 'reason'], faults);
  const read = <Name extends string, T>(wire: string, name: Name, reader: Reader<T>): Partial<Record<Name, T>> => {
    const value = members[wire] === undefined ? undefined : reader(members[wire], faults);
    // The one name that it is called with.
    return value === undefined ? {} : ({ [name]: value } as Record<Name, T>);
  };
  const settings = { ...read('name', 'name', readName), ...read('permissions', 'permissions', readPermissions), ...read('client_ids', 'clientIds', readClientIds), ...read('expires_at', 'expiresAt', readExpiresAt(now)), ...read('rate_limit', 'rateLimit', readRateLimit), ...read('quota', 'quota', readQuota) };
  const reason = readReason(members['reason'], faults);
  if (faults.length > 0) throw refuse(faults);
  return { settings, reason };
}

/** An admin key sees all clients, so it cannot be bound to some. A quota is that of the clients of a key. @throws RequestError invalid_request */
export function checkBinding({ role, clientIds, quota = null }: Pick<KeySettings, 'role' | 'clientIds' | 'quota'>): void {
  if (quota !== null && clientIds === null) throw refuse([{ field: 'quota', message: 'quota is that of each client in client_ids, so it needs client_ids' }]);
  if (role === 'admin' && clientIds !== null) throw refuse([{ field: 'client_ids', message: 'client_ids must be null for the role admin: a key that is bound to clients cannot be one' }]);
}

/**
 * How long the old secret holds beside the new one, seconds; 0: not at all, it has leaked.
 * @throws RequestError invalid_request
 */
export function parseOverlap(value: unknown): number {
  if (value === undefined) return DEFAULT_OVERLAP_S;
  if (typeof value === 'number' && value >= 0 && value <= MAX_OVERLAP_S) return value;
  throw refuse([{ field: 'overlap', message: `overlap must be a number of seconds from 0 to ${MAX_OVERLAP_S}` }]);
}

/** The body of POST /session. @returns a text that may be a key. @throws RequestError invalid_request, which does not repeat it */
export function parseSignIn(body: unknown): string {
  const faults: WireViolation[] = [];
  const { key } = membersOf(body, ['key'], faults);
  if (typeof key !== 'string') faults.push({ field: 'key', message: 'key must be the text of an access key: krs_...' });
  if (typeof key !== 'string' || faults.length > 0) throw refuse(faults);
  return key;
}

function membersOf(body: unknown, known: readonly string[], faults: WireViolation[]): Readonly<Record<string, unknown>> {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw refuse([{ field: '', message: 'the body must be an object' }]);
  for (const name of Object.keys(body)) {
    const shown = name.slice(0, SHOWN_CHARACTERS).toWellFormed();
    if (!known.includes(name)) faults.push({ field: shown, message: `${shown} is not taken here${didYouMean(name, known)}` });
  }
  // Each member is checked by its reader.
  return body as Readonly<Record<string, unknown>>;
}

function readReason(value: unknown, faults: WireViolation[]): string | undefined {
  if (value === undefined || isReason(value)) return value;
  if (value === null) return undefined;
  faults.push({ field: 'reason', message: `reason ${REASON_RULE}` });
  return undefined;
}

function refuse(faults: readonly WireViolation[]): RequestError {
  const details = shortViolations(faults);
  return new RequestError('invalid_request', details.map(({ message }) => message).join('; '), details);
}

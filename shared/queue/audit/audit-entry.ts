import type { Actor } from '../../domain/actor.js';
import type { FieldHashes } from './field-hashes.js';

/** What was changed, or was to be changed. */
export interface AuditTarget {
  /** `task`, `destination`, `queue`, `bulk_action`. Later versions have more of them. */
  readonly type: string;
  readonly id: string;
}

/** What is known before the change. */
export interface AuditBeginning {
  /** `task.cancel`, `destination.pause`: what it is about, and what is done to it. */
  readonly action: string;
  readonly actor: Actor;
  readonly target: AuditTarget;
  readonly reason: string | undefined;
  /** undefined: no request asked for it, the service does it by itself. */
  readonly requestId: string | undefined;
}

/** A change that has been made. */
export interface AuditRecord extends AuditBeginning {
  /** How many things were changed. */
  readonly count: number;
  /** What kept it from its end, such as `redis_full`; undefined: it was done. */
  readonly errorCode?: string | undefined;
}

/** What came of it. */
export interface AuditEnd {
  /** `failed` does not say that nothing was changed. */
  readonly outcome: 'done' | 'failed';
  /** Of a failure: the code that was answered. */
  readonly errorCode: string | undefined;
  /** Where only the result tells the action: `task.delete` in place of `task.cancel`. */
  readonly action: string | undefined;
  /** How many things were changed; undefined: it is not known. */
  readonly count: number | undefined;
  /** The fields that were changed; undefined: the action changes no fields. */
  readonly fields: FieldHashes | undefined;
}

/** One entry as it was read. Times are milliseconds since the epoch, by Redis' clock. */
export interface AuditEntry extends AuditBeginning {
  readonly id: string;
  readonly at: number;
  /** undefined: it was begun, and it is not known what came of it. It may be under way, or its process or Redis died meanwhile. */
  readonly end: (AuditEnd & { readonly at: number }) | undefined;
}

/** Redis' clock stands first in what is stored; the scripts of audit-scripts.ts write it. */
interface Stamped {
  readonly at: number;
}

/** @returns JSON without the time */
export function encodeBeginning({ action, actor, target, reason, requestId }: AuditBeginning): string {
  return JSON.stringify({ action, actor, target, reason, requestId } satisfies { [Field in keyof AuditBeginning]: unknown });
}

/** @returns JSON without the time */
export function encodeEnd({ outcome, errorCode, action, count, fields }: AuditEnd): string {
  return JSON.stringify({ outcome, errorCode, action, count, fields } satisfies { [Field in keyof AuditEnd]: unknown });
}

/** @param end empty when there is none */
export function decodeEntry(id: string, beginning: string, end: string): AuditEntry {
  // Both were written by the two functions above. JSON leaves out what is undefined.
  const { action, actor, target, reason, requestId, at } = JSON.parse(beginning) as AuditBeginning & Stamped;
  return { id, at, action, actor, target, reason, requestId, end: end === '' ? undefined : (JSON.parse(end) as AuditEnd & Stamped) };
}

/**
 * The name under which the newest entries of an actor are kept. A key or a session is one actor, whatever names its requests
 * claim. Without one, the claimed name is all that tells people from each other.
 */
export function actorName({ type, id, operator }: Actor): { readonly name: string; readonly isClaim: boolean } {
  return type === 'anonymous' ? { name: `${type}:${operator ?? ''}`, isClaim: operator !== null } : { name: `${type}:${id ?? ''}`, isClaim: false };
}

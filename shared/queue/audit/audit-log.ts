import { randomBytes } from 'node:crypto';
import type { QueueClient } from '../engine/queue-client.js';
import type { AuditKeys } from '../names.js';
import { actorName, decodeEntry, encodeBeginning, encodeEnd, type AuditBeginning, type AuditEnd, type AuditEntry, type AuditRecord } from './audit-entry.js';
import { hashChangedFields, type FieldHashes, type FieldValues } from './field-hashes.js';

const ID_MARK = 'au_';
const SALT_BYTES = 32;
/** An entry has at most some 5 KB, so one reply has at most a megabyte. */
const READ_AT_ONCE = 200;
/** One page looks at no more entries than this: some 20 ms of Redis' time, in steps of under 1 ms. */
const LOOKED_AT_MOST = 5_000;

/** An entry whose end is not written yet. */
export interface OpenAuditEntry {
  readonly id: string;
  /** The name under which the entries of its actor are kept. */
  readonly actor: string;
  readonly salt: string;
}

export interface AuditPage {
  /** The newest first. */
  readonly entries: readonly AuditEntry[];
  /** The place to go on from; undefined: nothing is left. */
  readonly next: string | undefined;
}

/**
 * Who changed what, for all processes together: the newest 10,000 entries, and of each actor the newest 1,000 whatever the
 * others write (audit-scripts.ts). A change is written in two steps, before and after it, so one that a crash has cut off can be
 * seen. Every method fails when Redis fails.
 */
export class AuditLog {
  constructor(
    private readonly client: QueueClient,
    private readonly keys: AuditKeys,
  ) {}

  /** To be written before the change: a change whose entry cannot be written must not be made. */
  async begin(beginning: AuditBeginning): Promise<OpenAuditEntry> {
    return this.#add(beginning, undefined);
  }

  /** To be written behind the change. An entry that has left meanwhile stays away. */
  async complete({ id }: OpenAuditEntry, end: AuditEnd): Promise<void> {
    await this.client.runCommand('krsAuditComplete', [this.keys.beginnings, this.keys.ends, numberOf(id), encodeEnd(end)]);
  }

  /** Removes an entry when it turns out that there was nothing to change. */
  async discard({ id, actor }: OpenAuditEntry): Promise<void> {
    const { log, beginnings, ends, loose, ofActorBase } = this.keys;
    await this.client.runCommand('krsAuditDiscard', [log, beginnings, ends, loose, ofActorBase + actor, numberOf(id)]);
  }

  /** Writes an entry about a change that has been made, such as one that the service made by itself. @returns its id */
  async record(entry: AuditRecord): Promise<string> {
    const { count, errorCode, ...beginning } = entry;
    const { id } = await this.#add(beginning, { outcome: errorCode === undefined ? 'done' : 'failed', errorCode, action: undefined, count, fields: undefined });
    return id;
  }

  /**
   * @param matches which entries are wanted
   * @param limit   at most so many; a page may be short, or empty, and not the last one
   * @param range   `before`: the place that the page before has told; `sinceMs`: the oldest entries to look at, ms since the epoch
   */
  async read(matches: (entry: AuditEntry) => boolean, limit: number, { before, sinceMs }: { readonly before: string | undefined; readonly sinceMs: number | undefined }): Promise<AuditPage> {
    const { log, beginnings, ends } = this.keys;
    const oldest = sinceMs === undefined ? '-inf' : String(Math.max(0, sinceMs) * 1_000);
    const entries: AuditEntry[] = [];
    let next = before === undefined ? undefined : numberOf(before);
    for (let lookedAt = 0; lookedAt < LOOKED_AT_MOST; lookedAt += READ_AT_ONCE) {
      const reply: unknown = await this.client.runCommand('krsAuditRead', [log, beginnings, ends, next === undefined ? '+inf' : `(${next}`, oldest, READ_AT_ONCE]);
      // The script's own answer: see audit-scripts.ts.
      const found = reply as string[];
      for (let at = 0; at + 2 < found.length; at += 3) {
        const [number = '', beginning = '', end = ''] = found.slice(at, at + 3);
        const entry = decodeEntry(ID_MARK + number, beginning, end);
        if (matches(entry)) {
          // Only here it is certain that the page is not the last one.
          if (entries.length === limit) return { entries, next: entries.at(-1)?.id };
          entries.push(entry);
        }
        next = number;
      }
      if (found.length === 0) return { entries, next: undefined };
    }
    return { entries, next: next === undefined ? undefined : ID_MARK + next };
  }

  async #add(beginning: AuditBeginning, end: AuditEnd | undefined): Promise<OpenAuditEntry> {
    const reply: unknown = await this.client.runCommand('krsAuditAdd', [...auditKeyList(this.keys), ...addedValues(beginning, end)]);
    // The script's own answer: see audit-scripts.ts.
    const [number, kept] = reply as [string, string];
    return { id: ID_MARK + number, actor: actorName(beginning.actor).name, salt: kept };
  }
}

/** As auditLua wants them. */
export function auditKeyList({ log, beginnings, ends, loose, claims, salt, ofActorBase }: AuditKeys): readonly string[] {
  return [log, beginnings, ends, loose, claims, salt, ofActorBase];
}

/** What addAuditEntry takes behind the keys. */
export function addedValues(beginning: AuditBeginning, end: AuditEnd | undefined): readonly string[] {
  const { name, isClaim } = actorName(beginning.actor);
  return [encodeBeginning(beginning), end === undefined ? '' : encodeEnd(end), name, isClaim ? '1' : '', randomBytes(SALT_BYTES).toString('hex')];
}

/** An entry that a change of a bulk action completes: see BulkActionStore. The count is not known yet. */
export function completedLater({ id }: OpenAuditEntry, fields: FieldHashes | undefined): readonly [number: string, end: string] {
  return [numberOf(id), encodeEnd({ outcome: 'done', errorCode: undefined, action: undefined, count: undefined, fields })];
}

/** @returns hashes for the end of this entry; undefined when no field differs */
export function hashesFor({ salt }: OpenAuditEntry, before: FieldValues, after: FieldValues): FieldHashes | undefined {
  return hashChangedFields(before, after, salt);
}

/** `au_1764390000000000` -> true. Another text is the id of no entry. */
export function isAuditId(text: string): boolean {
  return /^au_[0-9]{1,16}$/.test(text);
}

/** What Redis knows it by. */
function numberOf(id: string): string {
  return id.slice(ID_MARK.length);
}

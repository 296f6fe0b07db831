import { randomBytes } from 'node:crypto';
import type { QueueClient } from '../engine/queue-client.js';
import type { AuditKeys } from '../fleet-keys.js';
import { actorName, decodeEntry, encodeBeginning, encodeEnd, type AuditBeginning, type AuditEnd, type AuditEntry, type AuditRecord } from './audit-entry.js';
import { hashChangedFields, type FieldHashes, type FieldValues } from './field-hashes.js';

const ID_MARK = 'au_';
const SALT_BYTES = 32;

/** An entry whose end is not written yet. */
export interface OpenAuditEntry {
  readonly id: string;
  /** The name under which the entries of its actor are kept. */
  readonly actor: string;
  readonly salt: string;
}

/**
 * Who changed what, for all processes together: the newest 10,000 entries, and of each actor the newest 1,000 whatever the
 * others write (audit-scripts.ts). A change is written in two steps, before and after it, so one that a crash has cut off can be
 * seen. On a cluster there are several, and those of shards keep fewer: see AuditLogs. Every method fails when Redis fails.
 */
export class AuditLog {
  /** @param saltOfAll of the whole deployment; '' while it is not known. Default: this log has it */
  constructor(
    private readonly client: QueueClient,
    private readonly keys: AuditKeys,
    private readonly saltOfAll?: () => Promise<string>,
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
   * @param before  the id behind which to go on; undefined: the newest
   * @param sinceMs the oldest entries to look at, ms since the epoch
   * @returns at most so many entries, the newest first; none: nothing is left
   */
  async readSome(before: string | undefined, sinceMs: number | undefined, count: number): Promise<readonly AuditEntry[]> {
    const { log, beginnings, ends } = this.keys;
    const oldest = sinceMs === undefined ? '-inf' : String(Math.max(0, sinceMs) * 1_000);
    const reply: unknown = await this.client.runCommand('krsAuditRead', [log, beginnings, ends, before === undefined ? '+inf' : `(${numberOf(before)}`, oldest, count]);
    // The script's own answer: see audit-scripts.ts.
    const found = reply as string[];
    return Array.from({ length: found.length / 3 }, (_, nth) => {
      const [number = '', beginning = '', end = ''] = found.slice(3 * nth, 3 * nth + 3);
      return decodeEntry(ID_MARK + number, beginning, end);
    });
  }

  /** The secret of its hashes, which is made when there is none. */
  async salt(): Promise<string> {
    return String(await this.client.runCommand('krsAuditSalt', [this.keys.log, this.keys.salt, newSalt()]));
  }

  async #add(beginning: AuditBeginning, end: AuditEnd | undefined): Promise<OpenAuditEntry> {
    const salt = this.saltOfAll === undefined ? newSalt() : await this.saltOfAll();
    const reply: unknown = await this.client.runCommand('krsAuditAdd', [...auditKeyList(this.keys), ...addedValues(beginning, end, this.keys, salt)]);
    // The script's own answer: see audit-scripts.ts.
    const [number, kept] = reply as [string, string];
    // While the one of all cannot be read its hashes are like no others, and it is not kept: later ones shall be comparable again.
    return { id: ID_MARK + number, actor: actorName(beginning.actor).name, salt: kept === '' ? newSalt() : kept };
  }
}

/** As auditLua wants them. */
export function auditKeyList({ log, beginnings, ends, loose, claims, salt, ofActorBase }: AuditKeys): readonly string[] {
  return [log, beginnings, ends, loose, claims, salt, ofActorBase];
}

/** What addAuditEntry takes behind the keys. */
export function addedValues(beginning: AuditBeginning, end: AuditEnd | undefined, { numbers: { nth, of }, kept }: AuditKeys, salt = newSalt()): readonly string[] {
  const { name, isClaim } = actorName(beginning.actor);
  return [encodeBeginning(beginning), end === undefined ? '' : encodeEnd(end), name, isClaim ? '1' : '', salt, String(nth), String(of), String(kept)];
}

function newSalt(): string {
  return randomBytes(SALT_BYTES).toString('hex');
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

/** Ids in their order. It is below 2 ** 53. */
export function numberIn(id: string): number {
  return Number(numberOf(id));
}

/** What Redis knows it by. */
function numberOf(id: string): string {
  return id.slice(ID_MARK.length);
}

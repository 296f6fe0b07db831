import { hasEnded, type AskedBulkAction, type BulkAction, type BulkState, type StateReason } from '../../domain/bulk-actions/bulk-action.js';
import type { AuditRecord } from '../audit/audit-entry.js';
import { addedValues, auditKeyList, completedLater, type OpenAuditEntry } from '../audit/audit-log.js';
import type { FieldHashes } from '../audit/field-hashes.js';
import type { QueueClient } from '../engine/queue-client.js';
import type { AuditKeys, BulkKeys } from '../fleet-keys.js';
import { BULK_CREATED } from './bulk-action-scripts.js';

/** An action is kept for so long after its numbers have come to rest, and at most so many are kept, ms. */
export const KEPT_FOR_MS = 30 * 24 * 3_600_000;
const MOST_KEPT = 1_000;
/** A worker looks at so many actions at once. */
const MOST_LIVE = 100;
/** Ids in one element of the list of given ones. */
const IDS_IN_CHUNK = 200;

export interface NewBulkAction {
  readonly id: string;
  /** Two requests with the same digest ask for the same. */
  readonly digest: string;
  readonly asked: AskedBulkAction;
  readonly rate: number | null;
  /** The ids that were given, each once; undefined when a filter was. */
  readonly ids: readonly string[] | undefined;
  /**
   * The entry of the audit that its creation has begun. It is completed when the number of its tasks is known, by the process that finds it out.
   * undefined: there is none.
   */
  readonly entry: { readonly opened: OpenAuditEntry; readonly fields: FieldHashes | undefined } | undefined;
  readonly most: MostLive;
}

/** How many actions there may be whose numbers may still change. */
export interface MostLive {
  readonly ofAll: number;
  /** Of one key. Callers without a key are held to `ofAll` alone. */
  readonly ofKey: number;
}

/** `other`: the id is that of an action with another body. `too_many`, `too_many_of_key`: see MostLive. */
export type BulkCreation = 'created' | 'same' | 'other' | 'too_many' | 'too_many_of_key';

const creations: Readonly<Record<number, BulkCreation>> = {
  [BULK_CREATED.created]: 'created',
  [BULK_CREATED.same]: 'same',
  [BULK_CREATED.other]: 'other',
  [BULK_CREATED.tooMany]: 'too_many',
  [BULK_CREATED.tooManyOfOwner]: 'too_many_of_key',
};

/** A change of the state; `resumed`: to the one before the pause. */
export interface BulkChange {
  readonly from: readonly BulkState[];
  readonly to: BulkState | 'resumed' | 'same';
  /** Only while it is as it was read: what was decided by an older state must not undo what a person has done since. Default: any. */
  readonly epoch?: number;
  /** Only the action that was read: another one may have its id since, of other clients. Default: any. */
  readonly digest?: string;
  readonly reason?: StateReason;
  /** Fields that change with it; `now`: the time by Redis' clock. `epoch`: a later one than the next. */
  readonly fields?: Readonly<Partial<Record<'matchedAt' | 'doneAt' | 'resumedAt', 'now' | null>> & { rate?: number | null; matched?: number; epoch?: number }>;
  /** How many tasks it is about, which completes the entry of its creation. */
  readonly count?: number;
  /** What the audit has to say of it, written in the same step. Default: nothing, since the caller writes it. */
  readonly record?: AuditRecord;
}

export interface ChangedBulkAction {
  /** false: it was in none of the states to change from, or of another epoch, and nothing was changed. */
  readonly isChanged: boolean;
  /** As it is now. */
  readonly action: BulkAction;
}

/** What bulk actions are, without their numbers, which stand beside the tasks: see BulkShard. Every method fails when Redis fails. */
export class BulkActionStore {
  constructor(
    private readonly client: QueueClient,
    private readonly keys: BulkKeys,
    private readonly auditKeys: AuditKeys,
  ) {}

  async create({ id, digest, asked, rate, ids = [], entry, most }: NewBulkAction): Promise<BulkCreation> {
    const chunks: string[] = [];
    for (let from = 0; from < ids.length; from += IDS_IN_CHUNK) chunks.push(JSON.stringify(ids.slice(from, from + IDS_IN_CHUNK)));
    const reply: unknown = await this.client.runCommand('krsBulkCreate', [this.keys.action(id), this.keys.index, this.keys.live, this.keys.ids(id), id, digest, JSON.stringify(asked), rate ?? '', asked.createdAt, ...(entry === undefined ? ['', ''] : completedLater(entry.opened, entry.fields)), this.keys.actionBase, most.ofAll, asked.createdBy.id ?? '', most.ofKey, ...chunks]);
    const creation = creations[Number(reply)];
    if (creation === undefined) throw new TypeError(`krsBulkCreate answered ${String(reply)}`);
    return creation;
  }

  async read(id: string): Promise<BulkAction | undefined> {
    return readAction(await this.client.runCommand('krsBulkRead', [this.keys.action(id)]));
  }

  /** @returns undefined when there is none, or another one than is meant */
  async change(id: string, { from, to, reason, epoch, digest = '', fields = {}, count, record }: BulkChange): Promise<ChangedBulkAction | undefined> {
    const pairs = Object.entries(fields).flatMap(([name, value]) => [name, value ?? '']);
    const isEnd = to !== 'same' && to !== 'resumed' && hasEnded(to);
    const values = [`|${from.join('|')}|`, to === 'same' ? '=' : to, reason === undefined ? '' : JSON.stringify(reason), epoch ?? '', count ?? '', isEnd ? '1' : '', ...this.#recordValues(record), digest];
    const reply: unknown = await this.client.runCommand('krsBulkChange', [this.keys.action(id), ...auditKeyList(this.auditKeys), ...values, ...pairs]);
    // The script's own answer: see bulk-action-scripts.ts.
    const [isChanged, found] = reply as [number, unknown];
    const action = readAction(found);
    return action === undefined ? undefined : { isChanged: isChanged === 1, action };
  }

  /** Its numbers have come to rest. */
  async settle({ id, epoch }: Pick<BulkAction, 'id' | 'epoch'>): Promise<void> {
    await this.client.runCommand('krsBulkSettle', [this.keys.action(id), this.keys.live, this.keys.ids(id), id, KEPT_FOR_MS, epoch]);
  }

  async remove(id: string): Promise<void> {
    await this.client.runCommand('krsBulkRemove', [this.keys.action(id), this.keys.index, this.keys.live, this.keys.ids(id), id]);
  }

  /**
   * Those in one of these states whose numbers may still change, 100 at most.
   * @param turn counts up from 0: where there are more, the next turn gives others
   */
  async live(states: readonly BulkState[], turn: number): Promise<readonly BulkAction[]> {
    const reply: unknown = await this.client.runCommand('krsBulkLive', [this.keys.live, this.keys.actionBase, MOST_LIVE, `|${states.join('|')}|`, turn]);
    // The script's own answer.
    return (reply as unknown[]).flatMap((each) => readAction(each) ?? []);
  }

  /** A page of all, the newest first. @param after the last one of the page before */
  async list(limit: number, after: Pick<BulkAction, 'id'> & { readonly createdAt: number } | undefined): Promise<readonly BulkAction[]> {
    const reply: unknown = await this.client.runCommand('krsBulkList', [this.keys.index, this.keys.actionBase, limit, after?.createdAt ?? '', after?.id ?? '']);
    // The script's own answer.
    return (reply as [string, unknown][]).flatMap(([, found]) => readAction(found) ?? []);
  }

  /** Those that have come to rest, where more are kept than may be: the oldest of the key that has most. */
  async surplus(): Promise<readonly string[]> {
    const reply: unknown = await this.client.runCommand('krsBulkSurplus', [this.keys.index, this.keys.live, MOST_KEPT, this.keys.actionBase]);
    return reply as string[];
  }

  /** The ids that were given, a chunk at a time. @param chunk its number, from 0 */
  async givenIds(id: string, chunk: number): Promise<{ readonly ids: readonly string[]; readonly isLast: boolean }> {
    const text: unknown = await this.client.runCommand('krsBulkGivenIds', [this.keys.ids(id), chunk]);
    // Written by `create`.
    const ids = typeof text === 'string' ? (JSON.parse(text) as string[]) : [];
    return { ids, isLast: ids.length < IDS_IN_CHUNK };
  }

  /**
   * Asks for a share of the rate.
   * @param unused of the last share, which come back
   * @returns how many tasks may be started now, and until when there are no more, ms from now
   */
  async share(id: string, wanted: number, unused: number): Promise<{ readonly granted: number; readonly waitMs: number }> {
    const reply: unknown = await this.client.runCommand('krsBulkPace', [this.keys.action(id), wanted, unused]);
    const [granted, waitMs] = reply as [number, number];
    return { granted, waitMs };
  }

  /** What krsBulkChange gives to addAuditEntry. */
  #recordValues(record: AuditRecord | undefined): readonly string[] {
    if (record === undefined) return ['', '', '', '', '', '', '', ''];
    const { count, errorCode, ...beginning } = record;
    return addedValues(beginning, { outcome: errorCode === undefined ? 'done' : 'failed', errorCode, action: undefined, count, fields: undefined }, this.auditKeys);
  }
}

/** @param found fields and values in turn */
function readAction(found: unknown): BulkAction | undefined {
  if (!Array.isArray(found) || found.length === 0) return undefined;
  const fields = new Map<string, string>();
  for (let at = 0; at + 1 < found.length; at += 2) fields.set(String(found[at]), String(found[at + 1]));
  const [id, asked] = [fields.get('id'), fields.get('asked')];
  if (id === undefined || asked === undefined) return undefined;
  const number = (name: string): number | null => numberOrNull(fields.get(name));
  const reason = fields.get('reason');
  return {
    id,
    digest: fields.get('digest') ?? '',
    // This file and the scripts wrote all of them. An older version knew no override, and no keys.
    asked: { override: null, clientIds: null, ...(JSON.parse(asked) as Omit<AskedBulkAction, 'override' | 'clientIds'> & Partial<AskedBulkAction>) },
    state: fields.get('state') as BulkState,
    stateReason: reason === undefined || reason === '' ? null : (JSON.parse(reason) as StateReason),
    rate: number('rate'),
    epoch: Number(fields.get('epoch')),
    matched: number('matched'),
    matchedAt: number('matchedAt'),
    doneAt: number('doneAt'),
    settledAt: number('settledAt'),
    resumedAt: number('resumedAt') ?? 0,
  };
}

function numberOrNull(text: string | undefined): number | null {
  return text === undefined || text === '' ? null : Number(text);
}

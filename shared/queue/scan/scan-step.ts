import { hiddenName } from '../../domain/destinations/http.js';
import { endpointOf } from '../../domain/flow/flow-key.js';
import type { Shard } from '../engine/shard.js';
import { readBareJobs } from '../tasks/add-search-fields.js';
import { decodeTask } from '../tasks/task-codec.js';
import type { SearchPlan } from '../search/compile-filter.js';
import { toFoundTask, toSearchRow, type FoundTask, type Position, type SearchRow } from './found-task.js';
import { matchesMessage } from '../search/message-values.js';
import type { StepCpu } from './scan-pace.js';
import { HELD, isWaitingPlace, type ReadPlace, type SearchPlace } from '../search/search-places.js';

/** Members of a set, or named ids, that are looked at in one step at most. The script ends it earlier when its time is over. */
export const STEP_MEMBERS = 1_000;
/** An id, its search fields and its failure fields. */
const VALUES_OF_ID = 3;
/** The beginning of a list that is read: it cannot be read from a place in it. */
const LIST_MEMBERS = 10_000;

export type SearchOrder = 'newest' | 'oldest';

/** What a search goes by, all its steps alike. */
export interface SearchRules {
  readonly plan: SearchPlan;
  readonly order: SearchOrder;
  /** What has moved since this time (ms, by Redis' clock) may have been found elsewhere, and is passed over. */
  readonly since: number | undefined;
  /** When the search came to the tasks that wait, ms by Redis' clock. Default: when it began. */
  readonly sinceWaiting?: number | undefined;
  /** The held tasks are read by themselves: what was held already when the search came to the tasks that wait is found there alone. */
  readonly readsHeld?: boolean | undefined;
  /** Default: `later`. */
  readonly look?: SearchLook;
  /** A field whose values are counted, `count` to count alone, undefined to find tasks. */
  readonly by: CountedBy | undefined;
}

/**
 * `first`: the place is the first that the search reads, so only what can have left it and come back is passed over. `again`: the search has
 * ended, and tasks that match and have moved are counted as passed over; `dueCounter` is that of its mark.
 */
export type SearchLook = { readonly kind: 'first' | 'later' } | { readonly kind: 'again'; readonly dueCounter: number };

/** What tasks can be counted by. `count`: by nothing. */
export const countedFields = ['state', 'destination_key', 'client_id', 'source', 'error_code', 'http_status'] as const;
export type CountedBy = (typeof countedFields)[number] | 'count';

/** A task, and its place in the order of the search. */
export interface Placed {
  readonly task: FoundTask;
  readonly position: Position;
}

export interface ScanStep {
  /** In the order of the search. It is empty where tasks are counted. */
  readonly found: readonly Placed[];
  /** Everything up to here was looked at. undefined: everything was. */
  readonly next: Position | undefined;
  readonly tally: Tally;
  readonly cpu: StepCpu;
}

/** What was looked at, and how many of it match. */
export interface Tally {
  readonly scanned: number;
  /** Tasks among them that could not be read, so that nothing is known of whether they match. */
  readonly notRead: number;
  readonly matched: number;
  /** Tasks that match where they were found, and were passed over because they have moved since the search began. */
  readonly passedOver: number;
  /** By the values of the field that is counted. Tasks without a value are counted under null. */
  readonly groups: ReadonlyMap<string | null, number>;
  /** Redis' time when it was looked, ms. */
  readonly at: number;
}

/**
 * Looks at some members of a set behind a position.
 * @param want rows at most
 */
export async function scanSet(shard: Shard, place: ReadPlace, rules: SearchRules, from: Position | undefined, want: number): Promise<ScanStep> {
  const reply = await search(shard, place, rules, want, [place === HELD ? 'held' : 'set', rules.order === 'oldest' ? 1 : 0, from?.score ?? '', from?.member ?? '', STEP_MEMBERS]);
  // They stand in several sets, and what has moved among them was passed over already.
  const step = place === HELD ? await settle(shard, undefined, { ...rules, since: undefined }, reply) : await settle(shard, place, rules, reply);
  return { ...step, next: reply.next };
}

/** A step through named ids. */
export interface IdStep extends Omit<ScanStep, 'next'> {
  /** The last one that was looked at. undefined: no id was named. */
  readonly last: string | undefined;
  /** Those that were not looked at, because the time of the step was over. */
  readonly rest: readonly string[];
}

/**
 * Looks at the first of named jobs, in their order.
 * @param place where they were found; undefined: wherever each is, and an id that no task has is passed over
 */
export async function scanIds(shard: Shard, place: SearchPlace | undefined, rules: SearchRules, jobIds: readonly string[]): Promise<IdStep> {
  const named = jobIds.slice(0, STEP_MEMBERS);
  const reply = await search(shard, place, rules, named.length, ['ids', ...named.flatMap((id) => [id, '', ''])]);
  const step = await settle(shard, place, rules, reply);
  return { ...step, last: named[reply.idsLookedAt - 1], rest: jobIds.slice(reply.idsLookedAt) };
}

/** The ids in a list. */
export interface ListedIds {
  readonly jobIds: readonly string[];
  /** false: the list is longer, and only its first 10,000 are there. */
  readonly isWhole: boolean;
  /** It is not worth a measurement. */
  readonly cpu: undefined;
}

/** The ids in a list, in the order of a search. They have no scores, so their names decide. */
export async function listMembers({ client, keys }: Shard, place: SearchPlace, order: SearchOrder): Promise<ListedIds> {
  const reply: unknown = await client.runCommand('krsListMembers', [`${keys.base}${place}`, LIST_MEMBERS]);
  // The script's own answer.
  const [length, members] = reply as [number, string[]];
  return { jobIds: inOrder(members, order), isWhole: length <= LIST_MEMBERS, cpu: undefined };
}

/** Each id once, by its bytes. */
export function inOrder(jobIds: readonly string[], order: SearchOrder): readonly string[] {
  const sorted = [...new Set(jobIds)].sort();
  return order === 'oldest' ? sorted : sorted.reverse();
}

interface Reply {
  readonly rows: readonly SearchRow[];
  readonly next: Position | undefined;
  readonly tally: Tally;
  readonly idsLookedAt: number;
  readonly cpu: StepCpu;
}

/** What the script counts by. Conditions on messages are decided in Node, so all that match the others are needed as rows: ''. */
function countedIn({ plan, by }: SearchRules): CountedBy | '' {
  return plan.onMessage.length > 0 ? '' : (by ?? '');
}

async function search({ client, keys, server }: Shard, place: ReadPlace | undefined, rules: SearchRules, want: number, rest: readonly (string | number)[]): Promise<Reply> {
  const { plan, since, sinceWaiting, look = { kind: 'later' } } = rules;
  // A search that reads no place in which tasks wait reads no held ones either.
  const readsHeld = rules.readsHeld === true && plan.places.some(isWaitingPlace);
  const reply: unknown = await client.runCommand('krsSearch', [`${keys.base}${place === HELD ? 'delayed' : place ?? 'delayed'}`, keys.base, plan.forScript, place ?? '', since ?? '', look.kind, look.kind === 'again' ? look.dueCounter : '', countedIn(rules), want, sinceWaiting ?? '', readsHeld ? 1 : 0, ...rest]);
  // The script's own answer: see search-script.ts.
  const [at, scanned, notRead, matched, score, member, rows, groups, withoutGroup, idsLookedAt, beforeUs, afterUs, passedOver] = reply as [number, number, number, number, string, string, string[][], (string | number)[], number, number, number, number, number];
  return {
    rows: rows.map(toSearchRow),
    next: member === '' ? undefined : { score, member },
    tally: { scanned, notRead, matched, passedOver, groups: groupsOf(groups, withoutGroup, rules), at },
    idsLookedAt,
    cpu: { server, beforeUs, afterUs },
  };
}

/** Several names of the script may be one: a task that was stored before its path was hidden has the open one. */
function groupsOf(pairs: readonly (string | number)[], withoutGroup: number, { by, plan }: SearchRules): Map<string | null, number> {
  const groups = new Map<string | null, number>();
  for (let at = 0; at + 1 < pairs.length; at += 2) {
    const stored = String(pairs[at]);
    const value = by === 'destination_key' ? hiddenName(stored, plan.names.mask) : stored;
    groups.set(value, (groups.get(value) ?? 0) + Number(pairs[at + 1]));
  }
  if (withoutGroup > 0) groups.set(null, withoutGroup);
  return groups;
}

/** Decides what the script could not decide: jobs without the fields, and conditions on messages. */
async function settle(shard: Shard, place: SearchPlace | undefined, rules: SearchRules, { rows, tally, cpu }: Reply): Promise<Omit<ScanStep, 'next'>> {
  const { plan, by } = rules;
  const bare = rows.filter(({ kind }) => kind === 'bare').map(({ member }) => member);
  const read = bare.length === 0 ? undefined : await searchBare(shard, place, rules, bare);
  const groups = new Map(tally.groups);
  const counts = { scanned: tally.scanned, notRead: tally.notRead + (read?.notRead ?? 0), matched: tally.matched + (read?.matched ?? 0), passedOver: tally.passedOver + (read?.passedOver ?? 0) };
  for (const [value, count] of read?.groups ?? []) groups.set(value, (groups.get(value) ?? 0) + count);
  const found: Placed[] = [];
  for (const row of rows) {
    const whole = row.kind === 'bare' ? read?.rows.get(row.member) : row;
    if (whole === undefined) continue;
    const verdict = plan.onMessage.length === 0 ? true : verdictOnMessage(whole.data, plan);
    const task = verdict === true ? toFoundTask(whole) : undefined;
    if (task === undefined) {
      counts.matched -= 1;
      if (verdict !== false) counts.notRead += 1;
    } else if (by === undefined) {
      // The place in which it was found: a bare one has been looked up anew.
      found.push({ task, position: { score: row.score, member: row.member } });
    } else if (by !== 'count') {
      const value = valueIn(task, by, plan);
      groups.set(value, (groups.get(value) ?? 0) + 1);
    }
  }
  return { found, tally: { ...counts, groups, at: tally.at }, cpu: read === undefined ? cpu : { ...cpu, afterUs: read.cpuAfterUs ?? cpu.afterUs } };
}

/** Decides on jobs that lack the short fields: they are made from the data, as the janitor makes them, and nothing is written. */
async function searchBare(shard: Shard, place: SearchPlace | undefined, rules: SearchRules, jobIds: readonly string[]): Promise<Pick<Tally, 'notRead' | 'matched' | 'passedOver' | 'groups'> & { readonly rows: ReadonlyMap<string, SearchRow>; readonly cpuAfterUs?: number }> {
  const rest: string[] = [];
  let notRead = 0;
  for await (const { jobId, fields } of readBareJobs(shard, `${shard.keys.base}${place ?? 'delayed'}`, jobIds, rules.plan.names.mask)) {
    if (fields === undefined) notRead += 1;
    else rest.push(jobId, fields.search, fields.failure);
  }
  const decided = new Map<string, SearchRow>();
  const groups = new Map<string | null, number>();
  let matched = 0;
  let passedOver = 0;
  let cpuAfterUs: number | undefined;
  for (let from = 0; from < rest.length; ) {
    const { rows, tally, cpu, idsLookedAt } = await search(shard, place, rules, jobIds.length, ['ids', ...rest.slice(from)]);
    from += idsLookedAt * VALUES_OF_ID;
    matched += tally.matched;
    passedOver += tally.passedOver;
    notRead += tally.notRead;
    cpuAfterUs = cpu.afterUs;
    for (const [value, count] of tally.groups) groups.set(value, (groups.get(value) ?? 0) + count);
    for (const row of rows) {
      // A job that failed again between the two looks is bare once more: it moves.
      if (row.kind === 'row') decided.set(row.member, row);
      else notRead += 1;
    }
  }
  return { notRead, matched, passedOver, groups, rows: decided, ...(cpuAfterUs === undefined ? {} : { cpuAfterUs }) };
}

/** @returns undefined where the data cannot be read */
function verdictOnMessage(data: string, { onMessage }: SearchPlan): boolean | undefined {
  try {
    return matchesMessage(decodeTask(JSON.parse(data)).messageData, onMessage);
  } catch {
    return undefined; // a newer version may have written it
  }
}

/** The value by which a task is counted. */
function valueIn(task: FoundTask, by: Exclude<CountedBy, 'count'>, { names }: SearchPlan): string | null {
  switch (by) {
    case 'state':
      return task.state;
    case 'client_id':
      return task.clientId;
    case 'source':
      return task.source;
    case 'error_code':
      return task.code ?? null;
    case 'http_status':
      return task.httpStatus === undefined ? null : String(task.httpStatus);
    case 'destination_key':
      return endpointOf(task, names);
  }
}

import type { BullmqScriptName } from './bullmq-contract.js';
import { fetchedFields } from './fetched-fields.js';
import { jobField } from './job-fields.js';
import { replaceOnce, type Patch } from './replace-once.js';

/**
 * Due jobs that leave the delayed set with one call. BullMQ moves up to 1,000 with each: 10 ms and more in which Redis
 * answers no other command, and workers and callers wait. It is far more than a call takes: what is due must not wait
 * there.
 */
export const PROMOTED_AT_ONCE = 128;

/**
 * The same with a job that is fetched alone, while fewer than this are queued; behind that, one for the one that is fetched. What leaves the
 * delayed set stands before what comes next: if a million jobs of a paused destination are due at once, they must not queue faster than
 * bulk deferral takes them out, and that is as fast as the machine has time for it.
 */
const PROMOTED_BY_FETCH = 16;
const QUEUED_BY_FETCHES = 100;
const promotedByFetch = `rcall("ZCARD", prioritizedKey) < ${QUEUED_BY_FETCHES} and ${PROMOTED_BY_FETCH} or 1`;

/** Lua functions that the patches below call. They stand before a script that has any of `promotes`. */
export const PROMOTE_FUNCTIONS = `local function valueOrNil(reply)
  if type(reply) == 'table' then return nil end
  return reply
end`;

/** Lua that fails with WRONGTYPE when a key of BullMQ's holds anything but a number. */
function readNumber(key: string): string {
  return `if not tonumber(rcall("GET", ${key}) or 0) then rcall("LLEN", ${key}) end`;
}

/** In front of a script's first write it looks at the keys that are written later: one that holds something else fails the script here. */
function lookingAt(reads: string, text: string): Patch {
  return [text, `${reads}\n${text}`];
}

// ------------------------------------------------ in the functions that scripts share

/**
 * Of the function that moves due jobs.
 * @param most Lua: the number of jobs to be moved at most
 */
function promotes(most: string): readonly Patch[] {
  return [
    ['"LIMIT", 0, 1000)', `"LIMIT", 0, ${most})`],
    // A key may hold something else, of the queue or of a job. BullMQ takes all due jobs out of the delayed set first, and an error
    // behind that would leave the rest in no set at all: they were never sent.
    ['rcall("ZREM", delayedKey, unpack(jobs))', `rcall("LLEN", targetKey) rcall("ZCARD", prioritizedKey) ${readNumber('priorityCounterKey')}\n        rcall("ZREM", delayedKey, unpack(jobs))`],
    ['priority =\n                tonumber(rcall("HGET", jobKey, "priority")) or 0', 'priority = tonumber(valueOrNil(redis.pcall("HGET", jobKey, "priority"))) or 0'],
    ['rcall("HSET", jobKey, "delay", 0)', 'redis.pcall("HSET", jobKey, "delay", 0)'],
  ];
}

/** Of the scripts that fetch. A job that cannot be put among the active ones goes back to where it was; then the error is thrown. */
const FETCH_OR_PUT_BACK: Patch = [
  'rcall("LPUSH", activeKey, prioritizedJob[1])',
  'if type(redis.pcall("LPUSH", activeKey, prioritizedJob[1])) == "table" then rcall("ZADD", priorityKey, prioritizedJob[2], prioritizedJob[1]) rcall("LPUSH", activeKey, prioritizedJob[1]) end',
];

const NOTES_FETCH = 'rcall("HMSET", jobKey, "processedOn", processedOn, unpack(optionalValues))';

/**
 * When a job was fetched is written down by Redis' clock. The worker's own time is that of the moment in which it made the call, milliseconds
 * before Redis carries it out: a search that has found the job in between would take it for one that has not moved, and find it again.
 */
const FETCHED_AT = `local fetchTime = rcall("TIME")
  processedOn = string.format("%d", fetchTime[1] * 1000 + math.floor(fetchTime[2] / 1000))`;

/** The key of a job may hold something else. Such a job is left to the check for stalled ones, and only this fetch fails. */
const FETCH_A_HASH: Patch = [
  NOTES_FETCH,
  `${FETCHED_AT}
  local noted = redis.pcall("HMSET", jobKey, "processedOn", processedOn, unpack(optionalValues))
  if noted.err then
    if string.find(noted.err, "WRONGTYPE", 1, true) then noted = {err = "NOTAHASH the key " .. jobKey .. " holds something else than a job"} end
    return noted
  end`,
];

/** Of a script that has put its own job elsewhere before it fetches the next: the error of that fetch must not become the error of its own. */
function fetchesNextBy(call: string): Patch {
  return ['local result = fetchNextJob(', call];
}

/** Of the scripts that add a job. The Lua variables `searchFields` and `now` are those of krsSubmit. */
const adds: readonly Patch[] = [
  // The search fields are stored together with the other fields. A command of its own would cost Redis a twentieth of a submission.
  ['local optionalValues = {}', `local optionalValues = searchFields ~= '' and { '${jobField.search}', searchFields } or {}`],
  // The job is created at Redis' time, and not at the one that its caller sends: the clock of an API's machine is set now and then, by an
  // hour or backwards, and its tasks would be due an hour too late or too early.
  ['local timestamp = args[4]', 'local timestamp = now'],
];

// ------------------------------------------------ script by script

/**
 * Everything that is changed in the texts of BullMQ's scripts. A change of `itself` stands in BullMQ's own command, on each connection of a
 * shard, and so in all functions that are made of it (guarded-scripts.ts). The others stand only in the function that is a part of that
 * script of ours. Each text is looked for at start-up, and has to be found exactly once (check-engine.ts).
 *
 * All these scripts lose their events, too (without-events.ts), and some get the time from us (`CALLERS_TIME` in bullmq-contract.ts).
 *
 * The changes of `itself` are there because a person or another program may have written one of the keys. Without them, the script ends
 * between the place that it takes a job out of and the place that it puts it into, and the job is in neither.
 */
const scriptPatches = {
  addDelayedJob: { krsSubmit: adds },
  addPrioritizedJob: { krsSubmit: adds },
  moveToActive: { itself: [FETCH_OR_PUT_BACK, FETCH_A_HASH], krsPromoting: promotes(promotedByFetch) },
  moveToFinished: {
    krsFinish: [
      ['rcall("HGETALL", jobKey)', `rcall("HMGET", jobKey, ${fetchedFields.map((field) => `"${field}"`).join(', ')})`],
      // That it has ended is written before all that can be refused behind the one who held it: what has left the active ones without it would be
      // taken for a task that a script has left in no set, and sent again (restore-strays.ts).
      ['local attemptsMade = rcall("HINCRBY", jobIdKey, "atm", 1)', 'rcall("HSET", jobIdKey, ARGV[3], ARGV[4], "finishedOn", timestamp)\n    local attemptsMade = rcall("HINCRBY", jobIdKey, "atm", 1)'],
      ['rcall("ZADD", targetSet, timestamp, jobId)\n        rcall("HSET", jobIdKey, ARGV[3], ARGV[4], "finishedOn", timestamp)', 'rcall("ZADD", targetSet, timestamp, jobId)'],
      // All calls of the group together: 128 for 16 jobs. The variable is one of krsFinish.
      ...promotes('promoted'),
      FETCH_OR_PUT_BACK,
      // A function of krsFinish, so that all jobs of a group ask for the time once.
      [NOTES_FETCH, `processedOn = fetchedAt()\n  ${NOTES_FETCH}`],
      fetchesNextBy('local result = resultOrNil(fetchNextJob, '),
    ],
  },
  moveToDelayed: {
    itself: [FETCH_OR_PUT_BACK, [NOTES_FETCH, `${FETCHED_AT}\n  ${NOTES_FETCH}`], lookingAt('rcall("ZCARD", KEYS[4])', 'local errorCode = removeLock(jobKey, KEYS[8], token, ARGV[3])'), fetchesNextBy('local _, result = pcall(fetchNextJob, ')],
    krsPromoting: promotes(String(PROMOTED_AT_ONCE)),
  },
  retryJob: {
    itself: [lookingAt(`rcall("LLEN", KEYS[2]) rcall("ZCARD", KEYS[8]) ${readNumber('KEYS[9]')}`, 'local errorCode = removeLock(jobKey, KEYS[11], ARGV[5], ARGV[4])')],
    krsPromoting: promotes(String(PROMOTED_AT_ONCE)),
  },
  moveJobFromActiveToWait: { itself: [lookingAt('rcall("LLEN", KEYS[2]) rcall("ZCARD", KEYS[7]) rcall("HLEN", KEYS[5])', 'local errorCode = removeLock(jobKey, KEYS[3], token, jobId)')] },
  moveStalledJobsToWait: {
    itself: [
      lookingAt('rcall("LLEN", waitKey) rcall("LLEN", activeKey) rcall("HLEN", metaKey)', 'rcall("SET", stalledCheckKey, timestamp, "PX", maxCheckTime)'),
      // A key that holds something else is no job, and no worker could ever begin it.
      ['if (removed > 0) then', 'local kind = rcall("TYPE", jobKey)["ok"]\n                if (removed > 0 and (kind == "hash" or kind == "none")) then'],
    ],
  },
  promote: { itself: [lookingAt(`rcall("LLEN", KEYS[2]) rcall("ZCARD", KEYS[5]) ${readNumber('KEYS[7]')} rcall("HLEN", KEYS[4])`, 'if rcall("ZREM", KEYS[1], jobId) == 1 then')] },
  reprocessJob: { itself: [lookingAt(`rcall("LLEN", KEYS[4]) rcall("ZCARD", KEYS[8]) ${readNumber('KEYS[9]')} rcall("HLEN", KEYS[5])`, 'if (rcall("ZREM", KEYS[3], jobId) == 1) then')] },
} as const satisfies Partial<Readonly<Record<BullmqScriptName, Partial<Readonly<Record<PatchedPlace, readonly Patch[]>>>>>>;

/** The scripts of ours that hold a changed function of BullMQ's. */
export const patchingScripts = ['krsSubmit', 'krsFinish', 'krsPromoting'] as const;
export type PatchedPlace = 'itself' | (typeof patchingScripts)[number];

type Rows = typeof scriptPatches;
/** The scripts of BullMQ's that are changed in this place. */
export type ScriptPatchedIn<P extends PatchedPlace> = { [S in keyof Rows]: P extends keyof Rows[S] ? S : never }[keyof Rows];

const rows = Object.entries(scriptPatches) as [keyof Rows, Partial<Readonly<Record<PatchedPlace, readonly Patch[]>>>][];

export function scriptsPatchedIn<P extends PatchedPlace>(place: P): readonly ScriptPatchedIn<P>[] {
  // That a row has this place is what the type says.
  return rows.filter(([, places]) => place in places).map(([script]) => script as ScriptPatchedIn<P>);
}

/**
 * @param lua the text of the script, or a part of it that has all the texts in question
 * @throws EngineMismatchError unless each of them stands there exactly once
 */
export function patched<P extends PatchedPlace>(lua: string, script: ScriptPatchedIn<P>, place: P): string {
  const patches = rows.find(([name]) => name === script)?.[1][place] ?? [];
  return patches.reduce((text, patch) => replaceOnce(text, script, patch), lua);
}

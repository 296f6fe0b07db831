import type { BullmqScriptName } from './bullmq-contract.js';
import { bullmqScript, definedScripts, type DefinedScripts } from './defined-scripts.js';
import { readNumber } from './promote-patches.js';
import type { QueueClient } from './queue-client.js';
import { replaceOnce } from './replace-once.js';

type Patch = readonly [text: string, by: string];

/** In the scripts that fetch. A job that cannot be put among the active ones goes back to where it was; then the error is thrown. */
export const fetchPatch: Patch = [
  'rcall("LPUSH", activeKey, prioritizedJob[1])',
  'if type(redis.pcall("LPUSH", activeKey, prioritizedJob[1])) == "table" then rcall("ZADD", priorityKey, prioritizedJob[2], prioritizedJob[1]) rcall("LPUSH", activeKey, prioritizedJob[1]) end',
];

/** The first word of the error of a fetch that has met a job whose key is no hash. */
export const NOT_A_HASH = 'NOTAHASH';

/** The key of a job may hold something else. Such a job is left to the check for stalled ones, and only this fetch fails. */
const FETCHED: Patch = [
  'rcall("HMSET", jobKey, "processedOn", processedOn, unpack(optionalValues))',
  `local noted = redis.pcall("HMSET", jobKey, "processedOn", processedOn, unpack(optionalValues))
  if noted.err then
    if string.find(noted.err, "WRONGTYPE", 1, true) then noted = {err = "${NOT_A_HASH} the key " .. jobKey .. " holds something else than a job"} end
    return noted
  end`,
];

/** In front of a script's first write it looks at the keys that are written later: one that holds something else fails the script here. */
function lookingAt(reads: string, text: string): Patch {
  return [text, `${reads}\n${text}`];
}

/**
 * The scripts of BullMQ's that take a job out of one place and put it into another, and what is changed in each. Without this, a key
 * that holds something else (a person or another program has written it) makes them end between the two. The function that moves
 * due jobs is guarded by promote-patches.ts.
 */
const guards = {
  moveToActive: [fetchPatch, FETCHED],
  moveToDelayed: [
    fetchPatch,
    lookingAt('rcall("ZCARD", KEYS[4])', 'local errorCode = removeLock(jobKey, KEYS[8], token, ARGV[3])'),
    // The job has been put back by then, so a next one that cannot be fetched must not become its error.
    ['local result = fetchNextJob(', 'local _, result = pcall(fetchNextJob, '],
  ],
  retryJob: [lookingAt(`rcall("LLEN", KEYS[2]) rcall("ZCARD", KEYS[8]) ${readNumber('KEYS[9]')}`, 'local errorCode = removeLock(jobKey, KEYS[11], ARGV[5], ARGV[4])')],
  moveJobFromActiveToWait: [lookingAt('rcall("LLEN", KEYS[2]) rcall("ZCARD", KEYS[7]) rcall("HLEN", KEYS[5])', 'local errorCode = removeLock(jobKey, KEYS[3], token, jobId)')],
  moveStalledJobsToWait: [
    lookingAt('rcall("LLEN", waitKey) rcall("LLEN", activeKey) rcall("HLEN", metaKey)', 'rcall("SET", stalledCheckKey, timestamp, "PX", maxCheckTime)'),
    // It is no job, and no worker could ever begin it.
    ['if (removed > 0) then', 'local kind = rcall("TYPE", jobKey)["ok"]\n                if (removed > 0 and (kind == "hash" or kind == "none")) then'],
  ],
  promote: [lookingAt(`rcall("LLEN", KEYS[2]) rcall("ZCARD", KEYS[5]) ${readNumber('KEYS[7]')} rcall("HLEN", KEYS[4])`, 'if rcall("ZREM", KEYS[1], jobId) == 1 then')],
  reprocessJob: [lookingAt(`rcall("LLEN", KEYS[4]) rcall("ZCARD", KEYS[8]) ${readNumber('KEYS[9]')} rcall("HLEN", KEYS[5])`, 'if (rcall("ZREM", KEYS[3], jobId) == 1) then')],
} as const satisfies Partial<Readonly<Record<BullmqScriptName, readonly Patch[]>>>;

const guardEntries = Object.entries(guards) as [keyof typeof guards, readonly Patch[]][];
/** All shards of a process share a connection, and its scripts are changed once. */
const MARK = '-- guarded\n';

/**
 * BullMQ's scripts with their guards, by the names of their commands.
 * @throws EngineMismatchError for another BullMQ than this was written for
 */
export function guardedScripts(scripts: DefinedScripts): Readonly<Record<string, { readonly lua: string; readonly numberOfKeys: number }>> {
  return Object.fromEntries(
    guardEntries.map(([name, patches]) => {
      const { command, lua, numberOfKeys } = bullmqScript(scripts, name);
      const guarded = lua.startsWith(MARK) ? lua : MARK + silent(patches.reduce((text, patch) => replaceOnce(text, name, patch), lua));
      return [command, { lua: guarded, numberOfKeys: numberOfKeys ?? 0 }];
    }),
  );
}

/** Puts the guarded scripts in the place of BullMQ's own, for everything that goes over this connection. @throws as guardedScripts */
export function guardScripts(client: QueueClient): void {
  for (const [command, script] of Object.entries(guardedScripts(definedScripts(client)))) client.defineCommand(command, script);
}

/**
 * The script without its events: see without-events.ts. Its key could hold something else, too. `type` stands for a function that does
 * nothing with its arguments, because these texts become parts of others, where a function of our own in front would be made with each call.
 */
function silent(lua: string): string {
  return lua.replaceAll(/rcall\("(?:XADD|XTRIM)", /g, 'type(').replaceAll(/= getOrSetMaxEvents\([\w[\]]+\)/g, '= 0');
}

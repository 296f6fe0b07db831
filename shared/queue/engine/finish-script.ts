import { PARKED_SUFFIX } from '../names.js';
import { bullmqScripts, FINISH_OWN_KEYS } from './bullmq-contract.js';
import { patchedFunction } from './bullmq-script.js';
import { COUNTED_BY_CALLER } from './counted-by-caller.js';
import { definedScripts, type DefinedScripts } from './defined-scripts.js';
import { namedValues } from './fetched-fields.js';
import type { QueueClient } from './queue-client.js';
import { isLastCopyFunction } from './last-copy.js';
import { countTaskLua } from './quota-lua.js';
import { makeReadable } from './readable-job.js';
import { PROMOTE_FUNCTIONS, PROMOTED_AT_ONCE } from './script-patches.js';
import { toldBulkActionLua, type ToldEnd } from './told-bulk-action.js';

type Argument = string | number | boolean | Buffer | undefined;
/** The arguments of BullMQ's moveToFinished: keys, then values. */
export type FinishArguments = readonly Argument[];

const { keys: KEYS, values: VALUES } = bullmqScripts.moveToFinished;
const { from: OWN_KEYS_FROM, count: OWN_KEYS } = FINISH_OWN_KEYS;
const SHARED_KEYS = KEYS - OWN_KEYS;
/** The place of the set that a job ends in among BullMQ's keys, counted from 1 as in Lua. */
const TARGET_SET = OWN_KEYS_FROM + 1;
/** Where the key of the job stands among KEYS, counted from 1 as in Lua. */
const FINISH_JOB_KEY = OWN_KEYS_FROM + 2;
/** BullMQ's, and what a bulk action is told. */
const VALUES_PER_JOB = VALUES + 1;

/**
 * BullMQ's moveToFinished for many jobs in one call (decision 8): each ends, and the next one is fetched in its place.
 * BullMQ's own Lua does it, as a function of one larger script.
 *
 * @param client where BullMQ has defined its scripts
 * @throws EngineMismatchError for another BullMQ than this was written for
 */
export function defineFinishScript(client: QueueClient): void {
  client.defineCommand('krsFinish', { numberOfKeys: COUNTED_BY_CALLER, lua: finishLua(definedScripts(client)) });
}

/** The end of one job. */
export interface FinishCall {
  readonly args: FinishArguments;
  /** What its bulk action is told when it has ended; undefined for a job in none. */
  readonly told: ToldEnd | undefined;
}

/** The first of BullMQ's values. */
export function jobIdOfFinish(args: FinishArguments): unknown {
  return args[KEYS];
}

/**
 * @param calls of one queue
 * @returns arguments for krsFinish; its reply has one element for each call, in order: what BullMQ's script alone
 *          would have answered, or an Error
 */
export function finishArguments(calls: readonly FinishCall[]): Argument[] {
  const first = calls[0]?.args ?? [];
  const args: Argument[] = [SHARED_KEYS + OWN_KEYS * calls.length];
  args.push(...first.slice(0, OWN_KEYS_FROM), ...first.slice(OWN_KEYS_FROM + OWN_KEYS, KEYS));
  for (const call of calls) for (let index = OWN_KEYS_FROM; index < OWN_KEYS_FROM + OWN_KEYS; index += 1) args.push(call.args[index]);
  for (const { args: own, told = '' } of calls) {
    for (let index = KEYS; index < KEYS + VALUES; index += 1) args.push(own[index]);
    args.push(told);
  }
  return args;
}

/** @returns what BullMQ expects of its own script */
export function readFinish(answer: unknown): unknown {
  if (Array.isArray(answer) && Array.isArray(answer[0])) answer[0] = namedValues(answer[0]);
  makeReadable(answer);
  return answer;
}

/**
 * KEYS: those that all calls share, in BullMQ's order, then three of each job. ARGV of each job: BullMQ's nine, and what its bulk action is
 * told or ''. It is told in the same step, so the numbers of an action always agree with its tasks.
 *
 * One that fails, such as for a full Redis, must not take the others with it: they have ended by then, and jobs that
 * were fetched for them would stand there without a worker. Nor must a job that cannot even be looked at, because its key
 * holds something else.
 *
 * @throws EngineMismatchError for another BullMQ than this was written for
 */
function finishLua(scripts: DefinedScripts): string {
  return `local calls = (#KEYS - ${SHARED_KEYS}) / ${OWN_KEYS}
local promoted = math.ceil(${PROMOTED_AT_ONCE} / calls)
${PROMOTE_FUNCTIONS}
local function resultOrNil(fetch, ...)
  local isDone, found = pcall(fetch, ...)
  if isDone then return found end
end
local now
local function fetchedAt()
  if not now then
    local time = redis.call('TIME')
    now = string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000))
  end
  return now
end
${patchedFunction(scripts, 'moveToFinished', 'krsFinish', 'finish')}
${toldBulkActionLua}${isLastCopyFunction}${countTaskLua}
-- A parked task goes on counting for its client.
local function countEnd(job, id, set)
  local base = string.sub(job, 1, #job - #id)
  if hasQuotas(base) and (set == base .. 'completed' or not isLastCopy(job)) then countTask(base, job, -1) end
end
-- In the same step as its end: a full Redis, which takes the end of a job, would refuse it alone.
local function markParked(job, id, at)
  if isLastCopy(job) then redis.call('ZADD', string.sub(job, 1, #job - #id) .. '${PARKED_SUFFIX}', at, id) end
end
local keys = {}
for index = 1, ${SHARED_KEYS} do
  keys[index <= ${OWN_KEYS_FROM} and index or index + ${OWN_KEYS}] = KEYS[index]
end
local answers, target, hasFailed, fault = {}, nil, nil, nil
for call = 1, calls do
  for index = 1, ${OWN_KEYS} do
    keys[${OWN_KEYS_FROM} + index] = KEYS[${SHARED_KEYS} + ${OWN_KEYS} * (call - 1) + index]
  end
  local values = {}
  for index = 1, ${VALUES} do
    values[index] = ARGV[${VALUES_PER_JOB} * (call - 1) + index]
  end
  local told = ARGV[${VALUES_PER_JOB} * call]
  -- A job that has left the active ones must have a place to go to.
  if keys[${TARGET_SET}] ~= target then
    target = keys[${TARGET_SET}]
    hasFailed = string.sub(target, -6) == 'failed'
    fault = redis.pcall('ZCARD', target)
    if type(fault) ~= 'table' and hasFailed then fault = redis.pcall('ZCARD', string.sub(target, 1, -7) .. '${PARKED_SUFFIX}') end
    if type(fault) ~= 'table' then fault = nil end
  end
  local isDone, answer = true, fault
  if not fault then isDone, answer = pcall(finish, keys, values) end
  if isDone then
    answers[call] = answer or 0
    -- A number below zero is BullMQ's error: the job has not ended here. The other jobs of this call must not suffer from a number.
    if not (type(answer) == 'number' and answer < 0) then
      if told ~= '' then pcall(tellEnd, keys[${FINISH_JOB_KEY}], values[1], values[2], told) end
      if hasFailed then pcall(markParked, keys[${FINISH_JOB_KEY}], values[1], values[2]) end
      -- As a rule no client has a quota, and the first call has found that out.
      if areThereQuotas ~= false then pcall(countEnd, keys[${FINISH_JOB_KEY}], values[1], target) end
    end
  else
    answers[call] = { err = type(answer) == 'table' and answer.err or tostring(answer) }
  end
end
return answers
`;
}

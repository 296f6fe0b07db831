import { clientOfFunction } from './client-of-job.js';
import { jobField } from './job-fields.js';

/**
 * The tasks of clients that have a quota are counted in the scripts that change them, so the numbers always agree with the tasks. A task
 * counts while it waits, is due, is sent, or is parked: not when it is delivered, cancelled or dead-lettered.
 *
 * Each shard has two hashes. `quota` has the number of each client with a quota, and is not there while no client has one. `quota-recount`
 * is there while the tasks are counted anew: the number so far of each client, and a mark. A job that was counted in bears the mark, so it
 * is counted in once, however it moves meanwhile (quota-scripts.ts).
 */
export const QUOTA_SUFFIX = 'quota';
export const RECOUNT_SUFFIX = 'quota-recount';

/** What the fields of these hashes that are no clients begin with: no client has a control character in its name. */
const NO_CLIENT = '\x1f';
export const quotaField = {
  /** In both. In `quota`: the version of the access keys that named the clients. In `quota-recount`: the mark. */
  version: `${NO_CLIENT}version`,
  mark: `${NO_CLIENT}mark`,
  /** In `quota`: when the tasks were last counted anew, ms. */
  countedAt: `${NO_CLIENT}counted-at`,
  place: `${NO_CLIENT}place`,
  cursor: `${NO_CLIENT}cursor`,
  pass: `${NO_CLIENT}pass`,
  /** In `quota-recount`: jobs that were first found in this pass. */
  found: `${NO_CLIENT}found`,
} as const;

/** Whether it could be the name of a client, and not that of one of these fields. */
export function canHaveQuota(clientId: string): boolean {
  return !clientId.startsWith(NO_CLIENT);
}

/** Lua: the same. */
export const isClientLua = (field: string): string => `string.sub(${field}, 1, 1) ~= '\\31'`;

/**
 * Lua: `countTask(base, job, by)` says that a task has become one that counts (1), or no longer is one (-1). The job has to be there. `base` is
 * the key prefix of jobs. While no client of the shard has a quota (`hasQuotas(base)`), a script asks for that once, and reads no job for it.
 *
 * An error, such as that of a key that holds something else, changes nothing: a task is worth more than its number.
 */
export const countTaskLua = `${clientOfFunction}
local areThereQuotas
local function hasQuotas(base)
  if areThereQuotas == nil then areThereQuotas = redis.call('EXISTS', base .. '${QUOTA_SUFFIX}') == 1 end
  return areThereQuotas
end
local function countTask(base, job, by)
  if not hasQuotas(base) then return end
  local quotas = base .. '${QUOTA_SUFFIX}'
  local client = clientOf(job)
  if not client or redis.pcall('HEXISTS', quotas, client) ~= 1 then return end
  redis.pcall('HINCRBY', quotas, client, by)
  local recount = base .. '${RECOUNT_SUFFIX}'
  local mark = redis.pcall('HGET', recount, '${quotaField.mark}')
  if type(mark) ~= 'string' then return end
  if by > 0 then
    redis.pcall('HSET', job, '${jobField.quotaMark}', mark)
    redis.pcall('HINCRBY', recount, client, 1)
  elseif redis.pcall('HGET', job, '${jobField.quotaMark}') == mark then
    redis.pcall('HDEL', job, '${jobField.quotaMark}')
    redis.pcall('HINCRBY', recount, client, -1)
  end
end
`;

import { jobField } from '../engine/job-fields.js';

/** A person may press a button again and again while nothing is sent. */
const MARKS_IN_A_ROW = 10;

/**
 * Lua: `markSentNow(job, run, at, more)` writes into the log of a waiting task that a person has sent it now; `more` as in prepareRedrive.
 *
 * The mark stands before the notes of a deferral and of a release, because what the task does next is read from the last entries. A full
 * Redis may refuse it: the task is sent all the same.
 */
export const markSentNowLua = `
local function markSentNow(job, run, at, more)
  local okay, log = pcall(cjson.decode, redis.call('HGET', job, '${jobField.log}') or '[]')
  if not okay or type(log) ~= 'table' then log = {} end
  local function hasKind(index, kind)
    return type(log[index]) == 'string' and string.find(log[index], '"kind":"' .. kind .. '"', 1, true)
  end
  local place = #log + 1
  while hasKind(place - 1, 'deferral') or hasKind(place - 1, 'release') do place = place - 1 end
  local first = place
  while hasKind(first - 1, 'sent_now') do first = first - 1 end
  if place - first >= ${MARKS_IN_A_ROW} then
    table.remove(log, first)
    place = place - 1
  end
  table.insert(log, place, '{"kind":"sent_now","run":' .. string.format('%d', run) .. ',"at":' .. string.format('%d', at) .. more .. '}')
  redis.pcall('HSET', job, '${jobField.log}', cjson.encode(log))
end
`;

import { isDeepStrictEqual } from 'node:util';
import type { Redis } from 'ioredis';

const COPIED_AT_ONCE = 2_000;

/** Orders have numbers of one length, so that the messages have, too. */
export function orderOf(nth: number): number {
  return 10_000_000 + nth;
}

export interface Copies {
  /** Key prefix of the jobs of the only shard: `bull:deliver-0:`. */
  readonly base: string;
  readonly tasks: number;
  /** Task `nth` is of client `nth % clients`. The first task of each is submitted, all others are copies of it. */
  readonly clients: number;
  /** The tasks of each round of clients were submitted, and are due, so much before those of the round before, ms. */
  readonly apartMs: number;
  /** Submits task `nth`, which waits for its time: its id is `idOfCopy(nth)`, and in its message stands `orderOf(nth)` once. */
  readonly submit: (nth: number) => Promise<unknown>;
}

export function idOfCopy(nth: number): string {
  return `waiting-${nth}`;
}

/**
 * KEYS 1 delayed, 2 BullMQ's counter of jobs. ARGV 1 key prefix of jobs, 2 first and 3 last number, 4 clients, 5 what is added to a number for its order,
 * 6 by how much a block is older than the one before (ms).
 */
const copyTasks = `
local base, first, last, clients, orders, apart = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local function text(number) return string.format('%.0f', number) end
local function replaced(whole, old, new)
  local from, to = string.find(whole, old, 1, true)
  return string.sub(whole, 1, from - 1) .. new .. string.sub(whole, to + 1)
end
for nth = first, last do
  local of, older = nth % clients, math.floor(nth / clients) * apart
  local sample, id = 't-waiting-' .. text(of), 't-waiting-' .. text(nth)
  redis.call('COPY', base .. sample, base .. id)
  local seen = redis.call('HMGET', base .. id, 'data', 'timestamp')
  local data = replaced(seen[1], '"i":"waiting-' .. text(of) .. '"', '"i":"waiting-' .. text(nth) .. '"')
  redis.call('HSET', base .. id, 'data', replaced(data, text(orders + of), text(orders + nth)), 'timestamp', text(tonumber(seen[2]) - older))
  redis.call('ZADD', KEYS[1], text(tonumber(redis.call('ZSCORE', KEYS[1], sample)) - older * 4096), id)
end
redis.call('INCRBY', KEYS[2], last - first + 1)
`;

/**
 * Fills the queue with waiting tasks, in the form in which a submission stores them: a million in half a minute, where submissions take many.
 * A copy keeps the digest of the content that it was copied from; nothing else tells it from a submitted task.
 * @throws Error when a copy is not what a submission stores
 */
export async function fillByCopies(redis: Redis, { base, tasks, clients, apartMs, submit }: Copies): Promise<void> {
  await Promise.all(Array.from({ length: Math.min(tasks, clients) }, (_, nth) => submit(nth)));
  for (let from = clients; from < tasks; from += COPIED_AT_ONCE) {
    await redis.eval(copyTasks, 2, `${base}delayed`, `${base}id`, base, from, Math.min(tasks, from + COPIED_AT_ONCE) - 1, clients, orderOf(0), apartMs);
  }
  if (tasks > clients) await compareWithSubmitted(redis, base, tasks - 1, submit);
}

async function compareWithSubmitted(redis: Redis, base: string, nth: number, submit: (nth: number) => Promise<unknown>): Promise<void> {
  const key = `${base}t-waiting-${nth}`;
  const copied = await redis.hgetall(key);
  await redis.multi().del(key).zrem(`${base}delayed`, `t-waiting-${nth}`).exec();
  await submit(nth);
  const submitted = await redis.hgetall(key);
  if (!isDeepStrictEqual(withoutTimes(copied), withoutTimes(submitted))) throw new Error(`a copy is not what a submission stores:\n${JSON.stringify(copied)}\n${JSON.stringify(submitted)}`);
}

/** Delays differ by the moments between two looks at the clock. */
function withoutTimes(job: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const { timestamp: _at, delay: _delay, ...rest } = job;
  return { ...rest, opts: (rest['opts'] ?? '').replace(/"sha":"[^"]*"/, '').replace(/"delay":\d+/, ''), data: (rest['data'] ?? '').replace(/"([nl])":\d+/g, '"$1":0') };
}

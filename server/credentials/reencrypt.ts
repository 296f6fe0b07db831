import type { Override } from '../../shared/domain/bulk-actions/override.js';
import { openOverride, sealOverride } from '../../shared/domain/bulk-actions/override-secrets.js';
import { keyIdOf, SealedTextError, type SecretBox } from '../../shared/domain/secrets/secret-box.js';
import { keyIdsOf, sealedAnew } from '../../shared/queue/credentials/stored-credentials.js';
import { jobIdOf, queueName, queuePrefix } from '../../shared/queue/names.js';
import { bulkKeys, credentialKeys } from '../../shared/queue/fleet-keys.js';
import type { TaskQueue } from '../../shared/queue/tasks/task-queue.js';
import { keysBeginningWith } from '../../shared/redis/redis-masters.js';
import { isCluster, type RedisClient } from '../../shared/redis/redis-connection.js';

export interface ReencryptParts {
  readonly queue: TaskQueue;
  readonly redis: RedisClient;
  readonly prefix: string;
  readonly shards: number;
  readonly secrets: SecretBox;
}

/** What was found in one store. */
export interface StoreReport {
  readonly store: string;
  /** Put under the newest key. */
  readonly reencrypted: number;
  /** What is still under another key, by its id; `(none)`: not encrypted. */
  readonly left: Readonly<Record<string, number>>;
}

interface Found {
  reencrypted: number;
  readonly left: Map<string, number>;
}

/** Every place where something is stored under SECRETS_KEYS. A new one has to be added here, or an old key would be thought free. */
const secretStores = [
  { store: 'credentials', visit: visitCredentials },
  { store: 'tokens', visit: visitTokens },
  { store: 'overrides of bulk actions', visit: visitOverrides },
  { store: 'headers of tasks', visit: visitTasks },
] as const satisfies readonly { readonly store: string; readonly visit: (parts: ReencryptParts, found: Found) => Promise<void> }[];

/**
 * Puts what can be under the newest key, and counts what is left under others. Tasks are only counted: they leave with their end, or can be
 * changed by PATCH. It may run at any time, and again.
 */
export async function reencrypt(parts: ReencryptParts): Promise<readonly StoreReport[]> {
  const reports: StoreReport[] = [];
  for (const { store, visit } of secretStores) {
    const found: Found = { reencrypted: 0, left: new Map() };
    await visit(parts, found);
    reports.push({ store, reencrypted: found.reencrypted, left: Object.fromEntries(found.left) });
  }
  return reports;
}

function note({ left }: Found, keyId: string | undefined, { newestKeyId }: SecretBox): void {
  const name = keyId ?? '(none)';
  if (keyId !== newestKeyId) left.set(name, (left.get(name) ?? 0) + 1);
}

async function visitCredentials({ queue, secrets }: ReencryptParts, found: Found): Promise<void> {
  const { stored = [] } = await queue.fleet.withCredentials((store) => store.read());
  for (const before of stored) {
    if (keyIdsOf(before).every((id) => id === secrets.newestKeyId)) continue;
    try {
      const after = sealedAnew(before, secrets);
      // Changed meanwhile: that was written under the newest key, or the next run finds it.
      if ((await queue.fleet.withCredentials((store) => store.change(before, after, stored.length))) === 'done') found.reencrypted += 1;
      else note(found, keyIdsOf(before).find((id) => id !== secrets.newestKeyId), secrets);
    } catch (error) {
      if (!(error instanceof SealedTextError)) throw error;
      for (const id of keyIdsOf(before)) note(found, id, secrets);
    }
  }
}

/** They are made anew when they are needed, so that they are removed is enough. */
async function visitTokens({ redis, prefix, secrets }: ReencryptParts, found: Found): Promise<void> {
  for await (const keys of keysBeginningWith(redis, credentialKeys(prefix, isCluster(redis)).tokenBase)) {
    for (const key of keys) {
      const text = await redis.get(key);
      if (text === null || keyIdOf(text) === secrets.newestKeyId) continue;
      await redis.del(key);
      found.reencrypted += 1;
    }
  }
}

const REPLACE_ASKED = `if redis.call('HGET', KEYS[1], 'asked') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'asked', ARGV[2])
return 1`;

async function visitOverrides({ redis, prefix, secrets }: ReencryptParts, found: Found): Promise<void> {
  const { actionBase } = bulkKeys(prefix, isCluster(redis));
  for await (const keys of keysBeginningWith(redis, actionBase)) {
    for (const key of keys) {
      const text = await redis.hget(key, 'asked');
      // BulkActionStore wrote it.
      const asked = JSON.parse(text ?? '{}') as { readonly override?: Override | null };
      const { override: stored } = asked;
      if (text === null || stored === undefined || stored === null) continue;
      const id = key.slice(actionBase.length);
      const { sealed } = stored;
      if (sealed !== undefined && keyIdOf(sealed) === secrets.newestKeyId) continue;
      // It may have no secrets, or have them as they are, from a time without keys.
      if (sealed === undefined && sealOverride(stored, id, secrets).sealed === undefined) continue;
      const keyId = sealed === undefined ? undefined : keyIdOf(sealed);
      try {
        const override = sealOverride(openOverride(stored, id, secrets), id, secrets);
        if ((await redis.eval(REPLACE_ASKED, 1, key, text, JSON.stringify({ ...asked, override }))) === 1) found.reencrypted += 1;
        else note(found, keyId, secrets);
      } catch (error) {
        if (!(error instanceof SealedTextError)) throw error;
        note(found, keyId, secrets);
      }
    }
  }
}

/**
 * The ids of the keys of a task: `"s":[[names],"<key id>...` stands in front of its message, and `"h":{"name":...` where its headers are stored as they
 * are. Those of a Kafka destination are never encrypted, and have another letter. Redis looks, so that messages do not travel.
 *
 * The message begins at the last `,"m":`, because a destination has an `m` of its own, its method. The text of a message has no such
 * thing: JSON writes its quotation marks as `\\"`.
 * KEYS jobs. ARGV 1 bytes of tasks at most, but for the first: Redis answers nobody else meanwhile.
 * @returns how many jobs were looked at, then the ids, '' for headers that are not encrypted
 */
const KEY_IDS_OF_TASKS = `
local ids, bytes = {#KEYS}, 0
for index, key in ipairs(KEYS) do
  if redis.call('TYPE', key).ok == 'hash' then
    bytes = bytes + redis.call('HSTRLEN', key, 'data')
    if index > 1 and bytes > tonumber(ARGV[1]) then
      ids[1] = index - 1
      break
    end
    local data = redis.call('HGET', key, 'data') or ''
    local message = #data
    local found = string.find(data, ',"m":', 1, true)
    while found do
      message = found
      found = string.find(data, ',"m":', found + 5, true)
    end
    local head = string.sub(data, 1, message)
    for id in string.gmatch(head, '"s":%[%[[^%]]*%],"([%w_-]+)%.') do ids[#ids + 1] = id end
    for _ in string.gmatch(head, '"h":{"') do ids[#ids + 1] = '' end
  end
end
return ids`;

/** As in one step of a search: a few ms of Redis. */
const MOST_BYTES_AT_ONCE = 4_194_304;
const MOST_TASKS_AT_ONCE = 250;

async function visitTasks({ redis, prefix, shards, secrets }: ReencryptParts, found: Found): Promise<void> {
  for (let shard = 0; shard < shards; shard += 1) {
    const start = `${queuePrefix(prefix, shard, isCluster(redis))}:${queueName(shard)}:${jobIdOf('')}`;
    for await (const keys of keysBeginningWith(redis, start)) {
      for (let at = 0; at < keys.length; ) {
        const next = keys.slice(at, at + MOST_TASKS_AT_ONCE);
        // The script's own answer.
        const [seen, ...ids] = (await redis.eval(KEY_IDS_OF_TASKS, next.length, ...next, MOST_BYTES_AT_ONCE)) as [number, ...string[]];
        for (const id of ids) note(found, id === '' ? undefined : id, secrets);
        at += seen;
      }
    }
  }
}

/**
 * The same in several Redis: while a service moves from one to another, both hold what is under the same keys.
 * @param stores by name: '' for the one that has none
 */
export async function reencryptAll(stores: readonly (readonly [name: string, parts: ReencryptParts])[]): Promise<readonly StoreReport[]> {
  const reports: StoreReport[] = [];
  for (const [name, parts] of stores) reports.push(...(await reencrypt(parts)).map((report) => ({ ...report, store: name === '' ? report.store : `${name}: ${report.store}` })));
  return reports;
}

/** For people: what was done, and which keys may be taken out of SECRETS_KEYS. */
export function printReport(reports: readonly StoreReport[], oldKeyIds: readonly string[]): string {
  const lines = reports.map(({ store, reencrypted, left }) => {
    const others = Object.entries(left).map(([id, count]) => (id === '(none)' ? `${count} not encrypted` : `${count} under ${id}`));
    return `${store}: ${reencrypted} put under the newest key, ${others.length === 0 ? 'none left under another' : `left: ${others.join(', ')}`}`;
  });
  const verdicts = oldKeyIds.map((id) => {
    const count = reports.reduce((sum, { left }) => sum + (left[id] ?? 0), 0);
    return count === 0 ? `The key ${id} is free: nothing is stored under it. Take it out of SECRETS_KEYS.` : `The key ${id} is still needed by ${count}: keep it in SECRETS_KEYS, and run this again later.`;
  });
  return [...lines, ...verdicts].join('\n');
}

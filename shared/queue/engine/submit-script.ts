import type { JobsOptions, Queue } from 'bullmq';
import { CONNECTIONS_PER_MASTER, replicatedScript, type ReplicatedScript, type ReplicatedWrites } from '../../redis/replicated-writes.js';
import type { RedisClient } from '../../redis/redis-connection.js';
import { withinRequestLimit } from '../../redis/request-limit.js';
import { admitFunction, ADMIT } from './admit-function.js';
import { bullmqScripts } from './bullmq-contract.js';
import { patchedFunction } from './bullmq-script.js';
import { COUNTED_BY_CALLER } from './counted-by-caller.js';
import { definedScripts, type DefinedScripts } from './defined-scripts.js';
import { EngineMismatchError } from './engine-mismatch.js';
import { nowMs } from './now-ms.js';
import type { QueueClient } from './queue-client.js';
import { countTaskLua } from './quota-lua.js';
import { recordAdd, recordAdds, type AddedJob } from './recorded-add.js';
import { scriptsPatchedIn, type ScriptPatchedIn } from './script-patches.js';
import { smallMulti, type ScriptTransaction } from './small-multi.js';
import { transact } from './transact.js';

/** Options of a job as BullMQ keeps them, with those of ours among them. */
export type AddOptions = Pick<JobsOptions, 'attempts' | 'priority' | 'delay'>;

/** The data that BullMQ's add sends to Redis for one job. */
export interface EncodedAdd {
  /** Which of BullMQ's ways to add a job is used: a number from 1, as in Lua. */
  readonly way: number;
  readonly values: readonly (string | Buffer)[];
}

/** What krsSubmit says of the jobs of one call. */
export interface SubmitReply {
  /** One element for each job, see `admitFunction`. */
  readonly answers: readonly unknown[];
  /** When they were added, by Redis' clock, ms since the epoch. */
  readonly now: number;
}

/** One job of a call of krsSubmit. */
export interface SubmittedJob {
  /** The whole key of its hash. */
  readonly key: string;
  readonly id: string;
  /**
   * Its content hash, right behind it the Idempotency-Key, if there is one, and ONLY_OF with the client of a caller that is bound to its
   * clients: arguments of their own would cost all other submissions.
   */
  readonly content: string;
  /** '' for a job that replaces no finished record. */
  readonly seenFinishedAt: string;
  /** '' when it has none. */
  readonly searchFields: string;
  /** Its client has no room for a new task: it is only looked whether it is a repetition. It must not have `seenFinishedAt`. */
  readonly isNothingNew: boolean;
  readonly add: EncodedAdd;
}

const SUBMIT = 'krsSubmit';
/** In place of a way to add: nothing is added. */
const NO_WAY = 0;
/** How many keys stand before those of BullMQ's scripts: completed, failed, parked. */
const SETS = 3;

/** BullMQ's ways to add a job. */
const addScripts = scriptsPatchedIn('krsSubmit');
type AddScriptName = ScriptPatchedIn<'krsSubmit'>;

/** One of BullMQ's scripts that add a job. */
interface AddScript {
  readonly script: AddScriptName;
  /** Name of the command; BullMQ's version is a part of it. */
  readonly command: string;
  readonly keys: readonly string[];
}

/** The values behind the keys: arguments, data, options. */
const ADD_VALUES = bullmqScripts.addDelayedJob.values;
const VALUES_PER_JOB = 5 + ADD_VALUES;

/**
 * Our check and BullMQ's add for many jobs, in one call (decision 7). BullMQ's own Lua adds the jobs: its text is put
 * into functions of one larger script, and BullMQ's own code encodes their arguments. So none of it is written again
 * here, and a group costs one command instead of two for each of its tasks.
 */
export class SubmitScript {
  readonly #scripts: readonly AddScript[];
  readonly #keys: readonly string[];
  readonly #begin: () => ScriptTransaction;
  readonly #script: ReplicatedScript;

  /**
   * @param redis      the connection behind `client`
   * @param sets       the keys of the sets completed, failed and parked
   * @param replicated its calls wait for replicas; undefined: they do not. `mark` is a key beside the others
   */
  constructor(
    private readonly queue: Queue,
    private readonly client: QueueClient,
    redis: RedisClient,
    sets: readonly [completed: string, failed: string, parked: string],
    private readonly replicated?: { readonly writes: ReplicatedWrites; readonly mark: string },
  ) {
    // Keys are texts.
    this.#scripts = recordAdds(queue).map(({ command, args }) => ({ command, script: addScriptOf(command), keys: args.slice(0, -ADD_VALUES) as string[] }));
    this.#keys = [...sets, ...this.#scripts.flatMap(({ keys }) => keys)];
    const lua = luaOf(this.#scripts, definedScripts(client), (suffix) => queue.toKey(suffix));
    this.#script = replicatedScript(lua);
    client.defineCommand(SUBMIT, { numberOfKeys: COUNTED_BY_CALLER, lua });
    this.#begin = smallMulti(redis, SUBMIT);
  }

  /** So many calls may be on their way at once; undefined: as many as there are. */
  get callsAtOnce(): number | undefined {
    return this.replicated === undefined ? undefined : CONNECTIONS_PER_MASTER;
  }

  /** @param job in the form in which BullMQ stores it */
  encode(job: AddedJob): EncodedAdd {
    const { command, args } = recordAdd(this.queue, job);
    const index = this.#scripts.findIndex((script) => script.command === command);
    if (index < 0) throw new TypeError(`BullMQ adds by ${command}, which krsSubmit does not know`);
    return { way: index + 1, values: args.slice(-ADD_VALUES) };
  }

  /**
   * Checks and adds jobs.
   * @param limitMs the time that Redis has for it
   * @throws as `transact`, or as `ReplicatedWrites.run`
   */
  async run(jobs: readonly SubmittedJob[], limitMs: number): Promise<SubmitReply> {
    const args = this.#argumentsFor(jobs);
    if (this.replicated !== undefined) {
      const { writes, mark } = this.replicated;
      return readReply(await withinRequestLimit(writes.run(this.#script, args, mark, limitMs), limitMs));
    }
    // It stands alone in its MULTI: a full Redis refuses a MULTI as a whole, before any part of it runs.
    const [replies] = await transact(this.client, this.#begin, (multi) => multi.runCommand(SUBMIT, args), limitMs);
    return readReply(replies);
  }

  #argumentsFor(jobs: readonly SubmittedJob[]): (string | number | Buffer)[] {
    const args: (string | number | Buffer)[] = [this.#keys.length + jobs.length, ...this.#keys];
    for (const { key } of jobs) args.push(key);
    for (const { id, content, seenFinishedAt, searchFields, isNothingNew, add } of jobs) args.push(id, content, seenFinishedAt, searchFields, isNothingNew ? NO_WAY : add.way, ...add.values);
    return args;
  }
}

function readReply(reply: unknown): SubmitReply {
  // The script's own answer.
  const [now, ...answers] = reply as readonly [number, ...unknown[]];
  return { answers, now };
}

function addScriptOf(command: string): AddScriptName {
  const script = addScripts.find((name) => command.startsWith(`${name}:`));
  if (script === undefined) throw new EngineMismatchError([`bullmq: expected one of the scripts ${addScripts.join(', ')}, found ${command}`]);
  return script;
}

/** The scripts have functions of their own by the plain name. */
function luaNameOf(script: AddScriptName): string {
  return `krs_${script}`;
}

/**
 * The keys that BullMQ writes when it adds a job, most of them after it has stored it, and a command that reads each. A key that holds something else would leave
 * a job that stands nowhere, and the same task would be taken for one that is scheduled already. So they are read first.
 */
const written = [['ZCARD', 'prioritized'], ['ZCARD', 'delayed'], ['HLEN', 'meta']] as const;
const counted = ['id', 'pc'] as const;

/** @returns the number of a key in KEYS, counted from 1 as in Lua */
function placeOf(key: string, scripts: readonly AddScript[]): number {
  const at = scripts.flatMap(({ keys }) => keys).indexOf(key);
  if (at < 0) throw new EngineMismatchError([`bullmq: expected the key ${key} among those of its scripts that add jobs, found it nowhere`]);
  return SETS + at + 1;
}

/**
 * The jobs are added in order, so a second submission of an id sees the job of the first.
 *
 * KEYS 1 completed, 2 failed, 3 parked, then the keys of each of BullMQ's scripts, then one job each.
 * ARGV for each job: job id, content hash and Idempotency-Key, finishing time seen before or '', search fields or '', way to add or 0, and BullMQ's
 * three values.
 * @returns {now (ms), answer of admit for each job ...}
 */
function luaOf(scripts: readonly AddScript[], texts: DefinedScripts, keyOf: (suffix: string) => string): string {
  const place = (suffix: string): string => `KEYS[${placeOf(keyOf(suffix), scripts)}]`;
  const looks = [
    ...written.map(([command, suffix]) => `redis.call('${command}', ${place(suffix)})`),
    // With anything but a number there this fails with WRONGTYPE, too.
    ...counted.map((suffix) => `if not tonumber(redis.call('GET', ${place(suffix)}) or 0) then redis.call('LLEN', ${place(suffix)}) end`),
  ];
  let from = SETS;
  const ways = scripts.map(({ script, keys }) => {
    const names = keys.map((_, index) => `KEYS[${from + index + 1}]`);
    from += keys.length;
    return `{ add = ${luaNameOf(script)}, keys = { ${names.join(', ')} } }`;
  });
  return `${looks.join('\n')}${nowMs}${admitFunction}${countTaskLua}
local searchFields
${scripts.map(({ script }) => patchedFunction(texts, script, SUBMIT, luaNameOf(script))).join('\n')}
local ways = { ${ways.join(',\n')} }
-- It is asked once, since a call for each job would be seen in the time of a submission.
local base = #KEYS > ${from} and string.sub(KEYS[${from + 1}], 1, #KEYS[${from + 1}] - #ARGV[1])
local areCounted = base and hasQuotas(base)
local answers = {now}
for index = 1, #KEYS - ${from} do
  local at = ${VALUES_PER_JOB} * (index - 1)
  local answer, keptKeys = admit(KEYS[${from} + index], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3])
  if answer[1] == ${ADMIT.absent} or answer[1] == ${ADMIT.replaced} then
    local way = ways[tonumber(ARGV[at + 5])]
    if way then
      local job = KEYS[${from} + index]
      searchFields = ARGV[at + 4]
      way.add(way.keys, { ARGV[at + 6], ARGV[at + 7], ARGV[at + 8] })
      keepKey(job, ARGV[at + 2], keptKeys or '')
      if areCounted then countTask(base, job, 1) end
    else
      answer = {${ADMIT.noRoom}}
    end
  end
  answers[index + 1] = answer
end
return answers
`;
}

import type { RedisQueueBackend } from 'bullmq';
import { bullmqScripts, type BullmqScriptName } from './bullmq-contract.js';
import { luaFunction } from './bullmq-script.js';
import { definedScripts, type DefinedScripts } from './defined-scripts.js';
import { PROMOTE_FUNCTIONS, PROMOTED_AT_ONCE, PROMOTED_BY_FETCH, promotePatches } from './promote-patches.js';
import type { QueueClient } from './queue-client.js';
import { replaceOnce } from './replace-once.js';

/** Scripts of a worker that move due jobs on their way. moveToFinished does so too, and has a script of its own: finish-script.ts. */
const promoting = ['moveToActive', 'moveToDelayed', 'retryJob'] as const satisfies readonly BullmqScriptName[];

const commandOf = (script: string): string => `krsPromoting-${script}`;
const replaced: ReadonlySet<string> = new Set(promoting);

/**
 * Has BullMQ's scripts of a worker run in a form of ours: with bounded moves of due jobs and without events. Keys, values
 * and answers are the same. When 50,000 tasks became due at once, the first 50 fetches moved them all, and Redis was busy with
 * each for 20 ms and more.
 */
export function promoteInSteps(backend: RedisQueueBackend): RedisQueueBackend {
  const execute = backend.execCommand.bind(backend);
  let isDefined = false;
  backend.execCommand = (client: QueueClient, command: string, args: unknown[]): unknown => {
    if (!replaced.has(command)) return execute(client, command, args);
    if (!isDefined) definePromotingScripts(client);
    isDefined = true;
    return client.runCommand(commandOf(command), args);
  };
  return backend;
}

/** @param client where BullMQ has defined its scripts */
function definePromotingScripts(client: QueueClient): void {
  const scripts = definedScripts(client);
  for (const script of promoting) client.defineCommand(commandOf(script), { numberOfKeys: bullmqScripts[script].keys, lua: promotingLua(scripts, script) });
}

/** @throws EngineMismatchError for another BullMQ than this was written for */
export function promotingLuas(scripts: DefinedScripts): readonly string[] {
  return promoting.map((script) => promotingLua(scripts, script));
}

function promotingLua(scripts: DefinedScripts, script: BullmqScriptName): string {
  const most = script === 'moveToActive' ? PROMOTED_BY_FETCH : PROMOTED_AT_ONCE;
  const patched = promotePatches(String(most)).reduce((lua, patch) => replaceOnce(lua, script, patch), luaFunction(scripts, script, 'promoting'));
  return `${PROMOTE_FUNCTIONS}\n${patched}\nreturn promoting(KEYS, ARGV)`;
}

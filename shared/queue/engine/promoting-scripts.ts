import type { RedisQueueBackend } from 'bullmq';
import { bullmqScripts } from './bullmq-contract.js';
import { patchedFunction } from './bullmq-script.js';
import { definedScripts } from './defined-scripts.js';
import type { QueueClient } from './queue-client.js';
import { PROMOTE_FUNCTIONS, scriptsPatchedIn } from './script-patches.js';

/** Scripts of a worker that move due jobs on their way. moveToFinished does so too, and has a script of its own: finish-script.ts. */
const promoting = scriptsPatchedIn('krsPromoting');

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

/**
 * @param client where BullMQ has defined its scripts
 * @throws EngineMismatchError for another BullMQ than this was written for
 */
function definePromotingScripts(client: QueueClient): void {
  const scripts = definedScripts(client);
  for (const script of promoting) {
    const lua = `${PROMOTE_FUNCTIONS}\n${patchedFunction(scripts, script, 'krsPromoting', 'promoting')}\nreturn promoting(KEYS, ARGV)`;
    client.defineCommand(commandOf(script), { numberOfKeys: bullmqScripts[script].keys, lua });
  }
}

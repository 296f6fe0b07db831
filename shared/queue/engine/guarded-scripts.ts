import { bullmqScript, definedScripts, type DefinedScripts } from './defined-scripts.js';
import type { QueueClient } from './queue-client.js';
import { patched, scriptsPatchedIn, type ScriptPatchedIn } from './script-patches.js';
import { silenced } from './without-events.js';

/** All shards of a process share a connection, and its scripts are changed once. */
const MARK = '-- guarded\n';

/**
 * Puts the guarded scripts in the place of BullMQ's own, for everything that goes over this connection.
 * @throws EngineMismatchError for another BullMQ than this was written for
 */
export function guardScripts(client: QueueClient): void {
  for (const script of scriptsPatchedIn('itself')) {
    const { command, lua, numberOfKeys } = guardedScript(definedScripts(client), script);
    client.defineCommand(command, { lua, numberOfKeys });
  }
}

/**
 * One of the scripts that take a job out of one place and put it into another, with its guards: see script-patches.ts.
 * @throws EngineMismatchError for another BullMQ than this was written for
 */
export function guardedScript(scripts: DefinedScripts, script: ScriptPatchedIn<'itself'>): { readonly command: string; readonly lua: string; readonly numberOfKeys: number } {
  const { command, lua, numberOfKeys } = bullmqScript(scripts, script);
  // Its stream of events could hold something else, too. `type` stands for a function that does nothing with its arguments, because these
  // texts become parts of others, where a function of our own in front would be made with each call.
  const guarded = lua.startsWith(MARK) ? lua : MARK + silenced(patched(lua, script, 'itself'), 'type');
  return { command, lua: guarded, numberOfKeys: numberOfKeys ?? 0 };
}

import { bullmqScripts, type BullmqScriptName } from './bullmq-contract.js';
import { bullmqScript, type DefinedScripts } from './defined-scripts.js';
import { EngineMismatchError } from './engine-mismatch.js';

/**
 * One of BullMQ's scripts as a Lua function, which a larger script calls with its KEYS and ARGV. BullMQ's own functions,
 * some fifty, stand before it if possible: inside, they would be made anew for each call, which is a tenth of the time of
 * moveToFinished.
 *
 * @param scripts the scripts that BullMQ has defined on a connection
 * @param script  its name without BullMQ's version
 * @param name    name of the Lua function
 * @throws EngineMismatchError for another BullMQ than bullmq-contract.ts was written for
 */
export function luaFunction(scripts: DefinedScripts, script: BullmqScriptName, name: string): string {
  const { lua: text, numberOfKeys } = bullmqScript(scripts, script);
  const { keys } = bullmqScripts[script];
  if (numberOfKeys !== keys) throw new EngineMismatchError([`bullmq: expected ${keys} keys of the script ${script}, found ${String(numberOfKeys)}`]);
  const code = text.replace(/--\[\[[\s\S]*?\]\]|--.*/g, (comment) => comment.replace(/[^\n]/g, ' '));
  const at = code.search(/^.*\b(?:KEYS|ARGV)\[/m);
  // An indented text stands inside one of those functions, which need values that exist only inside.
  const body = at < 0 || /^\s/.test(code.slice(at)) ? 0 : at;
  return `${text.slice(0, body)}\nlocal function ${name}(KEYS, ARGV)\n${text.slice(body)}\nend`;
}

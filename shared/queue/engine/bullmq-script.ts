import { bullmqScripts, type BullmqScriptName } from './bullmq-contract.js';
import { bullmqScript, type DefinedScripts } from './defined-scripts.js';
import { EngineMismatchError } from './engine-mismatch.js';
import { patched, type PatchedPlace, type ScriptPatchedIn } from './script-patches.js';
import { withoutEvents } from './without-events.js';

/**
 * One of BullMQ's scripts as a Lua function, which a larger script calls with its KEYS and ARGV. It writes no events.
 * BullMQ's own functions, some thirty, stand before it: inside, they would be made anew for each call, which is a tenth of
 * the time of moveToFinished.
 *
 * @param scripts the scripts that BullMQ has defined on a connection
 * @param script  its name without BullMQ's version
 * @param name    name of the Lua function; BullMQ has none of that name
 * @throws EngineMismatchError for another BullMQ than bullmq-contract.ts was written for
 */
export function luaFunction(scripts: DefinedScripts, script: BullmqScriptName, name: string): string {
  const { lua: text, numberOfKeys } = bullmqScript(scripts, script);
  const { keys } = bullmqScripts[script];
  if (numberOfKeys !== keys) throw new EngineMismatchError([`bullmq: expected ${keys} keys of the script ${script}, found ${String(numberOfKeys)}`]);
  const { before, inside } = partsOf(text);
  return `local ${name}\ndo\n${withoutEvents(`${before}\n${name} = function(KEYS, ARGV)\n${inside}`)}\nend\nend`;
}

/**
 * The same with the changes that it has in a script of ours: see script-patches.ts.
 * @throws EngineMismatchError for another BullMQ than this was written for
 */
export function patchedFunction<P extends Exclude<PatchedPlace, 'itself'>>(scripts: DefinedScripts, script: ScriptPatchedIn<P>, place: P, name: string): string {
  return patched(luaFunction(scripts, script, name), script, place);
}

/** `inside` runs with each call; `before` is made once. */
interface Parts {
  readonly before: string;
  readonly inside: string;
}

/**
 * BullMQ's scripts have one of two layouts: functions, then statements; or statements, functions that use their values, and
 * statements again. In the second one, the values of the first statements are declared before the functions, and set anew
 * with each call. A text of any other layout stays as it is, inside.
 */
function partsOf(text: string): Parts {
  const code = text.replace(/--\[\[[\s\S]*?\]\]|--.*/g, (comment) => comment.replace(/[^\n]/g, ' '));
  const functionsAt = code.search(/^local function /m);
  if (functionsAt < 0) return { before: '', inside: text };
  const bodyAt = endOfFunctions(code, functionsAt);
  const body = text.slice(bodyAt);
  const first = code.slice(0, functionsAt).split('\n').filter((line) => line.trim() !== '');
  const declarations = first.map((line) => /^local (\w+)(?: = (\S.*))?$/.exec(line));
  // An indented line continues a statement, or belongs to a block: such a text is not understood here.
  if (declarations.includes(null)) return { before: '', inside: text };
  const names = declarations.map((match) => match?.[1] ?? '');
  const settings = declarations.map((match) => `${match?.[1] ?? ''} = ${match?.[2] ?? 'nil'}`);
  const declared = names.length === 0 ? '' : `local ${names.join(', ')}\n`;
  // Functions that read KEYS or ARGV themselves find them only inside.
  if (/\b(?:KEYS|ARGV)\b/.test(code.slice(functionsAt, bodyAt))) return { before: '', inside: text };
  return { before: declared + text.slice(functionsAt, bodyAt), inside: `${settings.join('\n')}\n${body}` };
}

/** @returns the position of the first statement behind the functions. BullMQ indents all but the borders of a function. */
function endOfFunctions(code: string, functionsAt: number): number {
  const statement = /^(?!local function )(?!end\s*$)\S.*$/m;
  const at = code.slice(functionsAt).search(statement);
  return at < 0 ? code.length : functionsAt + at;
}

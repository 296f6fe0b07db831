import type { IRedisClient } from 'bullmq';
import { definedScripts } from '../../redis/transaction.js';

/**
 * One of BullMQ's scripts as a Lua function, to be called from a larger one with its KEYS and ARGV. BullMQ's own
 * functions, some fifty, stand before it where they can: inside, they would be made anew for each call, a tenth of the
 * time of moveToFinished.
 *
 * @param client where BullMQ has defined its scripts
 * @param script its name without BullMQ's version, such as moveToFinished
 * @param keys   how many the caller hands to it
 * @throws TypeError for another BullMQ than the caller was written for
 */
export function luaFunction(client: IRedisClient, script: string, name: string, keys: number): string {
  const defined = Object.entries(definedScripts(client)).find(([command]) => command.startsWith(`${script}:`))?.[1];
  if (defined === undefined) throw new TypeError(`BullMQ has not defined ${script}`);
  const { lua: text, numberOfKeys } = defined;
  if (numberOfKeys !== keys) throw new TypeError(`BullMQ's ${script} takes ${numberOfKeys} keys, not ${keys}`);
  const code = text.replace(/--\[\[[\s\S]*?\]\]|--.*/g, (comment) => comment.replace(/[^\n]/g, ' '));
  const at = code.search(/^.*\b(?:KEYS|ARGV)\[/m);
  // Indented, it stands in one of those functions, and they need what is only given inside.
  const body = at < 0 || /^\s/.test(code.slice(at)) ? 0 : at;
  return `${text.slice(0, body)}\nlocal function ${name}(KEYS, ARGV)\n${text.slice(body)}\nend`;
}

import type { RedisClient } from '../../redis/redis-connection.js';
import { EngineMismatchError } from './engine-mismatch.js';
import type { QueueClient } from './queue-client.js';

/** Scripts by the names of their commands; BullMQ's names end in its version, such as `promote:6.7.0`. */
export type DefinedScripts = Readonly<Record<string, DefinedScript>>;

export interface DefinedScript {
  readonly lua: string;
  /** null means that the caller gives the number. */
  readonly numberOfKeys: number | null;
}

/**
 * Every script that was defined on this connection, BullMQ's included.
 * @throws EngineMismatchError for another ioredis than this was written for
 */
export function definedScripts(client: QueueClient | RedisClient): DefinedScripts {
  // ioredis keeps them in this property. There is no public way to read them.
  const { scriptsSet } = client as unknown as { scriptsSet?: DefinedScripts };
  if (typeof scriptsSet !== 'object') throw new EngineMismatchError(["ioredis: expected its connections to keep their scripts in 'scriptsSet', found no such property"]);
  return scriptsSet;
}

/**
 * @param name without BullMQ's version, such as moveToFinished
 * @throws EngineMismatchError when BullMQ has no such script
 */
export function bullmqScript(scripts: DefinedScripts, name: string): DefinedScript & { readonly command: string } {
  const [command, defined] = Object.entries(scripts).find(([each]) => each.startsWith(`${name}:`)) ?? [];
  if (command === undefined || defined === undefined) throw new EngineMismatchError([`bullmq: expected a script ${name}, found none`]);
  // Its members are no enumerable ones of their own.
  return { command, lua: defined.lua, numberOfKeys: defined.numberOfKeys };
}

/** Makes Redis load every script of this connection again, as is needed after SCRIPT FLUSH or a failover. */
export async function loadScripts(client: QueueClient): Promise<void> {
  // BullMQ's type of a connection leaves the command out; ioredis has it.
  const raw = client as unknown as { script(command: 'LOAD', lua: string): Promise<unknown> };
  await Promise.all(Object.values(definedScripts(client)).map(({ lua }) => raw.script('LOAD', lua)));
}

import type { RedisClient } from '../../redis/redis-connection.js';
import { definedScripts } from './defined-scripts.js';
import { EngineMismatchError } from './engine-mismatch.js';
import type { QueueTransaction } from './queue-client.js';

/** As much of a MULTI as our own scripts need. */
export type ScriptTransaction = Pick<QueueTransaction, 'runCommand' | 'exec'>;

/** As much of ioredis' pipelines as is used here. */
type Pipeline = { redis: RedisClient; exec(): ReturnType<QueueTransaction['exec']> } & Readonly<Record<string, (args: readonly unknown[]) => unknown>>;

/**
 * MULTIs that know one script of a connection.
 *
 * ioredis copies the commands of all scripts of its connection, some 130 with BullMQ's, into each MULTI (6.0.0,
 * Pipeline.js). That took 4 µs for each submission, though some 25 of them share a MULTI. So a MULTI is made here by a
 * stand-in for the connection, which names one script, and then speaks with the connection itself.
 *
 * @param name of a script that is defined on the connection
 * @throws EngineMismatchError for another ioredis than this was written for
 */
export function smallMulti(redis: RedisClient, name: string): () => ScriptTransaction {
  const script = definedScripts(redis)[name];
  if (script === undefined) throw new EngineMismatchError([`ioredis: expected its connections to keep the script ${name} in 'scriptsSet', found none`]);
  // It has all that the connection has, but for this one property.
  const standIn = Object.create(redis, { scriptsSet: { value: { [name]: script } } }) as RedisClient;
  return () => {
    // ioredis' type leaves the member out that says where the commands go.
    const pipeline = standIn.multi() as unknown as Pipeline;
    if (pipeline.redis !== standIn) throw new EngineMismatchError(["ioredis: expected a MULTI to keep its connection in 'redis', found another"]);
    pipeline.redis = redis;
    const transaction: ScriptTransaction = {
      runCommand: (command, args) => {
        const run = pipeline[command];
        if (run === undefined) throw new TypeError(`a small MULTI knows ${name} alone, not ${command}`);
        run.call(pipeline, args);
        return transaction as QueueTransaction;
      },
      exec: () => pipeline.exec(),
    };
    return transaction;
  };
}

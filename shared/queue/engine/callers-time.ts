import type { RedisQueueBackend } from 'bullmq';
import type { Clock } from '../../domain/ports.js';
import { bullmqScripts, CALLERS_TIME } from './bullmq-contract.js';

/** Index of the time among the arguments of a script, keys first. */
const places: ReadonlyMap<string, number> = new Map(CALLERS_TIME.map(([script, value]) => [script, bullmqScripts[script].keys + value - 1]));

/**
 * Has BullMQ's scripts go by a clock of ours. BullMQ passes Date.now to them: by it they decide which delayed jobs are due,
 * and when one that failed is due again. When the clock of a machine was set forward by an hour, its worker sent the tasks
 * of the next hour at once, and every retry that it wrote down waited for an hour.
 * @param clock whole milliseconds since the epoch
 */
export function passTimeOf(clock: Clock, backend: RedisQueueBackend): RedisQueueBackend {
  const execute = backend.execCommand.bind(backend);
  backend.execCommand = (client, command, args: unknown[]): unknown => {
    const place = places.get(command);
    // It is changed in place because BullMQ reads the finishing time of a job from the same array.
    if (place !== undefined) args[place] = clock();
    return execute(client, command, args);
  };
  return backend;
}

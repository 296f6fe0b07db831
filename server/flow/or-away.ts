import { RequestError } from '../../shared/domain/errors.js';

/**
 * What a part of Redis told, or undefined when it does not answer. On a cluster the settings of operators and the reports of the workers
 * stand in one slot, whose node may be away alone: what stands in all other slots is known then.
 * @throws every error that is not of Redis
 */
export async function orAway<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof RequestError) return undefined; // its cause is in the log: see redis-watch.ts and refusal-log.ts
    throw error;
  }
}

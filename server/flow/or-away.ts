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

/**
 * The error of an answer that cannot do without a part of Redis: it says what is missing, since Redis' other parts may answer.
 * @param what  such as `the audit`
 * @param where the call that says what is away
 */
export function withoutPart(error: RequestError, what: string, where: '/status' | '/readyz' = '/status'): RequestError {
  return new RequestError(error.code, `${error.message}: ${what} cannot be read; GET ${where} says what is away`, undefined, { cause: error });
}

/** The same, for an answer that has nothing else. @throws RequestError; every error that is not of Redis as it is */
export async function orSayMissing<T>(what: string, work: Promise<T>, where?: '/status' | '/readyz'): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw error instanceof RequestError ? withoutPart(error, what, where) : error;
  }
}

import { jobField } from './job-fields.js';

/** The fields of a job that a worker looks at, by BullMQ's names. To read the others, and all the names, takes a worker longer than Redis. */
export const fetchedFields = [jobField.data, jobField.options, jobField.log, jobField.fetches, jobField.attemptsMade, jobField.stalls, jobField.deferredFailure, jobField.createdAt, jobField.deferredAt] as const;

/**
 * @param values of `fetchedFields`, as HMGET answers
 * @returns as HGETALL answers: a name, its value, the next name
 */
export function namedValues(values: readonly unknown[]): unknown[] {
  const named: unknown[] = [];
  fetchedFields.forEach((field, index) => {
    const value = values[index];
    if (value !== null) named.push(field, value);
  });
  return named;
}

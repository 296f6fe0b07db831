import { isDeepStrictEqual } from 'node:util';
import type { SubmitResult } from '../answers.js';
import { ApiError } from '../api-error.js';
import type { CommandContext } from './command.js';

/** What import makes of a line that export has written. */

/** A submission that was made of a line. */
export interface PreparedLine {
  readonly text: string;
  /** false: the line was a plain submission. */
  readonly isExported: boolean;
  /** The task had more than one run, or was edited. A receiver may know (id, run 1, edit 0), which is its next message. */
  readonly hasHistory: boolean;
}

/**
 * A line that export has written, as a submission: it is due when the task was due there, and at once when that time is over. A plain
 * submission stays as it is.
 * @throws Error when it is neither
 */
export function submissionOf(text: string, now: number): PreparedLine {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('the line is no JSON object');
  if (!('submission' in value)) return { text, isExported: false, hasHistory: false };
  const { submission } = value;
  if (typeof submission !== 'object' || submission === null) throw new Error('submission is no JSON object');
  const dueAt: unknown = 'next_attempt_at' in value ? value.next_attempt_at : null;
  const at = typeof dueAt === 'string' ? Date.parse(dueAt) : now;
  if (Number.isNaN(at)) throw new Error('next_attempt_at is no time');
  const [run, edits] = ['run' in value ? value.run : 1, 'edits' in value ? value.edits : 0];
  return { text: JSON.stringify({ ...submission, initial_delay: Math.max(0, at - now) / 1_000 }), isExported: true, hasHistory: run !== 1 || edits !== 0 };
}

/** What the service shows in place of a secret. */
const HIDDEN = '***';
/** Fields of a submission that may hold secrets. */
const fieldsWithSecrets: ReadonlySet<string> = new Set(['destination', 'dead_destination', 'flow_key']);

/**
 * The same line, imported later, has a shorter delay, so to the service it is another submission with the same id. It is the same task when all the rest
 * is the same. The secrets of the task that is there are not shown, so they cannot be compared.
 */
export async function findImported({ client, signal }: CommandContext, submission: string, { id, state }: Omit<SubmitResult, 'index'>): Promise<Omit<SubmitResult, 'index'> | undefined> {
  if (id === undefined) return undefined;
  try {
    // The service has read it as an object.
    const wanted = JSON.parse(submission) as Readonly<Record<string, unknown>>;
    const there = await client.submission(id, { signal });
    const names = new Set([...Object.keys(wanted), ...Object.keys(there)]);
    names.delete('initial_delay');
    if ([...names].some((name) => !isAsShown(name, wanted[name], there[name as keyof typeof there]))) return undefined;
    return { id, status: 200, ...(state === undefined ? {} : { state }), is_duplicate: true };
  } catch (error) {
    // It has gone meanwhile, or the key may not see it: then the refusal stands.
    if (error instanceof ApiError) return undefined;
    throw error;
  }
}

function isAsShown(field: string, value: unknown, shown: unknown): boolean {
  return fieldsWithSecrets.has(field) ? isButForSecrets(value, shown) : isDeepStrictEqual(value, shown);
}

/** Is it the same, whatever stands where a secret is hidden? Of a url the secret is a part, and stands before its host. */
function isButForSecrets(value: unknown, shown: unknown): boolean {
  if (typeof value === 'string' && typeof shown === 'string') {
    const at = shown.indexOf(HIDDEN);
    if (at < 0 || shown === HIDDEN) return at === 0 || value === shown;
    const [before, behind] = [shown.slice(0, at), shown.slice(at + HIDDEN.length)];
    return value.length >= before.length + behind.length && value.startsWith(before) && value.endsWith(behind) && !/[/?#]/.test(value.slice(before.length, value.length - behind.length));
  }
  if (!isObject(value) || !isObject(shown)) return isDeepStrictEqual(value, shown);
  const names = Object.keys(value);
  return names.length === Object.keys(shown).length && names.every((name) => Object.hasOwn(shown, name) && isButForSecrets(value[name], shown[name]));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

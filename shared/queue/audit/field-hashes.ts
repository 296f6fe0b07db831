import { createHmac } from 'node:crypto';

/** So many hex digits of a hash are kept: 64 bits, which tell a few thousand values apart. */
const SHOWN_DIGITS = 16;

/** Values of fields by their names in the API. */
export type FieldValues = Readonly<Record<string, unknown>>;

/** Hashes of the fields that differ; null where a field has no value. */
export interface FieldHashes {
  readonly before: Readonly<Record<string, string | null>>;
  readonly after: Readonly<Record<string, string | null>>;
}

/**
 * Tells which fields a change has changed, without their values: a message or a password must not stand in the audit. Equal
 * values have equal hashes, so it can be seen that a field was set back.
 *
 * @param salt a secret of this deployment: without it, short values such as passwords could be guessed from their hashes
 * @returns undefined when nothing differs
 */
export function hashChangedFields(before: FieldValues, after: FieldValues, salt: string): FieldHashes | undefined {
  const hashes: { before: Record<string, string | null>; after: Record<string, string | null> } = { before: {}, after: {} };
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [old, next] = [print(before[name]), print(after[name])];
    if (old === next) continue;
    hashes.before[name] = hash(name, old, salt);
    hashes.after[name] = hash(name, next, salt);
  }
  return Object.keys(hashes.before).length === 0 ? undefined : hashes;
}

function print(value: unknown): string | undefined {
  return value === undefined || value === null ? undefined : JSON.stringify(value);
}

/** The name of the field is part of it: else equal values of two fields could be seen to be equal. */
function hash(name: string, text: string | undefined, salt: string): string | null {
  return text === undefined ? null : createHmac('sha256', salt).update(`${name}=${text}`).digest('hex').slice(0, SHOWN_DIGITS);
}

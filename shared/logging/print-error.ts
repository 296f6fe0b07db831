import { inspect } from 'node:util';

const MOST_CAUSES = 8;
/** What is no error may be any object, and is printed up to here. */
const MOST_CHARACTERS = 500;
const UNPRINTABLE = 'something was thrown that cannot be printed';

/**
 * An error with its whole chain of causes, for a log line: `Error: a <- ECONNREFUSED: b`.
 * Texts only, no stack: the code of a failure says where it belongs; a bug is logged with its stack by the caller.
 *
 * Anything can be thrown, also nothing, and also an object that throws when it is looked at. The line says so instead of
 * being empty: `undefined (no Error was thrown)`. This never throws.
 */
export function printError(error: unknown): string {
  try {
    return error instanceof Error ? printChain(error) : `${printValue(error)} (no Error was thrown)`;
  } catch {
    return UNPRINTABLE;
  }
}

function printChain(error: Error): string {
  const parts: string[] = [];
  let current: unknown = error;
  while (current !== undefined && current !== null && parts.length < MOST_CAUSES) {
    if (!(current instanceof Error)) {
      parts.push(printValue(current));
      break;
    }
    const code = 'code' in current && typeof current.code === 'string' ? current.code : current.name;
    parts.push(`${code}: ${current.message}`);
    current = current.cause;
  }
  return parts.join(' <- ');
}

/** A text stays as it is, unless nothing of it would be seen. */
function printValue(value: unknown): string {
  const text = typeof value === 'string' && value.trim() !== '' ? value : inspect(value, { depth: 0, customInspect: false, breakLength: Infinity, maxArrayLength: 10, maxStringLength: MOST_CHARACTERS });
  return text.length <= MOST_CHARACTERS ? text : `${text.slice(0, MOST_CHARACTERS)}...`;
}

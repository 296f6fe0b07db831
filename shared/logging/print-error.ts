/**
 * An error with its whole chain of causes, for a log line: `Error: a <- ECONNREFUSED: b`.
 * Texts only, no stack: the code of a failure says where it belongs; a bug is logged with its stack by the caller.
 */
export function printError(error: unknown): string {
  const parts: string[] = [];
  let current: unknown = error;
  while (current !== undefined && current !== null && parts.length < 8) {
    if (!(current instanceof Error)) {
      parts.push(typeof current === 'string' ? current : JSON.stringify(current));
      break;
    }
    const code = 'code' in current && typeof current.code === 'string' ? current.code : current.name;
    parts.push(`${code}: ${current.message}`);
    current = current.cause;
  }
  return parts.join(' <- ');
}

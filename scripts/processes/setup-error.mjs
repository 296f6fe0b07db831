/** A failure whose message says everything a person needs: printed without a stack. */
export class SetupError extends Error {
  /**
   * @param {string} message what is wrong and what to do about it
   * @param {{exitCode?: number, cause?: unknown}} [options] exitCode 1 when left out
   */
  constructor(message, { exitCode = 1, cause } = {}) {
    super(message, { cause });
    this.name = 'SetupError';
    this.exitCode = exitCode;
  }
}

/**
 * Prints a failure the way the command line wants it: ours as a sentence, a bug with its stack.
 *
 * @param {unknown} error
 * @returns {number} the exit code to leave with
 */
export function reportFailure(error) {
  if (error instanceof SetupError) {
    console.error(`\n${error.message}`);
    return error.exitCode;
  }
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (error instanceof Error && (code === 'EACCES' || code === 'EPERM' || code === 'EROFS' || code === 'ENOSPC')) {
    // A folder of another user, a read-only mount or a full disk: the message names the path.
    console.error(`\n${error.message}\nThis folder must be writable for you, with room on its disk.`);
    return 1;
  }
  console.error(error);
  return 1;
}

import { execFileSync, type ExecFileSyncOptions } from 'node:child_process';

/** Runs promtool. Missing is a failure, never a skip. @returns its output. @throws Error with its output when it finds a fault */
export function promtool(args: readonly string[], input?: string): string {
  const program = process.env['PROMTOOL_PATH'];
  if (program === undefined || program === '') throw new Error('This test needs promtool, and PROMTOOL_PATH does not name one. Run `npm test`, which finds or installs it.');
  const options: ExecFileSyncOptions = { encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'], ...(input === undefined ? {} : { input }) };
  try {
    return String(execFileSync(program, args, options));
  } catch (error) {
    const said = error instanceof Error && 'stdout' in error && 'stderr' in error ? `${String(error.stdout)}${String(error.stderr)}` : String(error);
    throw new Error(`promtool ${args.join(' ')} says:\n${said}`, { cause: error });
  }
}

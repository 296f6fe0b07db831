#!/usr/bin/env node
import { InterruptedError, NoReaderError, OutputError } from './exit-codes.js';
import { runCommand } from './run-command.js';

// The program kafka-retry: it gives the process to runCommand, and turns signals and a closed pipe into its end.

/** What still waits is not waited for any longer: a timer, a socket, standard input. */
const ENDS_WITHIN_MS = 500;

const interrupted = new AbortController();
const outputEnded = new AbortController();

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    // The second one is not to be waited for.
    if (interrupted.signal.aborted) process.exit(130);
    interrupted.abort(new InterruptedError(signal));
  });
}

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // `kafka-retry list | head -1`: the reader has what it wanted.
  outputEnded.abort(error.code === 'EPIPE' ? new NoReaderError('EPIPE') : new OutputError(`the output cannot be written: ${error.message}`));
});
// Without a reader of what is said, it is not said.
process.stderr.on('error', () => undefined);

const { stdin, stdout, stderr } = process;
process.exitCode = await runCommand(process.argv.slice(2), { stdin, stdout, stderr, environment: process.env }, { interrupted: interrupted.signal, outputEnded: outputEnded.signal });
stdin.destroy();
setTimeout(() => process.exit(), ENDS_WITHIN_MS).unref();

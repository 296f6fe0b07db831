import { createInterface, type Interface } from 'node:readline/promises';
import type { CommandContext } from './command.js';
import { InterruptedError, NotConfirmedError } from './exit-codes.js';
import { isSet } from './option-values.js';

/** More tasks than this are not changed without a yes. */
export const ASKED_ABOVE = 10;

/**
 * Asks before many tasks are changed, unless `--yes` is given. The question goes to standard error, because standard output holds
 * data alone.
 * @throws NotConfirmedError when the answer is not yes, and where nobody can be asked; InterruptedError for Ctrl-C
 */
export async function confirm({ surroundings: { stdin, stderr }, values, signal }: Pick<CommandContext, 'surroundings' | 'values' | 'signal'>, question: string): Promise<void> {
  if (isSet(values, 'yes')) return;
  if (stdin.isTTY !== true || stderr.isTTY !== true) throw new NotConfirmedError(`${question} Nothing was changed: this is no terminal to ask on, so say --yes`);
  const lines = createInterface({ input: stdin, output: stderr });
  try {
    const answer = await answerOf(lines, question, signal);
    if (!/^y(es)?$/i.test(answer.trim())) throw new NotConfirmedError('Nothing was changed.');
  } catch (error) {
    // Behind Ctrl-C and Ctrl-D the cursor still stands in the line of the question.
    if (error instanceof InterruptedError || signal.aborted) stderr.write('\n');
    throw error;
  } finally {
    lines.close();
  }
}

/** While a question is open readline has the keys of the terminal: Ctrl-C and Ctrl-D are its events, and no signal and no end of the input. */
async function answerOf(lines: Interface, question: string, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    lines.once('SIGINT', () => reject(new InterruptedError('SIGINT')));
    lines.once('close', () => resolve(''));
    lines.question(`${question} [y/N] `, { signal }).then(resolve, reject);
  });
}

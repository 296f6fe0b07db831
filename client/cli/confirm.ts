import { createInterface } from 'node:readline/promises';
import type { CommandContext } from './command.js';
import { NotConfirmedError } from './exit-codes.js';
import { isSet } from './option-values.js';

/** More tasks than this are not changed without a yes. */
export const ASKED_ABOVE = 10;

/**
 * Asks before many tasks are changed, unless `--yes` is given. The question goes to standard error, because standard output holds
 * data alone.
 * @throws NotConfirmedError when the answer is not yes, and where nobody can be asked
 */
export async function confirm({ surroundings: { stdin, stderr }, values, signal }: CommandContext, question: string): Promise<void> {
  if (isSet(values, 'yes')) return;
  if (stdin.isTTY !== true || stderr.isTTY !== true) throw new NotConfirmedError(`${question} Nothing was changed: this is no terminal to ask on, so say --yes`);
  const lines = createInterface({ input: stdin, output: stderr });
  try {
    const answer = await lines.question(`${question} [y/N] `, { signal });
    if (!/^y(es)?$/i.test(answer.trim())) throw new NotConfirmedError('Nothing was changed.');
  } finally {
    lines.close();
  }
}

import { expect } from 'chai';

import { runShutdown, type ShutdownStep } from '../../../../shared/lifecycle/shutdown.js';
import { createLogger } from '../../../../shared/logging/logger.js';

const lines: string[] = [];
const logger = createLogger({ level: 'error', environment: 'dev', role: 'worker' }, { write: (text: string) => lines.push(text) });

function step(name: string, run: () => Promise<void>, limitMs = 1_000): ShutdownStep {
  return { name, limitMs, run };
}

describe('runShutdown', () => {
  it('runs the steps in order, each when the one before is done', async () => {
    const order: string[] = [];
    const slowly = (name: string): ShutdownStep =>
      step(name, async () => {
        order.push(`${name} begins`);
        await new Promise(setImmediate);
        order.push(`${name} ends`);
      });
    expect(await runShutdown([slowly('a'), slowly('b')], logger)).to.deep.equal([]);
    expect(order).to.deep.equal(['a begins', 'a ends', 'b begins', 'b ends']);
  });

  it('names a step that fails or never ends, and runs the others all the same', async () => {
    const done: string[] = [];
    const failed = await runShutdown(
      [
        step('fails', () => Promise.reject(new Error('no'))),
        step('throws', () => {
          throw new Error('at once');
        }),
        step('hangs', () => new Promise(() => undefined), 5),
        step('works', async () => {
          done.push('works');
        }),
      ],
      logger,
    );
    expect(failed).to.deep.equal(['fails', 'throws', 'hangs']);
    expect(done).to.deep.equal(['works']);
    logger.flush();
    expect(lines.join('')).to.contain('step=hangs').and.to.contain('not done within 5 ms');
  });
});

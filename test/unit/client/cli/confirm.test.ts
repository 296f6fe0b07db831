import { once } from 'node:events';
import { PassThrough } from 'node:stream';

import { expect } from 'chai';

import { confirm } from '../../../../client/cli/confirm.js';
import { InterruptedError, NotConfirmedError } from '../../../../client/cli/exit-codes.js';

/** Asks on streams that are terminals, and types keys when the question stands there. */
async function answered(keys: string): Promise<unknown> {
  const stdin = Object.assign(new PassThrough(), { isTTY: true });
  const stderr = Object.assign(new PassThrough(), { isTTY: true });
  const asking = confirm({ surroundings: { stdin, stderr, stdout: new PassThrough(), environment: {} }, values: {}, signal: new AbortController().signal }, 'Send 11 tasks now?').then(
    () => 'confirmed',
    (error: unknown) => error,
  );
  await once(stderr, 'data');
  stdin.write(keys);
  return asking;
}

describe('the question before many tasks are changed', () => {
  for (const yes of ['y\n', 'Yes\n']) it(`is confirmed by ${JSON.stringify(yes)}`, async () => { expect(await answered(yes)).to.equal('confirmed'); });

  for (const no of ['\n', 'no\n', 'yesterday\n']) it(`is not confirmed by ${JSON.stringify(no)}`, async () => { expect(await answered(no)).to.be.instanceOf(NotConfirmedError); });

  it('is not confirmed by Ctrl-D, which closes the input', async () => {
    expect(await answered('\u0004')).to.be.instanceOf(NotConfirmedError);
  });

  it('is left by Ctrl-C, which readline takes in place of the process', async () => {
    expect(await answered('\u0003')).to.be.instanceOf(InterruptedError);
  });
});

import { expect } from 'chai';

import { ScanTurns } from '../../../../../shared/queue/scan/scan-turns.js';

/** A step that ends when it is told to. */
function step(): { readonly run: () => Promise<{ cpu: undefined }>; readonly begun: Promise<void>; readonly end: () => void } {
  let begin = (): void => undefined;
  let end = (): void => undefined;
  const begun = new Promise<void>((resolve) => { begin = resolve; });
  const ended = new Promise<void>((resolve) => { end = resolve; });
  const run = async (): Promise<{ cpu: undefined }> => {
    begin();
    await ended;
    return { cpu: undefined };
  };
  return { run, begun, end };
}

describe('turns of searches', () => {
  it('begins a step when the one before it has ended', async () => {
    const turns = new ScanTurns();
    const [first, second] = [step(), step()];
    let hasEnded = false;
    const firstTurn = turns.take(first.run).then(() => { hasEnded = true; });
    const secondTurn = turns.take(async () => {
      expect(hasEnded).to.equal(true);
      return second.run();
    });
    await first.begun;
    first.end();
    second.end();
    await Promise.all([firstTurn, secondTurn]);
  });

  it('does not wait for a step whose part of Redis does not answer', async () => {
    const turns = new ScanTurns();
    const [silent, second, third] = [step(), step(), step()];
    const silentTurn = turns.take(silent.run);
    const others = [turns.take(second.run), turns.take(third.run)];
    await second.begun;
    second.end();
    third.end();
    await Promise.all(others);
    silent.end();
    await silentTurn;
  });

  it('goes on behind a step that has failed', async () => {
    const turns = new ScanTurns();
    const failure = await turns.take(() => Promise.reject(new Error('gone'))).catch((error: unknown) => error);
    expect(failure).to.have.property('message', 'gone');
    expect(await turns.take(async () => ({ cpu: undefined, value: 1 }))).to.have.property('value', 1);
  });
});

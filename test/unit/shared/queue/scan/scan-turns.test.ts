import { expect } from 'chai';

import { OutOfTimeError, ScanTurns } from '../../../../../shared/queue/scan/scan-turns.js';

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

  it('does not make a step whose turn has not come in time, and lets those behind it wait for those before it', async () => {
    const turns = new ScanTurns();
    const first = step();
    const made: string[] = [];
    const firstTurn = turns.take(first.run, false);
    await first.begun;
    const tooLate = turns.take(async () => {
      made.push('too late');
      return { cpu: undefined };
    }, false, () => Promise.reject(new OutOfTimeError()));
    const third = turns.take(async () => {
      made.push('third');
      return { cpu: undefined };
    }, false);
    expect(await tooLate.catch((error: unknown) => error)).to.be.instanceOf(OutOfTimeError);
    expect(made).to.deep.equal([]);
    first.end();
    await Promise.all([firstTurn, third]);
    expect(made).to.deep.equal(['third']);
  });

  it('counts the pause behind a step as a part of the wait', async () => {
    const turns = new ScanTurns();
    // A server that others use: a step of 30 ms is followed by a pause of more than half a second.
    const busy = (nth: number): { server: string; beforeUs: number; afterUs: number } => ({ server: 'one', beforeUs: nth * 10_000_000, afterUs: nth * 10_000_000 + 30_000 });
    for (const nth of [0, 1]) {
      await turns.take(async () => {
        await new Promise((resolve) => setTimeout(resolve, 60));
        return { cpu: busy(nth) };
      });
    }
    const waited = await turns.take(async () => ({ cpu: undefined }), false, (turn) => Promise.race([turn, new Promise<never>((_, reject) => setTimeout(() => reject(new OutOfTimeError()), 10))])).catch((error: unknown) => error);
    expect(waited).to.be.instanceOf(OutOfTimeError);
    expect(await turns.take(async () => ({ cpu: undefined, value: 1 }))).to.have.property('value', 1);
  });
});

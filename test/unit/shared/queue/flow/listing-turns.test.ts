import { expect } from 'chai';

import { ListingTurns } from '../../../../../shared/queue/flow/listing-turns.js';

/** As the library of Redis' protocol makes it. */
class ReplyError extends Error {
  override readonly name = 'ReplyError';
}

describe('the turns in which an API lists connections', () => {
  const table: readonly (readonly [error: Error, isHidden: boolean])[] = [
    [new ReplyError("NOPERM this user has no permissions to run the 'client|list' command"), true],
    [new ReplyError("ERR unknown command 'CLIENT', with args beginning with: 'LIST'"), true],
    // It passes.
    [new ReplyError('LOADING Redis is loading the dataset in memory'), false],
    [new ReplyError('BUSY Redis is busy running a script'), false],
    [new Error('Connection is closed.'), false],
    [new Error('Command timed out'), false],
  ];
  for (const [error, isHidden] of table) {
    it(`come again after ${isHidden ? 'a minute' : 'a second'} when one has failed with ${error.message}`, () => {
      const turns = new ListingTurns();
      expect(turns.isDue(0)).to.equal(true);
      turns.begin(0);
      expect(turns.failed(error, 500)).to.equal(isHidden);
      const next = isHidden ? 60_500 : 1_000;
      expect([turns.isDue(next - 1), turns.isDue(next)]).to.deep.equal([false, true]);
    });
  }

  it('tell that Redis hides them once, and again when it has shown them meanwhile', () => {
    const turns = new ListingTurns();
    const [[error]] = table as [readonly [Error, boolean]];
    expect([turns.failed(error, 0), turns.failed(error, 60_000)]).to.deep.equal([true, false]);
    turns.succeeded();
    expect(turns.failed(error, 120_000)).to.equal(true);
  });
});

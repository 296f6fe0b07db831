import { expect } from 'chai';

import { SeenMessages } from '../../../client/seen-messages.js';

const message = (taskId: string, run = 1, edit = 0) => ({ taskId, run, edit });

describe('SeenMessages', () => {
  it('handles a message once, whatever attempt brings it', async () => {
    const seen = new SeenMessages();
    let handled = 0;
    const handle = (): void => { handled += 1; };
    expect([await seen.once(message('a'), handle), await seen.once(message('a'), handle), handled]).to.deep.equal([true, false, 1]);
  });

  it('takes another run and another edit for another message', async () => {
    const seen = new SeenMessages();
    const handled: string[] = [];
    for (const [run, edit] of [[1, 0], [2, 0], [1, 1], [1, 0], [11, 0], [1, 10]] as const) {
      await seen.once(message('a', run, edit), () => { handled.push(`${run}/${edit}`); });
    }
    expect(handled).to.deep.equal(['1/0', '2/0', '1/1', '11/0', '1/10']);
  });

  it('handles a message again whose handling failed', async () => {
    const seen = new SeenMessages();
    const failure = new Error('the database is away');
    const caught: unknown = await seen.once(message('a'), () => { throw failure; }).catch((error: unknown) => error);
    expect([caught, seen.has(message('a'))]).to.deep.equal([failure, false]);
    expect(await seen.once(message('a'), () => undefined)).to.equal(true);
  });

  it('lets the same message wait that comes while it is handled, and handles it when that fails', async () => {
    const seen = new SeenMessages();
    let end: (error?: Error) => void = () => undefined;
    const first = seen.once(message('a'), () => new Promise<void>((resolve, reject) => { end = (error) => error === undefined ? resolve() : reject(error); }));
    let handled = 0;
    const others = [1, 2, 3].map(() => seen.once(message('a'), () => { handled += 1; }));
    await new Promise((resolve) => setImmediate(resolve));
    expect(handled, 'while the first is under way').to.equal(0);
    end(new Error('no'));
    expect(await first.catch(() => 'failed')).to.equal('failed');
    expect((await Promise.all(others)).filter(Boolean)).to.have.lengthOf(1);
    expect(handled).to.equal(1);
  });

  it('forgets the oldest, and what is too old', async () => {
    let now = 0;
    const seen = new SeenMessages({ max: 2, maxAgeMs: 1_000, now: () => now });
    for (const id of ['a', 'b', 'c']) await seen.once(message(id), () => undefined);
    expect(['a', 'b', 'c'].map((id) => seen.has(message(id)))).to.deep.equal([false, true, true]);
    now = 999;
    expect(seen.has(message('c'))).to.equal(true);
    now = 1_000;
    expect(seen.has(message('c'))).to.equal(false);
    await seen.once(message('d'), () => undefined);
    expect(seen.size).to.equal(1);
  });
});

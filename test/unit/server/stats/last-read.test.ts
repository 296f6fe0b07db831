import { expect } from 'chai';

import { LastRead } from '../../../../server/stats/last-read.js';
import { RequestError } from '../../../../shared/domain/errors.js';

const HOUR = 3_600_000;

describe('what was counted lately', () => {
  let isAway: boolean;
  let now: number;
  let last: LastRead<{ readonly spanMs: number; readonly at: number }>;

  beforeEach(() => {
    isAway = false;
    now = 1_000;
    last = new LastRead(
      async (spanMs) => {
        if (isAway) throw new RequestError('redis_unavailable', 'redis connection failed');
        return { spanMs, at: now };
      },
      ({ at }) => at,
      'what was counted',
    );
  });
  const ofSpan = (spanMs: number): ReturnType<typeof last.ofSpan> => last.ofSpan(spanMs, () => true);

  it('is of now while it can be read', async () => {
    expect(await ofSpan(HOUR)).to.deep.equal({ value: { spanMs: HOUR, at: 1_000 }, knownAt: undefined });
  });

  it('is as it was read last while it cannot, of the same span if that was asked for', async () => {
    await ofSpan(HOUR);
    now = 2_000;
    await ofSpan(2 * HOUR);
    isAway = true;
    now = 3_000;
    expect(await ofSpan(HOUR)).to.deep.equal({ value: { spanMs: HOUR, at: 1_000 }, knownAt: 1_000 });
    expect(await ofSpan(9 * HOUR)).to.deep.equal({ value: { spanMs: 2 * HOUR, at: 2_000 }, knownAt: 2_000 });
  });

  it('is nothing when it was never read', async () => {
    isAway = true;
    expect(await ofSpan(HOUR)).to.equal(undefined);
  });

  it('is refused, and says what is missing, when no other part of Redis answers', async () => {
    await ofSpan(HOUR);
    isAway = true;
    const error = await last.ofSpan(HOUR, () => false).catch((refusal: unknown) => refusal);
    expect(error).to.be.instanceOf(RequestError).with.property('code', 'redis_unavailable');
    expect(error).to.have.property('message').that.includes('what was counted cannot be read');
  });

  it('keeps no more than the last eight spans', async () => {
    for (let hours = 1; hours <= 9; hours += 1) await ofSpan(hours * HOUR);
    isAway = true;
    expect((await ofSpan(HOUR))?.value.spanMs).to.equal(9 * HOUR);
    expect((await ofSpan(2 * HOUR))?.value.spanMs).to.equal(2 * HOUR);
  });
});

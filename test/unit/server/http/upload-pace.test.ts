import { expect } from 'chai';

import { UploadPace } from '../../../../server/http/upload-pace.js';

const MIB = 1_048_576;
const KIB = 1_024;

/** What a client has sent after so many ms. */
type Sending = (ms: number) => number;

const steadily = (bytesPerSecond: number, most = Infinity): Sending => (ms) => Math.min((bytesPerSecond * ms) / 1_000, most);

/** @returns after how many ms it is too slow; undefined: it has ended, or 300 s are over */
function tooSlowAfterMs(sent: Sending, length: number): number | undefined {
  const pace = new UploadPace();
  for (let now = 0; now <= 300_000; now += 500) {
    const bytes = sent(now);
    if (bytes >= length) return undefined;
    if (pace.isTooSlow(Math.max(bytes - 64 * KIB, 0), bytes, now)) return now;
  }
  return undefined;
}

describe('UploadPace', () => {
  const cases: readonly (readonly [name: string, sent: Sending, length: number, expected: [from: number, to: number] | undefined])[] = [
    ['31 MiB that stop before their last byte', steadily(100 * MIB, 31 * MIB - 1), 31 * MIB, [10_000, 11_500]],
    ['31 MiB that go on with 1 KiB a second', (ms) => Math.min(100 * MIB * ms, 30 * MIB) + KIB * ms / 1_000, 31 * MIB, [10_000, 11_500]],
    ['1 MiB that stops in the middle', steadily(MIB, MIB / 2), MIB, [10_000, 11_500]],
    ['31 MiB from a steady client that is done within the time of a request', steadily(31 * MIB / 299), 31 * MIB, undefined],
    ['1 MiB from a client with 28.8 kbit/s', steadily(3_600), MIB, undefined],
    ['31 MiB with breaks of 9 s', (ms) => Math.floor(ms / 9_000) * 2 * MIB, 31 * MIB, undefined],
    ['60 KiB of which a byte a second comes', steadily(1), 60 * KIB, undefined],
    ['60 KiB that stop before their last byte', steadily(MIB, 60 * KIB - 1), 60 * KIB, undefined],
  ];
  for (const [name, sent, length, expected] of cases) {
    it(`${expected === undefined ? 'lets come' : 'finds too slow'}: ${name}`, () => {
      const after = tooSlowAfterMs(sent, length);
      if (expected === undefined) expect(after).to.equal(undefined);
      else expect(after).to.be.within(...expected);
    });
  }

  it('begins anew after a time in which it did not matter', () => {
    const pace = new UploadPace();
    expect(pace.isTooSlow(MIB, MIB, 0)).to.equal(false);
    expect(pace.isTooSlow(0, MIB, 5_000)).to.equal(false);
    expect(pace.isTooSlow(MIB, MIB, 10_000)).to.equal(false);
    expect(pace.isTooSlow(MIB, MIB, 19_000)).to.equal(false);
    expect(pace.isTooSlow(MIB, MIB, 20_000)).to.equal(true);
  });
});

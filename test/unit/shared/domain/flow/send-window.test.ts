import { expect } from 'chai';
import fc from 'fast-check';

import { firstWindow, windowAfter, windowAtStart, windowInSilence } from '../../../../../shared/domain/flow/send-window.js';

describe('windowAfter', () => {
  const cases: readonly (readonly [name: string, window: number, inFlight: number, failures: number, expected: number])[] = [
    ['an answer while it is full lets one more in', 16, 16, 0, 17],
    ['half of it in use counts as full', 16, 8, 0, 17],
    ['a window that is not used proves nothing', 16, 7, 0, 16],
    ['it never exceeds the slots', 200, 200, 0, 200],
    ['two failures in a row are an accident', 64, 64, 2, 64],
    ['three halve it', 64, 64, 3, 32],
    ['and it never closes', 3, 4, 9, 2],
  ];
  for (const [name, window, inFlight, failures, expected] of cases) {
    it(name, () => expect(windowAfter(window, inFlight, failures, 200)).to.equal(expected));
  }

  it('doubles with each round trip', () => {
    let window = firstWindow(1);
    for (let left = firstWindow(1); left > 0; left -= 1) window = windowAfter(window, window, 0, 1_000);
    expect(window).to.equal(2 * firstWindow(1));
  });

  it('stays between two and the slots, whatever comes', () => {
    fc.assert(fc.property(fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 200 })), { maxLength: 200 }), (answers) => {
      let window = firstWindow(1);
      let row = 0;
      for (const [isFailure, inFlight] of answers) {
        row = isFailure ? row + 1 : 0;
        window = windowAfter(window, inFlight, row, 200);
        expect(window).to.be.within(2, 200);
      }
    }));
  });

  it('costs an unknown destination that is down fewer than forty sends until its circuit opens, whatever the slots', () => {
    // All that may start do so; each failure is noted before the next one.
    let window = firstWindow(1);
    let started = firstWindow(1);
    let inFlight = firstWindow(1);
    for (let failures = 1; failures <= 30; failures += 1) {
      window = windowAfter(window, inFlight, failures, 10_000);
      inFlight -= 1;
      while (inFlight < window) {
        inFlight += 1;
        started += 1;
      }
    }
    expect(started).to.be.below(40);
  });
});

describe('windowInSilence', () => {
  const cases: readonly (readonly [name: string, window: number, inFlight: number, failures: number, silentMs: number, expected: number])[] = [
    ['doubles when nothing is heard for an eighth of a second', 16, 16, 0, 125, 32],
    ['not sooner', 16, 16, 0, 124, 16],
    ['nor when there is room', 16, 15, 0, 5_000, 16],
    ['nor of one that has failed', 16, 16, 1, 5_000, 16],
    ['never beyond the slots', 150, 150, 0, 500, 200],
  ];
  for (const [name, window, inFlight, failures, silentMs, expected] of cases) {
    it(name, () => expect(windowInSilence(window, inFlight, failures, silentMs, 200)).to.equal(expected));
  }
});

describe('firstWindow', () => {
  it('is shared by the workers of the fleet', () => {
    expect([1, 2, 3, 5, 8, 100].map(firstWindow)).to.deep.equal([16, 8, 6, 4, 2, 2]);
  });
});

describe('windowAtStart', () => {
  it('is small again after half a minute without a send, and never larger than it was', () => {
    expect([[100, 30_000], [100, 30_001], [4, 60_000]].map(([window = 0, idleMs = 0]) => windowAtStart(window, idleMs, 16))).to.deep.equal([100, 16, 4]);
  });
});

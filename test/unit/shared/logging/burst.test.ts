import { expect } from 'chai';

import { Burst } from '../../../../shared/logging/burst.js';
import { eventually } from '../../../support/eventually.js';

const SPAN_MS = 30;

describe('Burst', () => {
  function start(isQuietWhileBusy: boolean): { readonly burst: Burst; readonly admitted: (count: number) => number; readonly summaries: () => number } {
    let summaries = 0;
    const burst = new Burst({ spanMs: SPAN_MS, mostLines: 3, isQuietWhileBusy, summarize: () => { summaries += 1; } });
    const admitted = (count: number): number => Array.from({ length: count }, () => burst.admits()).filter(Boolean).length;
    return { burst, admitted, summaries: () => summaries };
  }

  it('lets as many lines through as it may, and asks for one summary of the others', async () => {
    const { admitted, summaries } = start(false);
    expect(admitted(10)).to.equal(3);
    expect(summaries()).to.equal(0);
    await eventually(() => { expect(summaries()).to.equal(1); });
  });

  it('asks for none when every line was shown', () => {
    const { burst, admitted, summaries } = start(false);
    expect(admitted(3)).to.equal(3);
    burst.flush();
    expect(summaries()).to.equal(0);
  });

  it('shows some lines of each busy span, or none', () => {
    for (const isQuietWhileBusy of [false, true]) {
      const { burst, admitted, summaries } = start(isQuietWhileBusy);
      admitted(10);
      burst.flush();
      expect(admitted(10)).to.equal(isQuietWhileBusy ? 0 : 3);
      burst.flush();
      expect(summaries()).to.equal(2);
    }
  });

  it('shows lines again after a span with few of them, or with none', async () => {
    const { burst, admitted } = start(true);
    admitted(10);
    burst.flush();
    expect(admitted(2), 'it is still quiet').to.equal(0);
    burst.flush();
    expect(admitted(2)).to.equal(2);

    admitted(10);
    burst.flush();
    await eventually(() => { expect(burst.admits()).to.equal(true); });
  });
});

import { expect } from 'chai';

import { median, percentile } from '../../bench/percentile.js';
import { printTable, summarize, type Comparison } from '../../bench/report.js';

const rates = { figure: 'delivered/s', unit: '/s', product: { name: 'service', values: [800, 2_000, 900] }, baseline: { name: 'bare', values: [1_000, 4_000, 1_000] } } satisfies Comparison;

describe('report of the benchmarks', () => {
  it('takes the median of the rounds\' own ratios, not the ratio of the medians', () => {
    const { ratio, ratios, product, baseline } = summarize(rates);
    expect(ratios).to.deep.equal([0.8, 0.5, 0.9]);
    expect(ratio).to.equal(0.8);
    expect(product).to.equal(900);
    expect(baseline?.value).to.equal(1_000);
  });

  const verdicts: readonly (readonly [bar: Pick<Comparison, 'bar' | 'highestRatio' | 'limit' | 'least'>, text: string, isMet: boolean])[] = [
    [{ bar: 0.8 }, '>= 0.80', true],
    [{ bar: 0.81 }, '>= 0.81', false],
    [{ highestRatio: 0.8 }, '<= 0.80', true],
    [{ highestRatio: 0.79 }, '<= 0.79', false],
    [{ limit: 900 }, '<= 900/s', true],
    [{ limit: 899 }, '<= 899/s', false],
    [{ least: 900 }, '>= 900/s', true],
    [{ least: 901 }, '>= 901/s', false],
    [{ bar: 0.5, limit: 899 }, '>= 0.50, <= 899/s', false],
  ];
  for (const [bar, text, isMet] of verdicts) {
    it(`says that ${text} is ${isMet ? 'met' : 'missed'}`, () => {
      expect(summarize({ ...rates, ...bar }).bar).to.deep.equal({ text, isMet });
    });
  }

  it('does not take a figure that was not measured for a bar that is met', () => {
    const unmeasured = { ...rates, product: { name: 'service', values: [] } };
    expect(summarize({ ...unmeasured, bar: 0.1 }).bar?.isMet).to.equal(false);
    expect(summarize({ ...unmeasured, highestRatio: 9 }).bar?.isMet).to.equal(false);
    expect(summarize({ ...unmeasured, limit: 9 }).bar?.isMet).to.equal(false);
    expect(summarize({ ...unmeasured, least: 0 }).bar?.isMet).to.equal(false);
  });

  it('prints value, spread and verdict of a figure with and without a baseline', () => {
    const alone = { figure: 'lateness', unit: 'ms', product: { name: 'service', values: [12.34] } };
    const [, , ratioRow, aloneRow] = printTable([summarize({ ...rates, bar: 0.9 }), summarize(alone)]).split('\n').map((line) => line.split('|').map((cell) => cell.trim()).slice(1, -1));
    expect(ratioRow).to.deep.equal(['delivered/s', '900/s', '800..2,000', 'bare', '1,000/s', '0.80', '0.50..0.90', '>= 0.90 **MISSED**']);
    expect(aloneRow).to.deep.equal(['lateness', '12.3 ms', '', '', '', '', '', '']);
  });
});

describe('median and percentile', () => {
  it('find the middle of an odd and of an even number of values, in whatever order', () => {
    expect(median([3, 1, 2])).to.equal(2);
    expect(median([4, 1, 3, 2])).to.equal(2.5);
    expect(median([])).to.deep.equal(NaN);
  });

  it('find the value that a share of all does not exceed', () => {
    const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect(percentile(hundred, 0.99)).to.equal(100);
    expect(percentile(hundred, 0.5)).to.equal(51);
    expect(percentile([], 0.5)).to.deep.equal(NaN);
  });
});

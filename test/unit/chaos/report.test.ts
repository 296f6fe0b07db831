import { expect } from 'chai';

import { profile } from '../../chaos/profile.js';
import { printReport, withRows, type Row } from '../../chaos/report.js';
import { readText } from '../docs/repository-file.js';

describe('rows of a run of some scenarios', () => {
  const report = readText('docs/RELIABILITY.md');
  const row = (number: string): Row => ({ number, title: `title of ${number}`, acked: 7, refused: 0, delivered: 7, dead: 0, parked: 0, cancelled: 0, lost: 0, duplicates: 0, recoveryMs: 1_234, tookMs: 1 });

  it('take the place of those with their number, or stand in their order, and leave all else as it is', () => {
    const text = withRows(report, [row('9a'), row('16b')]);
    const lines = text.split('\n');
    expect(lines.filter((line) => line.startsWith('| 9a |'))).to.deep.equal(['| 9a | title of 9a | 7 | 0 | 7 | 0 | 0 | 0 | 0 | 0 | 1.2 s |  |']);
    expect(lines[lines.findIndex((line) => line.startsWith('| 16b |')) - 1]).to.match(/^\| 16 \|/);
    expect(lines.filter((line) => !/^\| (9a|16b) \|/.test(line))).to.deep.equal(report.split('\n').filter((line) => !/^\| 9a \|/.test(line)));
    expect(withRows(report, [])).to.equal(report);
  });

  it('leave out how long the whole run took', () => {
    const whole = printReport([row('1a')], profile);
    expect(whole).to.match(/cores, 0 s in all\. Lock.*form: 0 s\n/s);
    expect(withRows(whole, [row('1b')])).to.match(/cores\. Lock.*form\n/s).and.not.match(/ in all|form:/);
  });

  it('need a table to stand in', () => {
    expect(() => withRows('# Reliability\n', [row('1a')])).to.throw('no table');
  });
});

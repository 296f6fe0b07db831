import { expect } from 'chai';
import fc from 'fast-check';

import { defaultCircuitRules } from '../../../../../shared/domain/flow/circuit.js';
import { HostHealth } from '../../../../../shared/domain/flow/host-health.js';

const rules = { ...defaultCircuitRules, failuresInARow: 12 };

describe('HostHealth', () => {
  /**
   * @param events one each 10 ms, each of a task of its own: a, b, c, d = a failure of that endpoint, H = one of the host,
   *               `.` = the host answers, `~` = a minute and a half passes
   * @returns the number of the event that has to open the circuit; undefined: none
   */
  function opensAt(events: string, workers = 1): number | undefined {
    const health = new HostHealth();
    let at = 0;
    for (const [nth, event] of [...events].entries()) {
      at += event === '~' ? 90_000 : 10;
      if (event === '~') continue;
      if (event === '.') health.noteAnswer(at, rules);
      else if (event === 'H' ? health.noteHostFailure(1, `t${nth}`, at, rules, workers) : health.noteEndpointFailure(event, 1, `t${nth}`, at, rules, workers)) return nth + 1;
    }
    return undefined;
  }

  const cases: readonly (readonly [name: string, events: string, expected: number | undefined])[] = [
    ['one endpoint fails, however often', 'a'.repeat(100), undefined],
    ['two endpoints fail, however often', 'ab'.repeat(50), undefined],
    ['three endpoints fail in turn', 'abc'.repeat(10), 12],
    ['a third endpoint joins late', `${'ab'.repeat(20)}c`, 41],
    ['four endpoints fail', 'abcd'.repeat(10), 12],
    ['the host answers in between', 'abcabcabcab.'.repeat(10), undefined],
    ['the host has answered before', `.${'abc'.repeat(10)}`, 13],
    ['the third endpoint failed too long ago', `c~${'ab'.repeat(50)}`, undefined],
    ['the row is too old', 'abcabc~abcabc~abcabc', undefined],
    ['the host itself fails', 'H'.repeat(20), 12],
    ['the host itself fails among failures of its endpoints', 'Ha'.repeat(20), 23],
    ['the host itself fails, and answers', 'HHHHHHHHHHH.'.repeat(3), undefined],
  ];
  for (const [name, events, expected] of cases) {
    it(`${expected === undefined ? 'stays well' : `opens at event ${expected}`}: ${name}`, () => expect(opensAt(events)).to.equal(expected));
  }

  it('needs of each worker of a fleet its share of the row, where nothing is answered', () => {
    expect([1, 2, 3, 50].map((workers) => opensAt('abc'.repeat(10), workers))).to.deep.equal([12, 6, 5, 5]);
  });

  it('counts the failures of one task in a row once', () => {
    const health = new HostHealth();
    const opened = Array.from({ length: 90 }, (_, nth) => health.noteEndpointFailure(['a', 'b', 'c'][nth % 3] ?? '', 1, 'same', nth * 10, rules, 1));
    expect(opened).to.not.include(true);
  });

  it('counts failures that blame an endpoint by their weight', () => {
    const health = new HostHealth();
    let nth = 0;
    while (!health.noteEndpointFailure(`e${nth % 3}`, 0.25, `t${nth}`, nth, rules, 1)) nth += 1;
    expect(nth + 1).to.equal(48);
  });

  it('has failures in a row only by those that blame the host', () => {
    const health = new HostHealth();
    health.noteEndpointFailure('a', 1, 't1', 0, rules, 1);
    expect(health.failuresInARow).to.equal(0);
    health.noteHostFailure(1, 't2', 1, rules, 1);
    expect(health.failuresInARow).to.equal(1);
    health.noteAnswer(2, rules);
    expect(health.failuresInARow).to.equal(0);
  });

  it('never opens by two endpoints, nor while the host answers now and then, in any order', () => {
    fc.assert(fc.property(fc.array(fc.constantFrom('a', 'b'), { maxLength: 300 }), (events) => {
      expect(opensAt(events.join(''))).to.equal(undefined);
    }));
    fc.assert(fc.property(fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'd'), maxLength: 11 }), { maxLength: 50 }), (rows) => {
      expect(opensAt(rows.join('.'))).to.equal(undefined);
    }));
  });
});

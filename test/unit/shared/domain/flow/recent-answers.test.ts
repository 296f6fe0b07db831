import { expect } from 'chai';
import fc from 'fast-check';

import { RecentAnswers, refusalWeight } from '../../../../../shared/domain/flow/recent-answers.js';

describe('RecentAnswers', () => {
  const weights: Readonly<Record<string, number>> = { a: 0, r: refusalWeight('http_busy', 429), u: refusalWeight('http_busy', 503) };

  /** @param answers in their order, one each 10 ms: a = accepted, r = 429, u = 503, each of a task of its own */
  function after(answers: string): RecentAnswers {
    const recent = new RecentAnswers();
    for (const [nth, answer] of [...answers].entries()) recent.note(weights[answer] ?? NaN, `t${nth}`, nth * 10, nth * 10);
    return recent;
  }

  const cases: readonly (readonly [name: string, answers: string, expected: boolean])[] = [
    ['one refusal', 'r', false],
    ['one refusal among few', 'aar', false],
    ['two refusals of three', 'arr', false],
    ['three of four', 'arrr', true],
    ['three of fifteen: exactly a fifth', `${'a'.repeat(12)}rrr`, false],
    ['three of fourteen: a bit more than a fifth, which may be chance', `${'a'.repeat(11)}rrr`, false],
    ['five of twelve', `${'a'.repeat(7)}rrrrr`, false],
    ['six of twelve', `${'a'.repeat(6)}rrrrrr`, true],
    ['27 of a hundred', `${'a'.repeat(73)}${'r'.repeat(27)}`, false],
    ['28 of a hundred', `${'a'.repeat(72)}${'r'.repeat(28)}`, true],
    ['8 of 12, by 503', `${'a'.repeat(4)}${'u'.repeat(8)}`, false],
    ['10 of 12, by 503', `${'a'.repeat(2)}${'u'.repeat(10)}`, true],
    ['9 of 20 in a block, by 503', `${'u'.repeat(9)}${'a'.repeat(11)}`.repeat(5), false],
    ['three among a hundred', `${'a'.repeat(97)}rrr`, false],
    ['every fourth of 80: it may be chance', 'aaar'.repeat(20), false],
    ['every fourth of 320', 'aaar'.repeat(80), true],
    ['every sixth', 'aaaaar'.repeat(50), false],
    ['every second, by 503: a half of the backends may be down', 'au'.repeat(40), false],
    ['two of three, by 503', 'auu'.repeat(20), true],
    ['nothing but refusals: that is what the circuit is for', 'r'.repeat(20), false],
  ];
  for (const [name, answers, expected] of cases) {
    it(`${expected ? 'holds sends back' : 'changes nothing'}: ${name}`, () => expect(after(answers).isTooMuchRefused).to.equal(expected));
  }

  it('takes no other answer for a refusal, whatever its status', () => {
    expect([refusalWeight('http_server_error', 500), refusalWeight('http_client_error', 404), refusalWeight('timed_out', undefined)]).to.deep.equal([0, 0, 0]);
  });

  it('counts one task that is refused again and again once: its own policy spreads its retries', () => {
    const recent = after('aaa');
    for (let at = 100; at < 2_000; at += 100) recent.note(1, 'same', at, at);
    expect(recent.isTooMuchRefused).to.equal(false);
  });

  it('forgets answers after ten seconds', () => {
    const recent = after('arrr');
    recent.note(0, 'a', 6_000, 6_000);
    expect(recent.isTooMuchRefused, 'in the half window before').to.equal(true);
    recent.note(0, 'b', 11_100, 11_100);
    expect(recent.isTooMuchRefused).to.equal(false);
  });

  it('counts after a change of the rate only answers to sends that began later', () => {
    const recent = after('arrr');
    recent.restart(1_000);
    for (let nth = 0; nth < 50; nth += 1) recent.note(nth % 2, `late-${nth}`, 999, 1_500);
    expect([recent.isTooMuchRefused, recent.perSecond(2_000)]).to.deep.equal([false, 0]);
    for (let nth = 0; nth < 50; nth += 1) recent.note(nth % 2, `new-${nth}`, 1_000, 1_500);
    expect([recent.isTooMuchRefused, recent.perSecond(3_000)]).to.deep.equal([true, 25]);
  });

  it('tells the answers per second of the last five to ten seconds, and takes a shorter time for a second', () => {
    const recent = after('a'.repeat(100));
    expect(recent.perSecond(990)).to.equal(100);
    expect(recent.perSecond(4_000)).to.equal(25);
    recent.note(0, 'b', 6_000, 6_000);
    expect(recent.perSecond(8_000), 'since the start of the half window before').to.equal(101 / 8);
    recent.note(0, 'c', 30_000, 30_000);
    expect(recent.perSecond(30_000)).to.equal(1);
  });

  it('tells how near the refusals are to the limit, and forgets them with time', () => {
    const at = 1_000;
    expect(['', 'aaaa', 'aaaar', 'aaaaaaaar', 'au', 'aau', 'r', 'ar'].map((answers) => after(answers).fullness(at))).to.deep.equal([0, 0, 1, 0.5, 1, 0.5, Infinity, 4]);
    const recent = after('ar');
    expect([5_000, 10_000].map((later) => recent.fullness(later))).to.deep.equal([4, 0]);
  });

  it('tells the accepted ones per second', () => {
    expect(after('aaar'.repeat(25)).acceptedPerSecond(990)).to.equal(75);
  });

  it('never holds sends back for two refused tasks, or for a fifth of the answers, in any order', () => {
    fc.assert(fc.property(fc.array(fc.boolean(), { maxLength: 200 }), (answers) => {
      const spread = answers.flatMap((isRefusal) => (isRefusal ? [false, false, false, false, true] : [false]));
      expect(after(spread.map((isRefusal) => (isRefusal ? 'r' : 'a')).join('')).isTooMuchRefused).to.equal(false);
      let refused = 0;
      const twoOnly = answers.map((isRefusal) => (isRefusal && (refused += 1) <= 2 ? 'r' : 'a')).join('');
      expect(after(twoOnly).isTooMuchRefused).to.equal(false);
    }));
  });

  it('holds sends back whenever a third of 39 or more recent answers are refusals, in any order', () => {
    const order = fc.integer({ min: 13, max: 60 }).chain((refused) => fc.shuffledSubarray([...'r'.repeat(refused), ...'a'.repeat(2 * refused)], { minLength: 3 * refused }));
    fc.assert(fc.property(order, (answers) => { expect(after(answers.join('')).isTooMuchRefused).to.equal(true); }));
  });
});

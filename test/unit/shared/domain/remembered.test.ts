import { expect } from 'chai';
import { remembered } from '../../../../shared/domain/remembered.js';

describe('remembered', () => {
  function counting(most: number): { asked: string[]; lengthOf: (text: string) => number } {
    const asked: string[] = [];
    return {
      asked,
      lengthOf: remembered(most, (text) => {
        asked.push(text);
        return text.length;
      }),
    };
  }

  it('asks once for each question, and again for what it has forgotten', () => {
    const { asked, lengthOf } = counting(4);
    expect(['a', 'bb', 'a', 'bb'].map(lengthOf)).to.deep.equal([1, 2, 1, 2]);
    expect(asked).to.deep.equal(['a', 'bb']);
    for (const text of ['c', 'd', 'e', 'f', 'g']) lengthOf(text);
    expect(lengthOf('a'), 'four others came since').to.equal(1);
    expect(asked.filter((text) => text === 'a')).to.have.lengthOf(2);
  });

  it('keeps what is asked again and again, whatever comes between', () => {
    const { asked, lengthOf } = counting(10);
    for (let nth = 0; nth < 100; nth += 1) {
      lengthOf('often');
      lengthOf(`once ${nth}`);
    }
    expect(asked.filter((text) => text === 'often')).to.have.lengthOf(1);
  });

  it('does not keep long questions', () => {
    const { asked, lengthOf } = counting(10);
    const long = 'x'.repeat(501);
    expect([lengthOf(long), lengthOf(long)]).to.deep.equal([501, 501]);
    expect(asked).to.have.lengthOf(2);
  });

  it('asks again after an error', () => {
    let isWell = false;
    const fragile = remembered(2, (text) => {
      if (!isWell) throw new Error('not now');
      return text;
    });
    expect(() => fragile('a')).to.throw('not now');
    isWell = true;
    expect(fragile('a')).to.equal('a');
  });
});

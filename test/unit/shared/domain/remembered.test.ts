import { expect } from 'chai';
import { remembered } from '../../../../shared/domain/remembered.js';

describe('remembered', () => {
  it('asks once for each question, and again for what it has forgotten', () => {
    const asked: string[] = [];
    const lengthOf = remembered(2, (text) => {
      asked.push(text);
      return text.length;
    });
    expect(['a', 'bb', 'a', 'bb'].map(lengthOf)).to.deep.equal([1, 2, 1, 2]);
    expect(asked).to.deep.equal(['a', 'bb']);
    expect(lengthOf('ccc'), 'the third: the others are forgotten').to.equal(3);
    expect(lengthOf('a')).to.equal(1);
    expect(asked).to.deep.equal(['a', 'bb', 'ccc', 'a']);
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

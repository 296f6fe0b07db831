import { expect } from 'chai';

import { badCursor, printCursorText, readCursorText } from '../../../../server/http/cursor-text.js';

describe('cursor text', () => {
  it('is read as the values that were printed', () => {
    const values = [null, 1764390000000, 'b-1', 'J\u00fcrgen \u{1f600} "\\'];
    expect(readCursorText(printCursorText(values), 4)).to.deep.equal(values);
    expect(printCursorText([1764390000000, 'b-1'])).to.equal('M2EzMDAxMmJhZGYwNWE1OFsxNzY0MzkwMDAwMDAwLCJiLTEiXQ');
  });

  it('is none with another number of values, nor without values', () => {
    expect(readCursorText(printCursorText([1, 2]), 3)).to.equal(undefined);
    for (const text of ['', 'x', '%', 'bnVsbA', 'e30', '"[1]"', 'WzFd']) expect(readCursorText(text, 1), text).to.equal(undefined);
  });

  it('is none when it was cut, or when any letter of it was changed', () => {
    const text = printCursorText([1764390000000, 'b-1']);
    for (const [nth, letter] of [...text].entries()) {
      expect(readCursorText(text.slice(0, nth), 2), `cut at ${nth}`).to.equal(undefined);
      for (const other of [letter === 'A' ? 'B' : 'A', String.fromCharCode(letter.charCodeAt(0) ^ 1), `${letter}=`, `${letter}\n`]) {
        expect(readCursorText(text.slice(0, nth) + other + text.slice(nth + 1), 2), `${other} at ${nth}`).to.equal(undefined);
      }
    }
  });

  it('is refused with the field and the list that it has to belong to', () => {
    const refusal = badCursor('a page of this list');
    expect(refusal.code).to.equal('invalid_cursor');
    expect(refusal.message).to.equal('cursor must be the next_cursor of a page of this list: begin again without it');
    expect(refusal.details).to.deep.equal([{ field: 'cursor', message: refusal.message }]);
  });
});

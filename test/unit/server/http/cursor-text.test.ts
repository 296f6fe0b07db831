import { expect } from 'chai';

import { badCursor, printCursorText, readCursorText } from '../../../../server/http/cursor-text.js';

describe('cursor text', () => {
  it('is read as the values that were printed', () => {
    const values = [null, 1764390000000, 'b-1', 'J\u00fcrgen \u{1f600} "\\'];
    expect(readCursorText(printCursorText(values), 4)).to.deep.equal(values);
    expect(printCursorText([1764390000000, 'b-1'])).to.equal('WzE3NjQzOTAwMDAwMDAsImItMSJd');
  });

  it('is none with another number of values, nor without values', () => {
    expect(readCursorText(printCursorText([1, 2]), 3)).to.equal(undefined);
    for (const text of ['', 'x', '%', 'bnVsbA', 'e30', '"[1]"']) expect(readCursorText(text, 1), text).to.equal(undefined);
  });

  it('is refused with the field and the list that it has to belong to', () => {
    const refusal = badCursor('a page of this list');
    expect(refusal.code).to.equal('invalid_cursor');
    expect(refusal.message).to.equal('cursor must be the next_cursor of a page of this list: begin again without it');
    expect(refusal.details).to.deep.equal([{ field: 'cursor', message: refusal.message }]);
  });
});

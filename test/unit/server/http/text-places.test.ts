import { expect } from 'chai';

import { TextPlaces } from '../../../../server/http/text-places.js';

describe('TextPlaces', () => {
  it('counts lines and columns from 1, columns in characters', () => {
    const places = new TextPlaces(Buffer.from('ab\nä🚚c\r\n\nd'));
    // Bytes: a 0, b 1, \n 2, ä 3-4, lorry 5-8, c 9, \r 10, \n 11, \n 12, d 13.
    const expected: readonly (readonly [offset: number, place: string])[] = [
      [0, 'line 1, column 1'],
      [2, 'line 1, column 3'],
      [3, 'line 2, column 1'],
      [5, 'line 2, column 2'],
      [9, 'line 2, column 3'],
      [12, 'line 3, column 1'],
      [13, 'line 4, column 1'],
      [14, 'line 4, column 2'],
    ];
    for (const [offset, place] of expected) expect(places.at(offset), String(offset)).to.equal(place);
    expect(new TextPlaces(Buffer.from('ab\nä🚚c')).at(9)).to.equal('line 2, column 3');
  });

  it('begins where the first byte stands', () => {
    const places = new TextPlaces(Buffer.from('ab\nc'), { line: 7, column: 3 });
    expect([places.at(1), places.at(3)]).to.deep.equal(['line 7, column 4', 'line 8, column 1']);
  });

  it('counts bytes far behind the beginning', () => {
    expect(new TextPlaces(Buffer.alloc(3_000_000, 'x')).at(2_000_000)).to.equal('byte 2000001');
  });
});

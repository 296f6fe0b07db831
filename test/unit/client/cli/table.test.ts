import { expect } from 'chai';

import { printTable } from '../../../../client/cli/table.js';

describe('a table', () => {
  it('has its columns under each other, whatever the values are', () => {
    const rows = [{ id: 'a', state: 'parked', http_status: 503, paused: null }, { id: 'order-1001', state: 'delivered', http_status: null, paused: { key: 'x', until: null, held: { due: 1 }, ids: [] } }, { id: 'b', state: null, http_status: ['a', 1], paused: {} }];
    expect(printTable(rows, { columns: undefined, hasHead: true })).to.equal(
      ['ID          STATE      HTTP_STATUS  PAUSED', 'a           parked     503          -', 'order-1001  delivered  -            key=x held={"due":1} ids=[]', 'b           -          a, 1         -', ''].join('\n'),
    );
  });

  it('shows the group of what has no value', () => {
    expect(printTable([{ groups: { value: null, count: 3 } }, { groups: { value: 'timeout', count: 1 } }], { columns: undefined, hasHead: false })).to.equal('value=- count=3\nvalue=timeout count=1\n');
  });

  it('shows control characters, so that no value moves the cursor of a terminal', () => {
    expect(printTable([{ id: 'a\x1b[2Jb\n\u202ec' }], { columns: undefined, hasHead: false })).to.equal('a\\u{1b}[2Jb\\u{a}\\u{202e}c\n');
  });

  it('is cut at the edge of a terminal, and nowhere else', () => {
    const row = { id: 'x'.repeat(50), state: 'parked' };
    expect(printTable([row], { columns: 40, hasHead: false })).to.equal(`${'x'.repeat(39)}\u2026\n`);
    expect(printTable([row], { columns: undefined, hasHead: false })).to.equal(`${'x'.repeat(50)}  parked\n`);
  });
});

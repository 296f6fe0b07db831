import { expect } from 'chai';

import { readQuery, takesState, valuesOf, withCondition, withoutField } from '../../../../server/admin-page/state/filter-text.js';

describe('the query of the page', () => {
  it('takes what was chosen literally, and leaves what was typed as it was', () => {
    for (const literal of ['x*', 'a,b', 'a"b', String.raw`C:\new`, 'OR', '>5', '1..2', 'a b', '', 'ü😀', '-x', '~']) {
      if (literal === '') continue;
      const q = withCondition('id:typed*', 'client_id', [literal, 'other']);
      expect(valuesOf(q, 'client_id'), q).to.deep.equal([literal, 'other']);
      expect(withoutField(q, 'client_id')).to.equal('id:typed*');
      expect(withCondition(q, 'client_id', ['other'])).to.equal('id:typed* client_id:other');
    }
  });

  it('replaces what it said of a field, and can ask for those without one', () => {
    expect(withCondition('state:parked http_status:5xx', 'http_status', [404])).to.equal('state:parked http_status:404');
    expect(withCondition('state:parked', 'http_status', null)).to.equal('state:parked -http_status:*');
    expect(withCondition('', 'destination_key', ['https://a.example/orders'])).to.equal('destination_key:https://a.example/orders');
  });

  it('says whether tasks of a state can be found', () => {
    expect(['', 'id:x', 'state:parked,delivered', '-state:parked', 'state:parked', '-state:delivered', 'state:delivered -state:delivered'].map((q) => takesState(q, 'delivered'))).to.deep.equal([true, true, true, true, false, false, false]);
  });

  it('says where it is wrong, in characters', () => {
    expect(readQuery('😀 clint:x')).to.deep.include({ position: 2 });
    expect(readQuery('  ')).to.deep.equal({ filter: [] });
  });
});

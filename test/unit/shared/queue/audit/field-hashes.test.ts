import { expect } from 'chai';

import { hashChangedFields } from '../../../../../shared/queue/audit/field-hashes.js';

describe('hashes of changed fields', () => {
  const hashes = (before: Record<string, unknown>, after: Record<string, unknown>, salt = 'salt') => hashChangedFields(before, after, salt);

  it('name the fields that differ, and no others', () => {
    expect(hashes({ a: 1, b: { c: [1] } }, { a: 1, b: { c: [1] } })).to.equal(undefined);
    const { before, after } = hashes({ a: 1, b: 2, gone: 3 }, { a: 1, b: 3, fresh: null }) ?? { before: {}, after: {} };
    expect([Object.keys(before), Object.keys(after)]).to.deep.equal([['b', 'gone'], ['b', 'gone']]);
    expect(after['gone']).to.equal(null);
    expect(before['b']).to.match(/^[0-9a-f]{16}$/).and.not.equal(after['b']);
  });

  it('are equal for equal values of one field, so that a field that was set back can be seen', () => {
    const there = hashes({ rate: 5 }, { rate: 7 });
    const back = hashes({ rate: 7 }, { rate: 5 });
    expect([back?.before, back?.after]).to.deep.equal([there?.after, there?.before]);
  });

  it('do not tell that two fields have one value', () => {
    const { after = {} } = hashes({}, { user: 'krs', password: 'krs' }) ?? {};
    expect(after['user']).to.not.equal(after['password']);
  });

  it('cannot be made without the secret of the deployment', () => {
    expect(hashes({}, { password: '1234' }, 'one')?.after).to.not.deep.equal(hashes({}, { password: '1234' }, 'another')?.after);
  });
});

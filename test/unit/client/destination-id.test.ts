import { expect } from 'chai';
import fc from 'fast-check';

import { destinationId } from '../../../client/destination-id.js';
import { checkFilter, literal } from '../../../client/task-filter.js';

describe('the id of a destination', () => {
  it('is the one that the service gives it', () => {
    expect(destinationId('https://api.example.com/orders')).to.equal('~aHR0cHM6Ly9hcGkuZXhhbXBsZS5jb20vb3JkZXJz');
    fc.assert(fc.property(fc.string({ unit: 'binary', minLength: 1 }).filter((key) => key.isWellFormed() && !key.startsWith('~')), (key) => { expect(destinationId(key)).to.equal(`~${Buffer.from(key).toString('base64url')}`); }));
  });

  it('stays as it is', () => {
    expect(destinationId(destinationId('*'))).to.equal(destinationId('*'));
  });
});

describe('a filter', () => {
  it('takes a text for itself in quotes', () => {
    expect([literal('a,b*'), literal('C:\\new'), literal('a"b')]).to.deep.equal(['"a,b*"', '"C:\\\\new"', '"a\\"b"']);
  });

  it('refuses a member that says nothing, which must not mean everything', () => {
    for (const empty of ['', '  ']) expect(() => checkFilter({ client_id: empty })).to.throw(RangeError, 'client_id is empty');
    expect(() => checkFilter({ state: 'parked', client_id: undefined })).to.throw(RangeError, 'client_id is undefined');
    // Null is an answer of its own: the field has no value.
    expect(() => checkFilter({ state: 'parked', http_status: null })).to.not.throw();
  });
});

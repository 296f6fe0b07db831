import { expect } from 'chai';

import { printError } from '../../../../shared/logging/print-error.js';

describe('printError', () => {
  it('prints the whole chain of causes, by code where there is one', () => {
    const refused = Object.assign(new Error('connect failed'), { code: 'ECONNREFUSED' });
    expect(printError(new TypeError('fetch failed', { cause: refused }))).to.equal('TypeError: fetch failed <- ECONNREFUSED: connect failed');
  });

  it('prints what is no error, at the top and as a cause', () => {
    expect(printError('text')).to.equal('text');
    expect(printError(new Error('a', { cause: 17 }))).to.equal('Error: a <- 17');
  });

  it('comes to an end with a chain that bites its tail', () => {
    const error = new Error('a');
    error.cause = error;
    expect(printError(error).split(' <- ')).to.have.lengthOf(8);
  });
});

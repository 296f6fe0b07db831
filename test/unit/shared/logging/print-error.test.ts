import { expect } from 'chai';

import { printError } from '../../../../shared/logging/print-error.js';

describe('printError', () => {
  it('prints the whole chain of causes, by code where there is one', () => {
    const refused = Object.assign(new Error('connect failed'), { code: 'ECONNREFUSED' });
    expect(printError(new TypeError('fetch failed', { cause: refused }))).to.equal('TypeError: fetch failed <- ECONNREFUSED: connect failed');
  });

  it('prints what is no error, at the top and as a cause', () => {
    expect(printError('text')).to.equal('text (no Error was thrown)');
    expect(printError(new Error('a', { cause: 17 }))).to.equal('Error: a <- 17');
  });

  for (const [thrown, text] of [
    [undefined, 'undefined'],
    [null, 'null'],
    ['', "''"],
    [' \n', "' \\n'"],
    [0, '0'],
    [12n, '12n'],
    [Symbol('s'), 'Symbol(s)'],
    [() => 1, '[Function (anonymous)]'],
    [{ code: 7, inner: { deep: 1 } }, '{ code: 7, inner: [Object] }'],
  ] as const) {
    it(`never prints nothing: ${text}`, () => {
      expect(printError(thrown)).to.equal(`${text} (no Error was thrown)`);
    });
  }

  it('prints an object of any size, or one that bites its tail, in a line of bounded length', () => {
    const tail: Record<string, unknown> = { text: 'x'.repeat(10_000) };
    tail['tail'] = tail;
    expect(printError(tail)).to.have.lengthOf.below(600);
    expect(printError('x'.repeat(10_000))).to.have.lengthOf.below(600);
  });

  it('does not throw for what cannot even be looked at', () => {
    const hostile = new Proxy({}, { getPrototypeOf: () => { throw new Error('no'); } });
    expect(printError(hostile)).to.equal('something was thrown that cannot be printed');
    expect(printError(Object.defineProperty(new Error('a'), 'message', { get: () => { throw new Error('no'); } }))).to.equal('something was thrown that cannot be printed');
  });

  it('comes to an end with a chain that bites its tail', () => {
    const error = new Error('a');
    error.cause = error;
    expect(printError(error).split(' <- ')).to.have.lengthOf(8);
  });
});

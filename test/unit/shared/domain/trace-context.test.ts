import { expect } from 'chai';

import { nameTrace, spanOf, traceContextOf, traceparentOf } from '../../../../shared/domain/trace-context.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';
const VALID = `00-${TRACE}-${SPAN}-01`;

describe('The trace context of a submission', () => {
  const traceparents: readonly (readonly [name: string, value: unknown, isTaken: boolean])[] = [
    ['of version 00', VALID, true],
    ['that is not sampled', `00-${TRACE}-${SPAN}-00`, true],
    ['with flags that mean nothing yet', `00-${TRACE}-${SPAN}-ff`, true],
    ['of a later version', `cc-${TRACE}-${SPAN}-01`, true],
    ['of a later version with more behind it', `cc-${TRACE}-${SPAN}-01-what-the-future-will-be-like`, true],
    ['of a later version that ends with a hyphen', `cc-${TRACE}-${SPAN}-01-`, true],
    ['of a later version with more behind it, without a hyphen', `cc-${TRACE}-${SPAN}-01.what`, false],
    ['of a later version that is endless', `cc-${TRACE}-${SPAN}-01-${'x'.repeat(250)}`, false],
    ['of a later version with a line break in it', `cc-${TRACE}-${SPAN}-01-a\r\nb`, false],
    ['of a later version with a character beyond ASCII', `cc-${TRACE}-${SPAN}-01-\u00e9`, false],
    ['of version ff', `ff-${TRACE}-${SPAN}-01`, false],
    ['of version 00 with more behind it', `${VALID}-extra`, false],
    ['of version 00 that ends with a hyphen', `${VALID}-`, false],
    ['of 54 characters', VALID.slice(0, 54), false],
    ['that stands there twice', `${VALID}, ${VALID}`, false],
    ['with a line break behind it', `${VALID}\n`, false],
    ['with a space before it', ` ${VALID}`, false],
    ['with a trace id of zeros', `00-${'0'.repeat(32)}-${SPAN}-01`, false],
    ['with a span id of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`, false],
    ['in upper case', VALID.toUpperCase(), false],
    ['with a digit that is none', `00-${TRACE.replace('4', 'g')}-${SPAN}-01`, false],
    ['with a version that is no hex', `0x-${TRACE}-${SPAN}-01`, false],
    ['with underscores', VALID.replaceAll('-', '_'), false],
    ['that is empty', '', false],
    ['that is missing', undefined, false],
    ['that is a list', [VALID], false],
    ['that is a number', 42, false],
  ];
  for (const [name, value, isTaken] of traceparents) {
    it(`${isTaken ? 'takes' : 'drops'} a traceparent ${name}`, () => {
      expect(traceContextOf(value, 'a=1')).to.deep.equal(isTaken ? { traceparent: value, tracestate: 'a=1' } : undefined);
    });
  }

  const many = (count: number): string => Array.from({ length: count }, (_none, index) => `k${index}=v`).join(',');
  const tracestates: readonly (readonly [name: string, value: unknown, isTaken: boolean])[] = [
    ['of one member', 'congo=t61rcWkgMzE', true],
    ['of several, with spaces and tabs between them', 'rojo=00f067aa0ba902b7 ,\tcongo=t61rcWkgMzE', true],
    ['of a tenant', 'fw529a3039@dt=FfmSeh;a:1', true],
    ['whose key begins with a digit', '1a-_*/=x', true],
    ['with a space inside a value', 'a=b c', true],
    ['with an empty member', 'a=1,,b=2', true],
    ['of 32 members', many(32), true],
    ['of 33 members', many(33), false],
    ['of 512 characters', `a=${'x'.repeat(254)},b=${'y'.repeat(253)}`, true],
    ['of more than 512 characters', `a=${'x'.repeat(254)},b=${'y'.repeat(254)}`, false],
    ['of 4 kB', many(32).padEnd(4_096, ','), false],
    ['with a value of more than 256 characters', `a=${'x'.repeat(257)}`, false],
    ['with a line break by folding', 'a=1,\r\n b=2', false],
    ['with a key in upper case', 'Congo=1', false],
    ['without a value', 'congo', false],
    ['with an empty value', 'congo=', false],
    ['with an equals sign in a value', 'a=b=c', false],
    ['with a character beyond ASCII', 'a=\u00e9', false],
    ['with an escape character', 'a=\u001b[31m', false],
    ['of commas alone', ', ,', false],
    ['that is empty', '', false],
    ['that is missing', undefined, false],
    ['that is a list', ['a=1'], false],
  ];
  for (const [name, value, isTaken] of tracestates) {
    it(`${isTaken ? 'takes' : 'drops'} a tracestate ${name}, and keeps the traceparent`, () => {
      expect(traceContextOf(VALID, value)).to.deep.equal({ traceparent: VALID, tracestate: isTaken ? value : undefined });
    });
  }

  it('tells the parts of a traceparent, also of a later version, and writes them again', () => {
    expect(spanOf({ traceparent: `cc-${TRACE}-${SPAN}-03-later` })).to.deep.equal({ traceId: TRACE, spanId: SPAN, isSampled: true });
    expect(spanOf({ traceparent: `00-${TRACE}-${SPAN}-02` }).isSampled).to.equal(false);
    expect(traceparentOf({ traceId: TRACE, spanId: SPAN, isSampled: true })).to.equal(VALID);
    expect(traceparentOf({ traceId: TRACE, spanId: SPAN, isSampled: false })).to.equal(`00-${TRACE}-${SPAN}-00`);
  });

  it('sees a trace among headers in any letter case', () => {
    expect(nameTrace(['x-a', 'TraceParent'])).to.equal(true);
    expect(nameTrace(['TRACESTATE'])).to.equal(true);
    expect(nameTrace(['x-traceparent', 'traceparent-id'])).to.equal(false);
  });
});

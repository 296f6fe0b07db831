import { expect } from 'chai';
import fc from 'fast-check';

import { RequestError } from '../../../../../shared/domain/errors.js';
import type { Bound, Condition, FilterValue } from '../../../../../shared/domain/search/condition.js';
import { filterFields, type FilterField } from '../../../../../shared/domain/search/filter-fields.js';
import { fixTimes, parseFilterMember, parseFilterMembers, parseQuery, printFilter, type Filter } from '../../../../../shared/domain/search/filter.js';

const text = (of: string): FilterValue => ({ kind: 'text', text: of });
const prefix = (of: string): FilterValue => ({ kind: 'prefix', text: of });
const bound = (at: number, changes: Partial<Bound> = {}): Bound => ({ at, isRelative: false, isOpen: false, ...changes });
const exactly = (at: number): FilterValue => ({ kind: 'range', min: bound(at), max: bound(at) });
const exists: FilterValue = { kind: 'exists' };
const condition = (field: FilterField, ...values: FilterValue[]): Condition => ({ field, isNegated: false, values });
const not = (each: Condition): Condition => ({ ...each, isNegated: true });
const onMessage = (path: readonly string[], ...values: FilterValue[]): Condition => ({ ...condition('data', ...values), path });

/** What a refusal says: its position, and its message. */
function refusal(work: () => unknown): { readonly field: string; readonly position: number | undefined; readonly message: string } {
  try {
    work();
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    expect(error.code).to.equal('invalid_query');
    const [detail, ...others] = error.details ?? [];
    expect(others).to.deep.equal([]);
    return { field: detail?.field ?? '', position: detail?.position, message: detail?.message ?? '' };
  }
  throw new Error('it was not refused');
}

describe('a query', () => {
  const NOON = Date.parse('2026-11-28T12:00:00Z');
  const DAY = Date.parse('2026-11-28T00:00:00Z');
  const cases: readonly (readonly [string, Filter])[] = [
    ['order-12', [condition('id', prefix('order-12'))]],
    ['order-12*', [condition('id', prefix('order-12'))]],
    ['"a:b c"', [condition('id', prefix('a:b c'))]],
    ['"a:b"*', [condition('id', prefix('a:b'))]],
    ['a"b', [condition('id', prefix('a"b'))]],
    ['id:order-12', [condition('id', text('order-12'))]],
    ['id:a,b,"c,d"', [condition('id', text('a'), text('b'), text('c,d'))]],
    ['client_id:"a,b"', [condition('client_id', text('a,b'))]],
    ['client_id:a,b', [condition('client_id', text('a'), text('b'))]],
    ['client_id:"x*"', [condition('client_id', text('x*'))]],
    ['client_id:x*', [condition('client_id', prefix('x'))]],
    ['client_id:"x y"*', [condition('client_id', prefix('x y'))]],
    ['client_id:"say \\"hi\\" \\\\ \\n"', [condition('client_id', text('say "hi" \\ \\n'))]],
    ['client_id:C:\\new', [condition('client_id', text('C:\\new'))]],
    ['client_id:a"b', [condition('client_id', text('a"b'))]],
    ['client_id:"OR" source:"(x)"', [condition('client_id', text('OR')), condition('source', text('(x)'))]],
    ['  state:parked,waiting\t-client_id:acme ', [condition('state', text('parked'), text('waiting')), not(condition('client_id', text('acme')))]],
    ['-http_status:*', [not(condition('http_status', exists))]],
    ['id:*', [condition('id', exists)]],
    ['client_id:a client_id:b', [condition('client_id', text('a')), condition('client_id', text('b'))]],
    ['destination:https://a.example/x?y=1', [condition('destination_key', text('https://a.example/x?y=1'))]],
    ['http_status:404,5xx', [condition('http_status', exactly(404), { kind: 'range', min: bound(500), max: bound(599) })]],
    ['http_status:400..499', [condition('http_status', { kind: 'range', min: bound(400), max: bound(499) })]],
    ['http_status:"404"', [condition('http_status', exactly(404))]],
    ['attempts:>=3', [condition('attempts', { kind: 'range', min: bound(3) })]],
    ['attempts:<3', [condition('attempts', { kind: 'range', max: bound(3, { isOpen: true }) })]],
    ['created_at:>-1h', [condition('created_at', { kind: 'range', min: bound(-3_600_000, { isRelative: true, isOpen: true }) })]],
    ['next_attempt_at:<+10m', [condition('next_attempt_at', { kind: 'range', max: bound(600_000, { isRelative: true, isOpen: true }) })]],
    ['created_at:>=2026-11-28T13:00:00+01:00', [condition('created_at', { kind: 'range', min: bound(NOON) })]],
    ['created_at:2026-11-28..2026-11-28', [condition('created_at', exactly(DAY))]],
    ['created_at:2026-11-28T12:00:00.000Z..+1.5h', [condition('created_at', { kind: 'range', min: bound(NOON), max: bound(5_400_000, { isRelative: true }) })]],
    ['data.items.0.sku:A-1', [onMessage(['items', '0', 'sku'], text('A-1'))]],
    ['data."a.b".c:1001', [onMessage(['a.b', 'c'], text('1001'))]],
    ['data."a:\\"b"."":"x y"*', [onMessage(['a:"b', ''], prefix('x y'))]],
    ['-data.a:*', [not(onMessage(['a'], exists))]],
  ];
  for (const [q, filter] of cases) it(`reads ${q}`, () => expect(parseQuery(q)).to.deep.equal(filter));

  const refusals: readonly (readonly [string, number, RegExp])[] = [
    ['', 0, /must not be empty/],
    ['  ', 0, /must not be empty/],
    ['state:parked foo:bar', 13, /"foo" is no field.*quotes/],
    ['client:acme', 0, /did you mean client_id\?/],
    ['status:parked', 0, /did you mean state\?/],
    ['client_id:', 10, /a value is missing.*-client_id:\*/],
    ['client_id: acme', 10, /%2B/],
    ['client_id:a,,b', 12, /a value is missing/],
    ['client_id:a,', 12, /a value is missing/],
    ['client_id:""', 10, /must not be empty/],
    ['client_id:""*', 10, /must not be empty/],
    ['""', 0, /must not be empty/],
    ['client_id:"abc\\"', 10, /never closed/],
    ['"abc', 0, /never closed/],
    ['client_id:"a"b', 13, /comma, a space, or the end/],
    ['"a"b', 3, /a space, or the end/],
    ['client_id:a*b', 11, /at the end of a value/],
    ['client_id:x**', 11, /at the end of a value/],
    ['a*b', 1, /at the end of a word/],
    ['*', 0, /id:\*/],
    ['client_id:*,a', 10, /nothing can stand beside/],
    ['error_code:time*', 11, /takes no \*/],
    ['state:par*', 6, /takes no \*/],
    ['state:xyz', 6, /one of waiting, scheduled[^:]*$/],
    ['state:done', 6, /one of waiting, scheduled.*: did you mean delivered\?$/],
    ['state:dead', 6, /did you mean dead_lettered\?$/],
    ['state:deadlettered', 6, /did you mean dead_lettered\?$/],
    ['state:failed', 6, /did you mean dead_lettered or parked\?$/],
    ['state:canceled', 6, /did you mean cancelled\?$/],
    ['client_id:>a', 10, /no ranges/],
    ['client_id:a..b', 11, /no ranges/],
    ['a OR b', 2, /quotes around OR/],
    ['client_id:NOT', 10, /quotes around NOT/],
    ['(a)', 0, /kept for later/],
    ['client_id:f(x)', 11, /kept for later/],
    ['a,b', 1, /quotes around a word that has a comma/],
    ['-abc', 0, /-id:/],
    ['-', 1, /missing/],
    [':x', 0, /"" is no field/],
    ['data:x', 0, /needs a path/],
    ['data.:x', 5, /key is missing/],
    ['data.a..b:x', 7, /key is missing/],
    ['data.a', 6, /colon and a value/],
    ['data.n:>5', 7, /no ranges/],
    ['http_status:abc', 12, /whole number/],
    ['http_status:4x', 12, /whole number/],
    ['attempts:5xx', 9, /whole number/],
    ['attempts:-1', 9, /whole number/],
    ['attempts:>', 10, /needs a value/],
    ['attempts:5..3', 9, /ends before it begins/],
    ['attempts:5..', 12, /needs a value/],
    ['created_at:1h', 11, /needs a sign: -1h/],
    ['created_at:>2026-11-28T12:00:00', 12, /needs a zone: write 2026-11-28T12:00:00Z/],
    ['created_at:>2026-11-28T12:00:00 02:00', 12, /needs a zone.*%2B/],
    ['created_at:2026-02-30', 11, /must be a time/],
    ['created_at:yesterday', 11, /must be a time/],
    ['created_at:>-999999d', 12, /hundred years/],
    ['next_attempt_at:< 10m', 17, /%2B/],
    ['🚚🚚 x:y', 3, /no field/],
    [`id:${'a,'.repeat(50)}a`, 103, /at most 50 values/],
    [Array.from({ length: 21 }, (_, nth) => `a${nth}`).join(' '), 70, /at most 20 terms/],
    ['x'.repeat(2_001), 0, /2000 characters/],
    ['client_id:\ud800', 0, /well-formed/],
  ];
  for (const [q, position, message] of refusals) {
    it(`refuses ${JSON.stringify(q.slice(0, 60))}, and says where and why`, () => {
      const refused = refusal(() => parseQuery(q));
      expect(refused.message).to.match(message);
      expect(refused).to.include({ field: 'q', position });
    });
  }

  it('may have 20 terms, 50 values and 2,000 characters of any kind', () => {
    expect(parseQuery(Array.from({ length: 20 }, (_, nth) => `a${nth}`).join(' '))).to.have.lengthOf(20);
    expect(parseQuery(`id:${Array.from({ length: 50 }, (_, nth) => nth).join(',')}`)[0]?.values).to.have.lengthOf(50);
    expect(parseQuery('🚚'.repeat(2_000))).to.deep.equal([condition('id', prefix('🚚'.repeat(2_000)))]);
  });

  it('may have 20 conditions and 16,384 characters in all its members together', () => {
    const members = (count: number): [string, unknown][] => Array.from({ length: count }, (_, nth) => [`data.a${nth}`, 'x']);
    expect(parseFilterMembers([...members(19), ['q', 'b']])).to.have.lengthOf(20);
    for (const tooMany of [members(21), [...members(19), ['q', 'b c']], [['q', 'b c'], ...members(19)]] satisfies [string, unknown][][]) {
      expect(refusal(() => parseFilterMembers(tooMany, (name) => `filter.${name}`))).to.deep.include({ field: `filter.${tooMany.at(-1)?.[0]}`, position: 0 }).and.have.property('message').that.matches(/at most 20 conditions/);
    }
    const ids = Array.from({ length: 50 }, (_, nth) => String(nth).padStart(255, 'x'));
    const rest = '🚚'.repeat(16_384 - 'id'.length - 50 * 255 - 2 * 'source'.length - 1_900);
    expect(parseFilterMembers([['id', ids], ['source', '🚚'.repeat(1_900)], ['source', rest]])).to.have.lengthOf(3);
    expect(refusal(() => parseFilterMembers([['id', ids], ['source', '🚚'.repeat(1_900)], ['source', `${rest}x`]]))).to.deep.include({ field: 'source', position: 0 }).and.have.property('message').that.matches(/16384 characters/);
  });

  it('is refused or read, and never anything else, whatever its text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (q) => {
        try {
          expect(parseQuery(q)).to.not.deep.equal([]);
        } catch (error) {
          expect(error).to.be.instanceOf(RequestError);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('a member of a filter', () => {
  it('is read like a value of a query', () => {
    expect(parseFilterMember('client_id', '"a,b",c*')).to.deep.equal([condition('client_id', text('a,b'), prefix('c'))]);
    expect(parseFilterMember('data."a.b".c', '1001')).to.deep.equal([onMessage(['a.b', 'c'], text('1001'))]);
    expect(parseFilterMember('destination', 'https://a.example/')).to.deep.equal([condition('destination_key', text('https://a.example/'))]);
    expect(parseFilterMember('q', 'state:parked x')).to.deep.equal([condition('state', text('parked')), condition('id', prefix('x'))]);
  });

  it('may be an array of texts, in which no character has a meaning', () => {
    const texts = ['a,b', 'x*', '"q"', '>1', 'a..b', '\\*', 'OR', ' ', '*'];
    expect(parseFilterMember('client_id', texts)).to.deep.equal([condition('client_id', ...texts.map(text))]);
    expect(parseFilterMember('http_status', ['404'])).to.deep.equal([condition('http_status', exactly(404))]);
  });

  it('that is null finds tasks without a value', () => {
    expect(parseFilterMember('http_status', null)).to.deep.equal([not(condition('http_status', exists))]);
  });

  const refusals: readonly (readonly [string, unknown, string, number, RegExp])[] = [
    ['client_id', '', 'client_id', 0, /a value is missing/],
    ['client_id', [], 'client_id', 0, /must not be empty/],
    ['client_id', ['a', ''], 'client_id[1]', 0, /must not be empty/],
    ['client_id', [1], 'client_id[0]', 0, /must be a text/],
    ['client_id', {}, 'client_id', 0, /a text, an array of texts, or null/],
    ['client_id', 7, 'client_id', 0, /a text, an array of texts, or null/],
    ['client_id', Array.from({ length: 51 }, () => 'a'), 'client_id', 0, /more than 50/],
    ['client_id', 'a b', 'client_id', 1, /%2B/],
    ['created_at', '>2026-11-28T12:00:00 02:00', 'created_at', 1, /needs a zone.*%2B/],
    ['http_status', ['5xx'], 'http_status[0]', 0, /whole number/],
    ['state', ['done'], 'state[0]', 0, /one of/],
    ['clientid', 'a', 'clientid', 0, /did you mean client_id/],
    ['status', 'parked', 'status', 0, /did you mean state\?/],
    ['data', 'a', 'data', 0, /no field/],
    ['data.', 'a', 'data.', 1, /key is missing/],
    ['data.a:b', 'a', 'data.a:b', 2, /quotes/],
    ['q', '', 'q', 0, /must not be empty/],
    ['q', null, 'q', 0, /must be a text/],
  ];
  for (const [name, value, field, position, message] of refusals) {
    it(`refuses ${name} with ${JSON.stringify(value).slice(0, 40)}`, () => {
      const refused = refusal(() => parseFilterMember(name, value));
      expect(refused.message).to.match(message);
      expect(refused).to.include({ field, position });
    });
  }

  it('is named in errors as its caller says', () => {
    expect(refusal(() => parseFilterMember('client_id', '', 'filter.client_id')).field).to.equal('filter.client_id');
  });
});

describe('a filter', () => {
  const anyText = fc.oneof(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }), fc.constantFrom('a,b', 'x*', 'C:\\new', 'a"b', '\\', '\\*', 'OR', '>1', 'a..b', '-a', '*', '(', 'data.x', ' a ')).filter((each) => each.isWellFormed());
  const texts = (isPrefixable: boolean) => fc.array(fc.oneof(anyText.map(text), ...(isPrefixable ? [anyText.map(prefix)] : [])), { minLength: 1, maxLength: 4 });
  const numbers = (isRelative: fc.Arbitrary<boolean>, at: fc.Arbitrary<number>): fc.Arbitrary<FilterValue> => {
    const single = fc.tuple(at, isRelative).map(([each, relative]) => bound(each, { isRelative: relative }));
    const open = fc.tuple(single, fc.boolean()).map(([each, isOpen]) => ({ ...each, isOpen }));
    return fc.oneof(
      open.map((min) => ({ kind: 'range', min }) as const),
      open.map((max) => ({ kind: 'range', max }) as const),
      fc.tuple(single, single).map(([a, b]) => ({ kind: 'range', min: a.isRelative === b.isRelative && a.at > b.at ? b : a, max: a.isRelative === b.isRelative && a.at > b.at ? a : b }) as const),
    );
  };
  const valuesOf = (field: FilterField): fc.Arbitrary<readonly FilterValue[]> => {
    const rule = filterFields[field];
    switch (rule.kind) {
      case 'text':
        return texts(rule.isPrefixable);
      case 'choice':
        return fc.array(fc.constantFrom(...rule.choices).map(text), { minLength: 1, maxLength: 3 });
      case 'number':
        return fc.array(numbers(fc.constant(false), fc.integer({ min: 0, max: 999_999_999 })), { minLength: 1, maxLength: 3 });
      case 'time':
        return fc.array(
          fc.oneof(numbers(fc.constant(false), fc.integer({ min: 0, max: 4_000_000_000_000 })), numbers(fc.constant(true), fc.integer({ min: -3_000_000_000, max: 3_000_000_000 }))),
          { minLength: 1, maxLength: 3 },
        );
    }
  };
  const anyCondition: fc.Arbitrary<Condition> = fc
    .constantFrom(...(Object.keys(filterFields) as FilterField[]))
    .chain((field) =>
      fc.record({
        field: fc.constant(field),
        isNegated: fc.boolean(),
        values: fc.oneof({ weight: 5, arbitrary: valuesOf(field) }, { weight: 1, arbitrary: fc.constant([exists]) }),
        ...(field === 'data' ? { path: fc.array(fc.oneof(anyText, fc.constant('')), { minLength: 1, maxLength: 3 }) } : {}),
      }),
    );

  it('is the same after it was printed and read', () => {
    fc.assert(fc.property(fc.array(anyCondition, { minLength: 1, maxLength: 5 }), (filter) => { expect(parseQuery(printFilter(filter))).to.deep.equal(filter); }), { numRuns: 1_000 });
  });

  it('keeps its relative times until they are fixed', () => {
    const filter = parseQuery('created_at:>-1h finished_at:2026-11-28');
    const at = Date.parse('2026-11-29T00:00:00Z');
    expect(printFilter(filter)).to.equal('created_at:>-1h finished_at:2026-11-28T00:00:00.000Z');
    expect(printFilter(fixTimes(filter, at))).to.equal('created_at:>2026-11-28T23:00:00.000Z finished_at:2026-11-28T00:00:00.000Z');
    expect(fixTimes(fixTimes(filter, at), at + 1)).to.deep.equal(fixTimes(filter, at));
  });
});

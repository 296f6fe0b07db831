import { expect } from 'chai';

import { defaultPathMask } from '../../../../../shared/domain/destinations/path-mask.js';
import { parseFilterMembers } from '../../../../../shared/domain/search/filter.js';
import { compileFilter } from '../../../../../shared/queue/search/compile-filter.js';

function planOf(members: Readonly<Record<string, unknown>>): { readonly needles: readonly string[][]; readonly messageHints: readonly string[][] } {
  const { forScript } = compileFilter(parseFilterMembers(Object.entries(members)), { defaultBrokers: new Set(), mask: defaultPathMask });
  // The script reads it, and this test reads two members of it.
  return JSON.parse(forScript) as ReturnType<typeof planOf>;
}

describe('a filter for the scripts', () => {
  it('gives hints on messages of at most 64 characters', () => {
    expect(planOf({ 'data.a': [`${'a'.repeat(100)}b`, 'c'] }).messageHints).to.deep.equal([['a'.repeat(64), 'c']]);
  });

  it('has Redis look for few texts in the search fields of a task, and first for the groups that are small', () => {
    const many = (name: string): string[] => Array.from({ length: 50 }, (_, nth) => `${name}${nth}`);
    const names = ['source', 'client_id', 'flow_key'];
    const { needles } = planOf({ q: names.map((name) => `${name}:${many('a').join(',')} ${name}:${many('b').join(',')}`).join(' '), source: 'one' });
    expect(needles.map(({ length }) => length)).to.deep.equal([1, 50]);
    expect(needles[0]).to.deep.equal(['one']);
  });

  it('has Redis look for 50 urls, which are few', () => {
    expect(planOf({ destination_key: Array.from({ length: 50 }, (_, nth) => `https://a.example/${nth}`) }).needles.map(({ length }) => length)).to.deep.equal([100]);
  });
});

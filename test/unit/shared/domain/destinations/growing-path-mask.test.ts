import { expect } from 'chai';

import { rowOf } from '../../../../../shared/domain/destinations/destination.js';
import { hiddenName } from '../../../../../shared/domain/destinations/http.js';
import { createPathMask } from '../../../../../shared/domain/destinations/path-mask.js';
import { canonicalName } from '../../../../../shared/domain/flow/flow-key.js';
import { GrowingPathMask } from '../../../../../shared/domain/destinations/growing-path-mask.js';

const HIDDEN = /^\/\*[0-9a-f]{32}$/;

describe('GrowingPathMask', () => {
  const flowOf = (growing: GrowingPathMask, url: string): string => rowOf('http').flow({ type: 'http', url }, new Set(), growing.mask).endpoint;

  it('hides what its own process lists, and what others list as long as they do', () => {
    const growing = new GrowingPathMask(['own.example']);
    const { mask } = growing;
    expect([mask('own.example', '/a'), mask('theirs.example', '/a')].map((shown) => HIDDEN.test(shown))).to.deep.equal([true, false]);
    expect(growing.use(['theirs.example', 'own.example'])).to.equal(true);
    expect(mask('theirs.example', '/a')).to.match(HIDDEN);
    expect(growing.use([]), 'nobody lists it any more').to.equal(true);
    expect([mask('own.example', '/a'), mask('theirs.example', '/a')].map((shown) => HIDDEN.test(shown))).to.deep.equal([true, false]);
  });

  it('tells a change from a list in another order, or with a host twice', () => {
    const growing = new GrowingPathMask(['a.example']);
    expect(growing.use(['a.example'])).to.equal(false);
    expect(growing.use(['c.example', 'b.example'])).to.equal(true);
    expect(growing.use(['b.example', 'a.example', 'c.example', 'b.example'])).to.equal(false);
    expect(growing.use(['*'])).to.equal(true);
    expect(growing.mask('d.example', '/a')).to.match(HIDDEN);
  });

  it('names flows anew that were named before', () => {
    const growing = new GrowingPathMask([]);
    expect(flowOf(growing, 'https://grows.example/a')).to.equal('https://grows.example/a');
    growing.use(['grows.example']);
    expect(flowOf(growing, 'https://grows.example/a')).to.match(/^https:\/\/grows\.example\/\*[0-9a-f]{32}$/);
  });
});

describe('hiddenName', () => {
  const mask = createPathMask(['hides.example', '[::1]']);
  const hash = (path: string): string => mask('hides.example', path);
  const names: readonly (readonly [stored: string, shown: string])[] = [
    ['https://hides.example/T1/x', `https://hides.example${hash('/T1/x')}`],
    ['http://hides.example:8080/T1', `http://hides.example:8080${hash('/T1')}`],
    ['http://[::1]:8080/T1', `http://[::1]:8080${hash('/T1')}`],
    [`https://hides.example${hash('/T1/x')}`, `https://hides.example${hash('/T1/x')}`],
    ['https://hides.example/', 'https://hides.example/'],
    ['https://hides.example', 'https://hides.example'],
    ['https://shows.example/T1', 'https://shows.example/T1'],
    ['https://shows.example/a1b2c3d4e5f6g7h8i9j0', 'https://shows.example/*10ee68888777ddca9eee1b40378c22d1'],
    ['kafka://default/orders', 'kafka://default/orders'],
    ['tenant-7', 'tenant-7'],
    ['*', '*'],
  ];
  for (const [stored, shown] of names) it(`writes ${stored} as ${shown}, as canonicalName does`, () => { expect([hiddenName(stored, mask), canonicalName(stored, undefined, mask)]).to.deep.equal([shown, shown]); });
});

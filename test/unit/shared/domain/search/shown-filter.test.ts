import { expect } from 'chai';

import { defaultPathMask } from '../../../../../shared/domain/destinations/path-mask.js';
import { shownFilter } from '../../../../../shared/domain/search/shown-filter.js';

const mask = defaultPathMask;

describe('shownFilter', () => {
  const filters: readonly (readonly [asked: object, withoutMessages: object])[] = [
    [{ 'data.order.id': '1001' }, { 'data.order.id': '"***"' }],
    [{ 'data.order.id': ['1001', '1*'] }, { 'data.order.id': ['***', '***'] }],
    [{ 'data.order.id': null }, { 'data.order.id': null }],
    [{ q: 'data.order.id:1001,1002* state:parked' }, { q: 'data.order.id:"***","***" state:parked' }],
    [{ q: '-data."a.b".c:"secret word" acme' }, { q: '-data."a.b".c:"***" id:acme*' }],
    [{ q: 'data.order.id:* state:parked' }, { q: 'data.order.id:* state:parked' }],
    [{ client_id: 'acme', state: ['parked'] }, { client_id: 'acme', state: ['parked'] }],
  ];
  for (const [asked, withoutMessages] of filters) {
    it(`shows ${JSON.stringify(asked)} as it came, and as ${JSON.stringify(withoutMessages)} to a reader who may not see messages`, () => {
      expect(shownFilter({ ...asked }, { mask, showsMessages: true })).to.deep.equal(asked);
      expect(shownFilter({ ...asked }, { mask, showsMessages: false })).to.deep.equal(withoutMessages);
    });
  }

  it('hides the secrets of urls from everybody', () => {
    for (const showsMessages of [true, false]) {
      expect(shownFilter({ destination_key: 'https://user:password@a/x?token=1', q: 'destination_key:"https://user:password@a/x" state:parked' }, { mask, showsMessages })).to.deep.equal({ destination_key: 'https://a/x', q: 'destination_key:https://a/x state:parked' });
    }
  });
});

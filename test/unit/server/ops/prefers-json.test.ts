import { expect } from 'chai';

import { prefersJson } from '../../../../server/ops/prefers-json.js';

describe('prefersJson', () => {
  const table: readonly (readonly [accept: string | undefined, isJson: boolean])[] = [
    [undefined, false],
    ['', false],
    ['*/*', false],
    ['application/json', true],
    ['Application/JSON; charset=utf-8', true],
    ['application/json, text/plain, */*', false],
    ['application/json, */*;q=0.5', true],
    ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', false],
    ['text/html;q=0.5, application/json;q=0.9', true],
    ['application/json;q=0', false],
    ['application/*', true],
    ['text/*', false],
  ];
  for (const [accept, isJson] of table) {
    it(`gives ${isJson ? 'JSON' : 'the page'} for ${JSON.stringify(accept)}`, () => {
      expect(prefersJson(accept)).to.equal(isJson);
    });
  }
});

import { expect } from 'chai';

import { callMeantBy, otherWords } from '../../../../server/http/other-words.js';
import { routeTable } from '../../../../server/route-table.js';

describe('callMeantBy', () => {
  const table: readonly (readonly [method: string, path: string, meant: string | undefined])[] = [
    ['POST', '/tasks/a/cancel', 'DELETE /tasks/a'],
    ['DELETE', '/tasks/a/Delete', 'DELETE /tasks/a'],
    ['POST', '/tasks/$&/redrive', 'POST /tasks/$&/retry'],
    ['PUT', '/tasks/a/resume/', 'POST /tasks/a/retry'],
    ['POST', '/tasks/a/b/cancel', 'DELETE /tasks/a%2Fb'],
    ['PUT', '/destinations/k/limit', 'PUT /destinations/k'],
    ['POST', '/destinations/k/unpause', 'POST /destinations/k/resume'],
    ['POST', '/bulk-actions/b/stop', 'POST /bulk-actions/b/cancel'],
    ['POST', '/keys/k/revoke', 'DELETE /keys/k'],
    ['GET', '/tasks/a/cancel', undefined],
    ['POST', '/tasks/cancel', undefined],
    ['POST', '/tasks/a/pause', undefined],
    ['POST', '/others/a/cancel', undefined],
    ['POST', '/', undefined],
  ];
  for (const [method, path, meant] of table) {
    it(`says ${meant ?? 'nothing'} for ${method} ${path}`, () => expect(callMeantBy(method, path)).to.equal(meant));
  }

  it('names calls that there are, for paths that there are not', () => {
    const rows = routeTable.map(({ method, path }) => `${method} ${path}`);
    expect(otherWords.map(({ meant }) => meant).filter((meant) => !rows.includes(meant))).to.deep.equal([]);
    const paths = new Set<string>(routeTable.map(({ path }) => path));
    expect(otherWords.flatMap(({ path, words }) => words.map((word) => `${path}/${word}`)).filter((path) => paths.has(path))).to.deep.equal([]);
  });
});

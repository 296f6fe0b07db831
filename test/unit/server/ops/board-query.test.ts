import { expect } from 'chai';

import { boardListQuery } from '../../../../server/ops/board-query.js';
import { RequestError } from '../../../../shared/domain/errors.js';

describe('boardListQuery', () => {
  const taken: readonly (readonly [asked: string, given: string])[] = [
    ['', ''],
    ['activeQueue=deliver-0&status=failed&page=1&jobsPerPage=10', 'activeQueue=deliver-0&status=failed&page=1&jobsPerPage=10'],
    ['jobsPerPage=1000000', 'jobsPerPage=50'],
    ['jobsPerPage=99999999999999999999999999', 'jobsPerPage=50'],
    ['page=99999999999999999999999999', 'page=1000000'],
    ['status=latest', 'status=latest'],
    ['status=&page=', ''],
    ['unknown=1&page=2', 'page=2'],
  ];
  for (const [asked, given] of taken) {
    it(`makes "${given}" of "${asked}"`, () => {
      expect(boardListQuery(asked)).to.equal(given);
    });
  }

  const refused = ['page=0', 'page=-1', 'page=1.5', 'page=1e3', 'page=x', 'page=1&page=2', 'jobsPerPage=0', 'jobsPerPage=-5', 'jobsPerPage=all', 'status=paused', 'status=toString', 'status[]=failed&status=x', 'status=a&status=b', 'activeQueue=%25zz', 'activeQueue=a&activeQueue=b'];
  for (const asked of refused) {
    it(`refuses "${asked}"`, () => {
      expect(() => boardListQuery(asked)).to.throw(RequestError).with.property('code', 'invalid_request');
    });
  }
});

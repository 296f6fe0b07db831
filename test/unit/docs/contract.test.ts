import { expect } from 'chai';

import { answerViolations } from '../../support/contract.js';

/** The check that `call` of test/support/tasks.ts makes of every answer: what it lets pass, and what it does not. */
describe('the comparison of an answer with docs/openapi.yaml', () => {
  const accepted = { message: 'stored', id: 'a', state: 'scheduled', run: 1, next_attempt_at: '2026-11-23T12:00:01.000Z', is_duplicate: false };
  const unavailable = { error: 'redis connection failed', code: 'redis_unavailable', request_id: 'r-1' };
  const batch = { counts: { total: 0, created: 0, already_scheduled: 0, refused: 0, failed: 0 }, results: [] };

  it('finds nothing in answers that are as it says', () => {
    expect(answerViolations({ method: 'POST', path: '/tasks', status: 201, body: accepted })).to.deep.equal([]);
    expect(answerViolations({ method: 'GET', path: '/tasks/a%2Fb?include=message_data', status: 503, body: unavailable })).to.deep.equal([]);
    expect(answerViolations({ method: 'POST', path: '/tasks/batch', status: 503, body: { ...unavailable, ...batch } })).to.deep.equal([]);
  });

  it('takes a code that it does not know, but no unknown state', () => {
    expect(answerViolations({ method: 'POST', path: '/tasks', status: 409, body: { error: 'x', code: 'a_later_code', request_id: 'r-1' } })).to.deep.equal([]);
    expect(answerViolations({ method: 'POST', path: '/tasks', status: 201, body: { ...accepted, state: 'lost' } })).to.have.lengthOf(1);
  });

  it('finds a field that is missing, wrong, or not named', () => {
    const { run: _run, ...withoutRun } = accepted;
    expect(answerViolations({ method: 'POST', path: '/tasks', status: 201, body: withoutRun })).to.have.lengthOf(1);
    expect(answerViolations({ method: 'POST', path: '/tasks', status: 201, body: { ...accepted, next_attempt_at: 'soon' } })).to.have.lengthOf(1);
    expect(answerViolations({ method: 'POST', path: '/tasks', status: 201, body: { ...accepted, extra: 1 } })).to.have.lengthOf(1);
    expect(answerViolations({ method: 'POST', path: '/tasks/batch', status: 503, body: { ...unavailable, ...batch, extra: 1 } })).to.have.lengthOf(1);
  });

  it('finds a status that is not named', () => {
    expect(answerViolations({ method: 'POST', path: '/tasks', status: 202, body: accepted })).to.deep.equal(['no answer 202']);
  });

  it('says nothing of what is no operation', () => {
    expect(answerViolations({ method: 'PUT', path: '/tasks', status: 405, body: {} })).to.deep.equal([]);
    expect(answerViolations({ method: 'GET', path: '/nothing', status: 404, body: {} })).to.deep.equal([]);
  });
});

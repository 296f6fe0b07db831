import { expect } from 'chai';

import { AnswerHead } from '../../../../workers/adapters/http/answer-head.js';
import { classifyFailure, describeError } from '../../../../workers/adapters/http/classify-failure.js';
import { UnreadableAnswer } from '../../../../workers/adapters/http/unreadable-answer.js';
import { loggedDetail } from '../../../../workers/delivery/logged-detail.js';

describe('the detail of an attempt in the log', () => {
  const loggedOf = (error: Error): string | undefined => loggedDetail({ kind: 'failed', code: classifyFailure(error), detail: describeError(error) });

  for (const [line, logged] of [
    ['{"card":"4111-1111"}', 'The answer is not HTTP. It begins with ...'],
    ['HTTP/2 200 4111-1111', 'The answer is of no version of HTTP/1: ...'],
    ['HTTP/1.1 4111-1111', 'The answer has no status from 100 to 999: ...'],
  ] as const) {
    it(`does not quote what came: ${line}`, () => {
      const head = new AnswerHead();
      head.push(Buffer.from(`${line}\r\n\r\n`));
      expect(head.fault).to.contain('4111-1111');
      expect(loggedOf(new UnreadableAnswer(head.fault))).to.equal(logged);
      expect(loggedOf(new Error('the send has failed', { cause: new UnreadableAnswer(head.fault) }))).to.equal(`Error: the send has failed <- ${logged}`);
    });
  }

  it('has neither what came before the request, nor the text of an answer', () => {
    expect(loggedOf(new UnreadableAnswer('The receiver spoke before it had the request: "4111 "1111""'))).to.equal('The receiver spoke before it had the request: ...');
    expect(loggedDetail({ kind: 'failed', code: 'http_client_error', detail: '4111-1111 is no order', httpStatus: 422 })).to.equal(undefined);
  });

  it('has the text of all other failures', () => {
    const refused = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { code: 'ECONNREFUSED' });
    expect(loggedOf(refused)).to.equal('Error ECONNREFUSED: connect ECONNREFUSED 127.0.0.1:1');
    expect(loggedOf(new UnreadableAnswer('The head is longer than 80 KiB'))).to.equal('The head is longer than 80 KiB');
  });
});

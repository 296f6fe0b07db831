import { expect } from 'chai';

import { isRedisFull, redisErrorCode } from '../../../../shared/redis/transaction.js';

function reply(message: string, previousErrors?: readonly Error[]): Error {
  const error = new Error(message);
  error.name = 'ReplyError';
  return previousErrors === undefined ? error : Object.assign(error, { previousErrors });
}

describe('redisErrorCode', () => {
  it('is the first word of what Redis replied, and nothing of any other error', () => {
    expect(redisErrorCode(reply('NOSCRIPT No matching script.'))).to.equal('NOSCRIPT');
    expect(redisErrorCode(new Error('NOSCRIPT No matching script.'))).to.equal(undefined);
    expect(redisErrorCode('OOM')).to.equal(undefined);
  });
});

describe('isRedisFull', () => {
  const oom = reply("OOM command not allowed when used memory > 'maxmemory'.");
  it('is true for OOM itself and for a MULTI refused because of it', () => {
    expect(isRedisFull(oom)).to.equal(true);
    expect(isRedisFull(reply('EXECABORT Transaction discarded because of previous errors.', [oom]))).to.equal(true);
  });

  it('is false for a MULTI refused for another reason', () => {
    expect(isRedisFull(reply('EXECABORT Transaction discarded because of previous errors.', [reply('ERR unknown command')]))).to.equal(false);
    expect(isRedisFull(reply('EXECABORT Transaction discarded because of previous errors.'))).to.equal(false);
    expect(isRedisFull(new Error('OOM'))).to.equal(false);
  });
});

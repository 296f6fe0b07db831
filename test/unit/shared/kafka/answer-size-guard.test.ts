import { expect } from 'chai';
import fc from 'fast-check';

import { createAnswerSizeGuard } from '../../../../shared/kafka/answer-size-guard.js';

const limitBytes = 1_000;

function answer(bytes: number): Buffer {
  const whole = Buffer.alloc(4 + bytes, 0xff);
  whole.writeUInt32BE(bytes);
  return whole;
}

describe('createAnswerSizeGuard', () => {
  it('lets answers of any number and size up to the limit pass, however they are cut into chunks', () => {
    const sizes = fc.array(fc.nat(limitBytes), { maxLength: 8 });
    fc.assert(fc.property(sizes, fc.integer({ min: 1, max: 700 }), (bytes, chunkBytes) => {
      const staysWithinLimit = createAnswerSizeGuard(limitBytes);
      const stream = Buffer.concat(bytes.map(answer));
      for (let at = 0; at < stream.length; at += chunkBytes) {
        expect(staysWithinLimit(stream.subarray(at, at + chunkBytes))).to.equal(true);
      }
    }));
  });

  it('notices an answer that would be too long by its first four bytes, also behind good ones', () => {
    const staysWithinLimit = createAnswerSizeGuard(limitBytes);
    expect(staysWithinLimit(answer(limitBytes))).to.equal(true);
    expect(staysWithinLimit(answer(limitBytes + 1).subarray(0, 3))).to.equal(true);
    expect(staysWithinLimit(answer(limitBytes + 1).subarray(3, 4))).to.equal(false);
  });

  it('takes HTTP for what it is', () => {
    expect(createAnswerSizeGuard()(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'))).to.equal(false);
  });
});

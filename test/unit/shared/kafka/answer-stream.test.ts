import { expect } from 'chai';
import fc from 'fast-check';

import { largestAnswer } from '../../../../shared/kafka/answer-check.js';
import { apiKey } from '../../../../shared/kafka/api-keys.js';
import { AnswerStream } from '../../../../shared/kafka/answer-stream.js';
import { readQuestion, type Question } from '../../../../shared/kafka/request-reader.js';
import { apiVersionsBody, frame, i16, i32, metadataBody, produceBody, text } from '../../../support/fake-kafka.js';

/** A request as kafkajs writes it. */
function request(key: number, version: number, correlationId: number): Question {
  const rest = Buffer.concat([i16(key), i16(version), i32(correlationId), text('client')]);
  return readQuestion(Buffer.concat([i32(rest.length), rest]));
}

const bodies: Readonly<Record<string, (topic: string) => Buffer>> = {
  [`${apiKey.apiVersions} 2`]: () => apiVersionsBody(),
  [`${apiKey.metadata} 6`]: (topic) => metadataBody({ port: 9092, topic, partitions: [{ id: 0 }, { id: 1 }] }),
  [`${apiKey.produce} 7`]: (topic) => produceBody({ topic, partition: 0 }),
};

describe('AnswerStream', () => {
  it('hands on each answer as a whole and unchanged, however the bytes are cut', () => {
    const exchanges = fc.array(fc.record({ which: fc.constantFrom(...Object.keys(bodies)), topic: fc.string({ maxLength: 40 }) }), { maxLength: 8 });
    fc.assert(fc.property(exchanges, fc.integer({ min: 1, max: 300 }), (asked, chunkBytes) => {
      const stream = new AnswerStream();
      const answers = asked.map(({ which, topic }, correlationId) => {
        const [key, version] = which.split(' ').map(Number);
        stream.ask(request(key ?? -1, version ?? -1, correlationId));
        return frame(correlationId, bodies[which]?.(topic) ?? Buffer.alloc(0));
      });
      const bytes = Buffer.concat(answers);
      const handed: Buffer[] = [];
      for (let at = 0; at < bytes.length; at += chunkBytes) stream.take(Buffer.from(bytes.subarray(at, at + chunkBytes)), (answer) => handed.push(answer));
      expect(handed.map((answer) => answer.toString('hex'))).to.deep.equal(answers.map((answer) => answer.toString('hex')));
    }));
  });

  const refused: readonly (readonly [why: string, bytes: Buffer, text: string])[] = [
    ['a length below that of a correlation id', i32(3), 'too short'],
    ['a negative length', i32(-1), 'too long'],
    ['the first byte of a negative length', Buffer.from([0xff]), 'too long'],
    ['a length above the limit of that request', i32(largestAnswer[apiKey.apiVersions] + 1), 'too long'],
    ['another correlation id, before its answer is here as a whole', Buffer.concat([i32(100), i32(8)]), 'not asked'],
    ['the beginning of HTTP/2, which has a fitting length and correlation id', Buffer.from([0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 100]), 'longer than its answer'],
    ['HTTP', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), 'too long'],
  ];
  for (const [why, bytes, message] of refused) {
    it(`refuses ${why}`, () => {
      const stream = new AnswerStream();
      stream.ask(request(apiKey.apiVersions, 2, 0));
      expect(() => stream.take(bytes, () => { throw new Error('handed on'); })).to.throw(message);
    });
  }

  it('refuses the first byte that comes unasked, also behind a good answer', () => {
    const stream = new AnswerStream();
    expect(() => new AnswerStream().take(Buffer.alloc(1), () => undefined)).to.throw('unasked');
    stream.ask(request(apiKey.apiVersions, 2, 0));
    const handed: Buffer[] = [];
    expect(() => stream.take(Buffer.concat([frame(0, apiVersionsBody()), Buffer.alloc(1)]), (answer) => handed.push(answer))).to.throw('unasked');
    expect(handed).to.have.lengthOf(1);
  });

  it('lets bare SASL tokens pass, which have no correlation id and may be empty', () => {
    const stream = new AnswerStream();
    stream.ask(readQuestion(Buffer.concat([i32(10), Buffer.from('\0user\0pass')])));
    const handed: Buffer[] = [];
    stream.take(i32(0), (answer) => handed.push(answer));
    expect(handed.map(String)).to.deep.equal([String(i32(0))]);
  });

  it('costs no more than its bytes when they come one by one', () => {
    const stream = new AnswerStream();
    stream.ask(request(apiKey.metadata, 6, 0));
    const bytes = frame(0, metadataBody({ port: 1, topic: 't', partitions: Array.from({ length: 9_000 }, (_, id) => ({ id })) }));
    let handed = 0;
    // With the square of the length this would run for minutes.
    for (let at = 0; at < bytes.length; at += 1) stream.take(bytes.subarray(at, at + 1), () => { handed += 1; });
    expect(handed).to.equal(1);
  });
});

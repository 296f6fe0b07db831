import { expect } from 'chai';

import { createReceiver, type Receiver } from '../../../support/receiver.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { call, getTaskAnswer, httpTask, submit, uniqueId, type WireTask } from '../../../support/tasks.js';

/** Texts that trip up parsers, shells, databases, fonts or people. */
const texts: readonly string[] = [
  // words that mean something elsewhere
  ...['null', 'undefined', 'true', 'NaN', 'Infinity', '0', '-0', '1e1000', '00', '0x10', '1,5', 'constructor', '__proto__', 'toString', 'hasOwnProperty', 'then', '[object Object]', 'CON', 'nil', 'wait', 'meta', 'active'],
  // punctuation
  ...['.', '..', '...', '/', '//', '\\', '\\\\', '%', '%00', '%zz', '%2e%2e', '%2F', '?', '#', '&', '=', '+', ':', '::', ';', ',', '|', '|dead', '|0', '"', "'", '`', '\'"`', '<', '*', '~', '$', '{}', '[]', '()', '!', '@', '-', '--', '_', '^'],
  // spaces
  ...[' ', '  ', ' a', 'a ', 'a b', '\u00a0', 'a\u00a0', '\u2003', '\u3000', '\u1680', '\u200b', '\ufeff', '\ufeffa', '\u2060', '\u180e'],
  // control characters
  ...['\t', '\n', '\r\n', 'a\u0000b', '\u0001', '\u001b[31m', '\u007f', '\u0085', '\u009f', '\u2028', '\u2029'],
  // letters
  ...['\u00e4', 'a\u0308', '\u00c5', '\u212b', '\u1e9e', '\u0130', '\u0131', 'stra\u00dfe', '\ufb01', '\u01c6', '\u5bf8', '\u0639\u0631\u0628\u064a', '\u05e2\u05d1', '\u0e17', '\u0939\u093f', 'z\u0351\u0352\u0353\u0354\u0355', '\u0b95\u0bcd\u0bb7'],
  // outside of the first plane, and what belongs together
  ...['\ud83d\ude00', '\ud83d\udc68\u200d\ud83d\udc69\u200d\ud83d\udc67', '\ud83c\udde9\ud83c\uddea', '\ud83d\udc4d\ud83c\udffd', '\u2764\ufe0f', '\ud835\udd04', '\ud840\udc00', '\udbff\udfff', '\udb40\udc41', '\ue000'],
  // direction, and what cannot be seen
  ...['\u202eabc', '\u202a\u202c', '\u2066\u2069', '\u200e', '\u00ad', '\ufff9\ufffb', '\ufffd', '\ufffe', '\uffff', '\u034f'],
  // halves of pairs
  ...['\ud800', 'a\udc00', '\ude00\ud83d'],
  // what others would run
  ...['<script>alert(1)</script>', '<img src=x onerror=alert(1)>', "'; DROP TABLE tasks; --", '$(reboot)', '`reboot`', '${7*7}', '{{7*7}}', '%s%n%x', '%d', '../../etc/passwd', 'file:///etc/passwd', '=1+1', '\r\nX-Injected: 1', 'a\r\n\r\nGET / HTTP/1.1', '*3\r\n$3\r\nSET\r\n', 'KEYS *', 'return redis.call("FLUSHALL")'],
  // lengths
  ...['x'.repeat(255), 'x'.repeat(256), '\u00e4'.repeat(255), '\ud83d\ude00'.repeat(255), '\ud83d\ude00'.repeat(256), 'e\u0301'.repeat(128)],
];

/** A field that holds the text, where an answer shows it, and how many of the texts it has to take at least. */
interface Place {
  readonly name: string;
  readonly atLeast: number;
  readonly task: (text: string) => Partial<WireTask>;
  readonly shown: (body: Readonly<Record<string, unknown>>) => unknown;
}

const member = (name: string) => (body: Readonly<Record<string, unknown>>): unknown => body[name];
const destination = (name: string) => (body: Readonly<Record<string, unknown>>): unknown => (body['destination'] as Readonly<Record<string, unknown>>)[name];
const kafka = (fields: Readonly<Record<string, unknown>>): Partial<WireTask> => ({ destination_type: 'kafka', destination: { topic: 't', ...fields }, dead_destination: { topic: 'dead' } });

const places: readonly Place[] = [
  { name: 'id', atLeast: 60, task: (text) => ({ id: text }), shown: member('id') },
  { name: 'source', atLeast: 60, task: (text) => ({ source: text }), shown: member('source') },
  { name: 'client_id', atLeast: 60, task: (text) => ({ client_id: text }), shown: member('client_id') },
  { name: 'flow_key', atLeast: 60, task: (text) => ({ flow_key: text }), shown: member('flow_key') },
  { name: 'message_data', atLeast: texts.length - 4, task: (text) => ({ message_data: text }), shown: member('message_data') },
  { name: 'key of a Kafka destination', atLeast: 60, task: (text) => kafka({ key: text }), shown: destination('key') },
  { name: 'name of a Kafka header', atLeast: 60, task: (text) => kafka({ headers: { [text]: 'v' } }), shown: (body) => Object.keys(destination('headers')(body) ?? {})[0] },
];

describe('texts that are odd', () => {
  let service: InProcessService;
  let receiver: Receiver;

  before(async () => {
    service = await InProcessService.ready();
    receiver = await createReceiver();
  });
  after(async () => {
    await service.close();
    await receiver.close();
  });

  for (const { name, atLeast, task, shown } of places) {
    it(`are shown as they were sent, or refused with the name of the field: ${name}`, async function () {
      this.timeout(60_000);
      const wrong: string[] = [];
      let taken = 0;
      for (const text of texts) {
        const wanted = httpTask('http://127.0.0.1:9/', { initial_delay: 3_600, ...task(text) });
        const answer = await submit(service.baseUrl, wanted);
        if (answer.status === 201) {
          taken += 1;
          const { status, body } = await getTaskAnswer(service.baseUrl, wanted.id, '?include=message_data');
          if (status !== 200 || shown(body) !== text) wrong.push(`${JSON.stringify(text)} was taken, and is shown as ${status} ${JSON.stringify(shown(body))}`);
        } else if (answer.status !== 400 || answer.body['code'] !== 'invalid_task' || !Array.isArray(answer.body['details']) || answer.body['details'].length !== 1) {
          wrong.push(`${JSON.stringify(text)}: ${answer.status} ${JSON.stringify(answer.body)}`);
        }
      }
      expect(wrong).to.deep.equal([]);
      expect(taken).to.be.at.least(atLeast);
    });
  }

  it('are not shown where they are the value of a Kafka header', async () => {
    let taken = 0;
    for (const text of texts) {
      const wanted = httpTask('', { initial_delay: 3_600, ...kafka({ headers: { h: text } }) });
      if ((await submit(service.baseUrl, wanted)).status !== 201) continue;
      taken += 1;
      const { body } = await getTaskAnswer(service.baseUrl, wanted.id);
      expect(destination('headers')(body), JSON.stringify(text)).to.deep.equal({ h: '***' });
    }
    expect(taken).to.be.at.least(texts.length - 4);
  }).timeout(60_000);

  it('are delivered byte for byte as messages, in one batch as well as alone', async () => {
    await service.startWorker();
    const messages = texts.filter((text) => text.isWellFormed());
    const tasks = messages.map((text) => httpTask(receiver.url('/hook'), { id: uniqueId(), message_data: text }));
    const half = Math.floor(tasks.length / 2);
    for (const each of tasks.slice(0, half)) expect((await submit(service.baseUrl, each)).status).to.equal(201);
    const { status, body } = await call(service.baseUrl, '/tasks/batch', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(tasks.slice(half)) });
    expect([status, body['counts']]).to.deep.equal([207, { total: tasks.length - half, created: tasks.length - half, already_scheduled: 0, refused: 0, failed: 0 }]);
    await receiver.waitForRequests(tasks.length, { withinMs: 20_000 });
    for (const { id, message_data: message } of tasks) {
      const [request, ...more] = receiver.requestsFor(id);
      expect(request?.body.equals(Buffer.from(message)), JSON.stringify(message)).to.equal(true);
      expect(more).to.have.lengthOf(0);
    }
  });
});

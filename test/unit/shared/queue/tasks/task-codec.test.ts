import { expect } from 'chai';
import fc from 'fast-check';

import type { Destination } from '../../../../../shared/domain/destinations/destination.js';
import { defaultPathMask } from '../../../../../shared/domain/destinations/path-mask.js';
import { jitters } from '../../../../../shared/domain/task/retry-policy.js';
import type { Task } from '../../../../../shared/domain/task/task.js';
import { contentHash, DATA_VERSION, decodeTask, encodeTask, jobNameOf, jobPriorityOf, UnreadableTaskError } from '../../../../../shared/queue/tasks/task-codec.js';
import { domainTask } from '../../../../support/tasks.js';

const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }).filter((value) => value.isWellFormed());
const httpDestination: fc.Arbitrary<Destination> = fc.webUrl({ withQueryParameters: true }).map((url) => ({ type: 'http', url }));
const kafkaDestination: fc.Arbitrary<Destination> = fc.record({
  type: fc.constant('kafka' as const),
  broker: fc.option(fc.record({ host: fc.domain(), port: fc.integer({ min: 1, max: 65_535 }) }), { nil: undefined }),
  topic: fc.stringMatching(/^[A-Za-z0-9._-]{1,60}$/),
  key: fc.option(text, { nil: undefined }),
  headers: fc.option(fc.dictionary(text, fc.string({ unit: 'grapheme' }), { noNullPrototype: true }), { nil: undefined }),
});
const destination = fc.oneof(httpDestination, kafkaDestination);
const ms = fc.double({ min: 1e-6, max: 31_536_000_000, noNaN: true });
const tasks: fc.Arbitrary<Task> = fc.record({
  id: text,
  source: text,
  clientId: text,
  destination,
  deadDestination: fc.option(destination, { nil: undefined }),
  onExhausted: fc.constantFrom('dead_letter', 'park'),
  retryPolicy: fc.record({ maxRetries: fc.integer({ min: 0, max: 100 }), initialDelayMs: fc.oneof(fc.constant(0), ms), baseDelayMs: ms, maxDelayMs: ms, jitter: fc.constantFrom(...jitters) }),
  isPriority: fc.boolean(),
  flowKey: fc.option(text, { nil: undefined }),
  messageData: fc.string({ unit: 'binary', minLength: 1 }).filter((value) => value.isWellFormed()),
});

function throughRedis(task: Task): Task {
  const stored: unknown = JSON.parse(encodeTask(task));
  return decodeTask(stored);
}

describe('task codec', () => {
  it('gives any task back as it was, through the JSON that Redis keeps', () => {
    fc.assert(fc.property(tasks, (task) => { expect(throughRedis(task)).to.deep.equal(task); }));
  });

  it('keeps a header called __proto__', () => {
    const headers = JSON.parse('{"__proto__":"x","a":"b"}') as Record<string, string>;
    const task = domainTask({ destination: { type: 'kafka', broker: undefined, topic: 'a', key: undefined, headers } });
    const { destination: back } = throughRedis(task);
    expect(back.type === 'kafka' ? Object.entries(back.headers ?? {}) : []).to.deep.equal([['__proto__', 'x'], ['a', 'b']]);
  });

  it('writes no defaults: an ordinary task has few fields', () => {
    const task = domainTask({ deadDestination: undefined });
    expect(Object.keys(JSON.parse(encodeTask(task)) as object)).to.deep.equal(['v', 'i', 's', 'c', 'd', 'r', 'b', 'l', 'm']);
  });

  const readable = JSON.parse(encodeTask(domainTask())) as object;
  const unreadable: readonly (readonly [name: string, data: unknown])[] = [
    ['of a newer version', { ...readable, v: DATA_VERSION + 1 }],
    ['without a version', { ...readable, v: undefined }],
    ['of another kind', 'text'],
    ['null', null],
    ['with a destination of a type this version does not know', { ...readable, d: { q: 'sqs' } }],
    ['with a dead destination of such a type', { ...readable, x: { q: 'sqs' } }],
    ['with a destination whose tag this version does not know, whatever else it has', { ...readable, d: { y: 'sqs', t: 'orders', u: 'http://a/' } }],
    ['with a destination called like a method of every object', { ...readable, d: { y: 'toString' } }],
    ['with a url that is no text', { ...readable, d: { u: 1 } }],
    ['with a topic that is no text', { ...readable, d: { t: ['orders'] } }],
    ['with a broker that is no pair', { ...readable, d: { t: 'orders', h: 'b:1' } }],
    ['with headers that are no texts', { ...readable, d: { t: 'orders', e: { a: 1 } } }],
    ['with a destination that is a text', { ...readable, d: 'http://a/' }],
    ['without an id', { ...readable, i: undefined }],
    ['without a source', { ...readable, s: undefined }],
    ['without a client id', { ...readable, c: undefined }],
    ['without a destination', { ...readable, d: undefined }],
    ['without a message', { ...readable, m: undefined }],
    ['without max_retries', { ...readable, r: undefined }],
    ['with a base delay that is no number', { ...readable, b: '1' }],
    ['with a jitter this version does not know', { ...readable, j: 'decorrelated' }],
    ['without a max delay', { ...readable, l: undefined }],
  ];
  for (const [name, data] of unreadable) {
    it(`leaves data ${name} unread`, () => {
      expect(() => decodeTask(data)).to.throw(UnreadableTaskError);
    });
  }

  it('writes no tag for the two types of 0.1.0, which reads none', () => {
    const kafka: Destination = { type: 'kafka', broker: { host: 'b', port: 1 }, topic: 'orders', key: 'k', headers: { h: 'v' } };
    const { d, x } = JSON.parse(encodeTask(domainTask({ destination: kafka, deadDestination: { type: 'http', url: 'http://a/' } }))) as Readonly<Record<string, unknown>>;
    expect([d, x]).to.deep.equal([{ t: 'orders', h: ['b', 1], k: 'k', e: { h: 'v' } }, { u: 'http://a/' }]);
  });

  it('names a job after its destination, without secrets, bounded and well-formed', () => {
    expect(jobNameOf(domainTask({ destination: { type: 'http', url: 'https://u:p@api.example.com/hook?token=1' } }), defaultPathMask)).to.equal('http https://api.example.com/hook?...');
    const long = jobNameOf(domainTask({ destination: { type: 'http', url: `http://a/${'🚚'.repeat(300)}` } }), defaultPathMask);
    expect(long.length).to.be.at.most(200);
    expect(long.isWellFormed()).to.equal(true);
  });

  it('has a priority for each task, and that of priority tasks goes first', () => {
    const urgent = jobPriorityOf(domainTask({ isPriority: true }));
    expect(urgent, 'one without a priority waits in a list').to.be.greaterThan(0);
    expect(jobPriorityOf(domainTask({ isPriority: false }))).to.be.greaterThan(urgent);
  });
});

describe('contentHash', () => {
  it('is equal for equal content, read back or not', () => {
    fc.assert(fc.property(tasks, (task) => { expect(contentHash(throughRedis(task))).to.equal(contentHash(task)); }));
  });

  it('is different for any two different tasks', () => {
    fc.assert(
      fc.property(tasks, tasks, (a, b) => {
        const isSame = encodeTask(a) === encodeTask(b);
        fc.pre(!isSame);
        expect(contentHash(a)).to.not.equal(contentHash(b));
      }),
    );
  });

  it('does not look at the order of headers', () => {
    const withHeaders = (headers: Record<string, string>): Task => domainTask({ id: 'x', destination: { type: 'kafka', broker: undefined, topic: 'a', key: undefined, headers } });
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(text, text), { selector: ([name]) => name, maxLength: 8 }), (pairs) => {
        expect(contentHash(withHeaders(Object.fromEntries(pairs.toReversed())))).to.equal(contentHash(withHeaders(Object.fromEntries(pairs))));
      }),
    );
  });

  const http: Destination = { type: 'http', url: 'http://a/' };
  const kafka: Extract<Destination, { type: 'kafka' }> = { type: 'kafka', broker: { host: 'b', port: 1 }, topic: 't', key: 'k', headers: { h: 'v' } };
  const base = domainTask({ id: 'x', destination: kafka, deadDestination: kafka });
  const { retryPolicy } = base;
  const changes: readonly (readonly [field: string, changed: Task])[] = [
    ['id', { ...base, id: 'y' }],
    ['source', { ...base, source: 'y' }],
    ['client_id', { ...base, clientId: 'y' }],
    ['destination type', { ...base, destination: http }],
    ['destination host', { ...base, destination: { ...kafka, broker: { host: 'c', port: 1 } } }],
    ['destination port', { ...base, destination: { ...kafka, broker: { host: 'b', port: 2 } } }],
    ['destination broker left out', { ...base, destination: { ...kafka, broker: undefined } }],
    ['destination topic', { ...base, destination: { ...kafka, topic: 'u' } }],
    ['destination key', { ...base, destination: { ...kafka, key: 'l' } }],
    ['destination key left out', { ...base, destination: { ...kafka, key: undefined } }],
    ['destination header value', { ...base, destination: { ...kafka, headers: { h: 'w' } } }],
    ['destination header name', { ...base, destination: { ...kafka, headers: { i: 'v' } } }],
    ['destination headers left out', { ...base, destination: { ...kafka, headers: undefined } }],
    ['dead destination', { ...base, deadDestination: http }],
    ['dead destination left out', { ...base, deadDestination: undefined }],
    ['on_exhausted', { ...base, onExhausted: 'park' }],
    ['max_retries', { ...base, retryPolicy: { ...retryPolicy, maxRetries: 3 } }],
    ['base_delay', { ...base, retryPolicy: { ...retryPolicy, baseDelayMs: 1 } }],
    ['initial_delay', { ...base, retryPolicy: { ...retryPolicy, initialDelayMs: 1 } }],
    ['max_delay', { ...base, retryPolicy: { ...retryPolicy, maxDelayMs: 1 } }],
    ['jitter', { ...base, retryPolicy: { ...retryPolicy, jitter: 'equal' } }],
    ['is_priority', { ...base, isPriority: true }],
    ['flow_key', { ...base, flowKey: 'tenant-7' }],
    ['message_data', { ...base, messageData: '{"order":2}' }],
  ];
  for (const [field, changed] of changes) {
    it(`is another one when ${field} changes`, () => {
      expect(contentHash(changed)).to.not.equal(contentHash(base));
    });
  }

  // As 0.1.0 computed them: with another hash, the same task sent again would be refused as a conflict after an upgrade.
  const stored: readonly (readonly [name: string, task: Task, hash: string])[] = [
    ['an ordinary task', domainTask({ id: 'x' }), 'W6AzHzlHBOvUW9ilCu4Hv-OXBBA6gmJ1YUnFX_bhczg'],
    [
      'a parking priority task to Kafka',
      domainTask({ id: 'y', onExhausted: 'park', deadDestination: undefined, isPriority: true, destination: kafka }),
      'UM7v1sSLk_ldB1g4-_ZJPC-Z6g8vxIaFx4gbHNDpIlk',
    ],
    [
      'one with all that came after 0.1.0, as the version before the table of fields computed it',
      domainTask({
        id: 'z',
        flowKey: 'tenant-7',
        deadDestination: { type: 'kafka', broker: undefined, topic: 'd', key: undefined, headers: { b: '2', a: '1' } },
        retryPolicy: { maxRetries: 2, initialDelayMs: 60_000, baseDelayMs: 60_000, maxDelayMs: 86_400_000, jitter: 'full' },
      }),
      'CbJGSdGXZiUJpd63gkiX3yWtIf8-pFE6rgK-40Doo_8',
    ],
  ];
  for (const [name, task, hash] of stored) {
    it(`is for ${name} what earlier versions stored`, () => {
      expect(contentHash(task)).to.equal(hash);
    });
  }

  it('tells a flow key from a jitter of the same letters', () => {
    expect(contentHash({ ...base, flowKey: 'full' })).to.not.equal(contentHash({ ...base, retryPolicy: { ...retryPolicy, jitter: 'full' } }));
  });

  it('cannot be fooled by moving text from one field to the next', () => {
    expect(contentHash({ ...base, id: 'ab', source: 'c' })).to.not.equal(contentHash({ ...base, id: 'a', source: 'bc' }));
  });
});

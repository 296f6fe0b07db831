import { expect } from 'chai';
import fc from 'fast-check';

import { createFastTaskCheck } from '../../../../server/tasks/fast-task-check.js';
import { createTaskParser } from '../../../../server/tasks/schema.js';
import { RequestError } from '../../../../shared/domain/errors.js';

const MAX_MESSAGE_BYTES = 100;
const rules = { maxMessageBytes: MAX_MESSAGE_BYTES, defaultJitter: 'equal' } as const;
const parseTask = createTaskParser(rules);
const isPlainlyRight = createFastTaskCheck(rules);

function verdict(input: object): unknown {
  try {
    return parseTask(input);
  } catch (error) {
    if (error instanceof RequestError) return { code: error.code, details: error.details };
    throw error;
  }
}

/** The legacy field means nothing, and is never plain: so the schema alone judges. */
const judgedBySchema = (input: object): unknown => verdict({ ...input, attempt: 0 });

const http = { id: 'a', source: 's', client_id: 'c', destination_type: 'http', destination: { url: 'http://h/x' }, dead_destination: { url: 'https://h:1/d' }, max_retries: 3, base_delay: 0.5, message_data: 'm' };
const kafka = { ...http, destination_type: 'kafka', destination: { topic: 't', host: 'h', port: 9092, key: 'k' }, dead_destination: { topic: 'd' } };

/** Values on both sides of every rule, and of other types. */
const texts = fc.constantFrom<unknown>('', 'x', ' ', '\u0000', '\u009f', 'ü🚚', '\ud83d', 'x'.repeat(255), 'x'.repeat(256), '🚚'.repeat(255), '🚚'.repeat(256), 'x'.repeat(MAX_MESSAGE_BYTES), 'ü'.repeat(51), null, 1, [], {});
const numbers = fc.constantFrom<unknown>(-1, -0, 0, 0.5, 1, 100, 101, 86_400, 86_400.5, 31_536_000, 31_536_001, 5e-324, 1e308, 2 ** 53, null, '1', true);
const urls = fc.constantFrom<unknown>('http://h', 'HTTP://h/x', 'https://[::1]:8/', 'http:h', 'http://h:0/', 'http://h:65536', 'ftp://h', 'http://', 'http://h/ x', 'http://h/\ud83d', `http://h/${'x'.repeat(8_183)}`, `http://h/${'x'.repeat(8_184)}`, '', null, 1);
const hosts = fc.constantFrom<unknown>('h', '::1', 'a_b.c', '-h', 'h-', '', 'x'.repeat(255), 'x'.repeat(256), null, 1);
const ports = fc.constantFrom<unknown>(0, 1, 65_535, 65_536, 1.5, '9092', '0', 'x', null);
const topics = fc.constantFrom<unknown>('t', 'a.b_c-D', '.', '..', 'x'.repeat(249), 'x'.repeat(250), 't t', '', null);
const keys = fc.constantFrom<unknown>('k', '', '\n', '\ud83d', 'x'.repeat(32_768), 'x'.repeat(32_769), null, 1);
const headers = fc.oneof(
  fc.dictionary(fc.oneof(fc.string({ unit: 'binary', maxLength: 3 }), fc.constantFrom('__proto__', 'toString')), fc.oneof(fc.string({ unit: 'binary', maxLength: 3 }), fc.constantFrom<unknown>(null, 1, [], {})), { maxKeys: 3 }),
  fc.constantFrom<unknown>({}, { a: 'b' }, { a: '' }, { '': 'b' }, { a: 'x'.repeat(32_768) }, [], null, 'a'),
);
const optional = (values: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> => fc.option(values, { nil: undefined });

const destinations = fc.oneof(
  fc.record({ url: urls }, { requiredKeys: [] }),
  fc.record({ topic: topics, host: hosts, port: ports, key: keys, headers }, { requiredKeys: [] }),
  fc.record({ url: urls, topic: topics }),
  fc.constantFrom<unknown>(null, [], 'http://h', JSON.parse('{"url":"http://h","__proto__":{}}')),
);
const changes = fc.record(
  {
    ...{ id: texts, source: texts, client_id: texts, message_data: texts, flow_key: texts },
    jitter: fc.constantFrom<unknown>('none', 'equal', 'full', 'some', null),
    destination_type: fc.constantFrom<unknown>('http', 'kafka', 'sqs', null),
    dead_destination_type: optional(fc.constantFrom<unknown>('http', 'kafka', 'sqs', null)),
    ...{ destination: destinations, dead_destination: optional(destinations) },
    on_exhausted: fc.constantFrom<unknown>('park', 'dead_letter', 'drop', null),
    ...{ max_retries: numbers, base_delay: numbers, initial_delay: numbers, max_delay: numbers },
    is_priority: fc.constantFrom<unknown>(true, false, 'true', 0, null),
    unknown_field: fc.constant(1),
  },
  { requiredKeys: [] },
);
/** One or two fields changed: with all of them, nothing would ever be right. */
const tasks = fc.tuple(fc.constantFrom(http, kafka), changes, fc.nat(), fc.nat()).map(([base, all, first, second]) => {
  const names = Object.keys(all);
  const chosen = names.filter((_, index) => index === first % names.length || index === second % names.length);
  const changed = Object.entries(all).filter(([name]) => chosen.includes(name));
  return Object.fromEntries([...Object.entries(base), ...changed].filter(([, value]) => value !== undefined));
});

describe('createFastTaskCheck', () => {
  it('accepts nothing that the schema refuses, and makes the same task of what it accepts', () => {
    fc.assert(
      fc.property(tasks, (task) => {
        expect(verdict(task)).to.deep.equal(judgedBySchema(task));
      }),
      { numRuns: 5_000 },
    );
  });

  it('refuses nothing: for what is not plain, the schema names all faults', () => {
    expect(verdict({ ...http, id: '', max_retries: -1 })).to.deep.equal(judgedBySchema({ ...http, id: '', max_retries: -1 }));
  });

  const plain: readonly (readonly [name: string, task: object])[] = [
    ['an HTTP task', http],
    ['a Kafka task', kafka],
    ['one with every field', { ...http, dead_destination_type: 'kafka', dead_destination: { topic: 'd' }, on_exhausted: 'park', initial_delay: 0, max_delay: 1, is_priority: true, jitter: 'full', flow_key: 'tenant-7' }],
    ['one with headers', { ...kafka, destination: { topic: 't', headers: { a: 'b', empty: '' } } }],
    ['one that is parked and has no dead destination', { ...Object.fromEntries(Object.entries(http).filter(([name]) => name !== 'dead_destination')), on_exhausted: 'park' }],
  ];
  for (const [name, task] of plain) {
    it(`recognises ${name}`, () => {
      expect(isPlainlyRight(task)).to.equal(true);
    });
  }

  const notPlain: readonly (readonly [name: string, input: unknown])[] = [
    ['a header that is a number', { ...kafka, destination: { topic: 't', headers: { a: 1 } } }],
    ['too many headers', { ...kafka, destination: { topic: 't', headers: Object.fromEntries(Array.from({ length: 1_001 }, (_, nth) => [nth, ''])) } }],
    ['a header called __proto__', { ...kafka, destination: { topic: 't', headers: JSON.parse('{"__proto__":"x"}') as object } }],
    ['the legacy field', { ...http, attempt: 1 }],
    ['a port as text', { ...kafka, destination: { topic: 't', host: 'h', port: '1' } }],
    ['__proto__', { ...http, ...(JSON.parse('{"x":1}') as object), destination: JSON.parse('{"url":"http://h","__proto__":{}}') as object }],
    ['a list', [http]],
    ['null', null],
  ];
  for (const [name, input] of notPlain) {
    it(`leaves ${name} to the schema`, () => {
      expect(isPlainlyRight(input)).to.equal(false);
    });
  }
});

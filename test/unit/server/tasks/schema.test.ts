import { expect } from 'chai';
import fc from 'fast-check';

import { parseOverride, type OverrideFault } from '../../../../server/bulk-actions/override.js';
import { readPatch } from '../../../../server/tasks/patch-body.js';
import { createTaskParser } from '../../../../server/tasks/schema.js';
import { toWirePolicy } from '../../../../server/tasks/view.js';
import { parseTestSend } from '../../../../server/test-sends/parse-test-send.js';
import { defaultPathMask } from '../../../../shared/domain/destinations/path-mask.js';
import { RequestError } from '../../../../shared/domain/errors.js';
import { jitters } from '../../../../shared/domain/task/retry-policy.js';
import type { Task } from '../../../../shared/domain/task/task.js';

const MAX_MESSAGE_BYTES = 1_000;
const rules = { maxMessageBytes: MAX_MESSAGE_BYTES, defaultJitter: 'none' } as const;
const parse = createTaskParser(rules);

const http = {
  id: 'order-1',
  source: 'orders',
  client_id: 'team-a',
  destination_type: 'http',
  destination: { url: 'https://api.example.com/hook' },
  dead_destination: { url: 'https://api.example.com/dead' },
  max_retries: 3,
  base_delay: 10,
  message_data: '{"a":1}',
} as const;
const kafka = { ...http, destination_type: 'kafka', destination: { host: 'broker-1', port: 9092, topic: 'orders' }, dead_destination: { topic: 'orders.dead' } } as const;

function refusal(input: unknown): RequestError {
  let task: Task;
  try {
    task = parse(input);
  } catch (error) {
    if (error instanceof RequestError) return error;
    throw error;
  }
  throw new Error(`accepted: ${JSON.stringify(task)}`);
}

/** The fields that were complained about. */
function fieldsOf(input: unknown): string[] {
  const error = refusal(input);
  expect(error.code).to.equal('invalid_task');
  return (error.details ?? []).map(({ field }) => field);
}

/** As a client's JSON gives it: with a key that no object literal can have, if need be. */
function withJson(base: object, json: string): unknown {
  const text = JSON.stringify(base);
  return JSON.parse(`${text.slice(0, -1)},${json}}`);
}

describe('task schema: what is taken', () => {
  it('turns a task to HTTP into ours, with every default', () => {
    expect(parse(http)).to.deep.equal({
      id: 'order-1',
      source: 'orders',
      clientId: 'team-a',
      destination: { type: 'http', url: 'https://api.example.com/hook' },
      deadDestination: { type: 'http', url: 'https://api.example.com/dead' },
      onExhausted: 'dead_letter',
      retryPolicy: { maxRetries: 3, baseDelayMs: 10_000, initialDelayMs: 10_000, maxDelayMs: 86_400_000, jitter: 'none' },
      isPriority: false,
      flowKey: undefined,
      messageData: '{"a":1}',
    });
  });

  it('turns a task to Kafka into ours, with everything given', () => {
    const task = parse({
      ...kafka,
      destination: { host: 'broker-1', port: '9092', topic: 'orders', key: 'k', headers: { h: 'v', empty: '' } },
      dead_destination_type: 'http',
      dead_destination: { url: 'http://127.0.0.1:1/' },
      on_exhausted: 'dead_letter',
      initial_delay: 0,
      max_delay: 0.5,
      jitter: 'full',
      is_priority: true,
      flow_key: 'tenant-7',
      attempt: { anything: ['at', 'all'] },
    });
    expect(task).to.deep.equal({
      id: 'order-1',
      source: 'orders',
      clientId: 'team-a',
      destination: { type: 'kafka', broker: { host: 'broker-1', port: 9092 }, topic: 'orders', key: 'k', headers: { h: 'v', empty: '' } },
      deadDestination: { type: 'http', url: 'http://127.0.0.1:1/' },
      onExhausted: 'dead_letter',
      retryPolicy: { maxRetries: 3, baseDelayMs: 10_000, initialDelayMs: 0, maxDelayMs: 500, jitter: 'full' },
      isPriority: true,
      flowKey: 'tenant-7',
      messageData: '{"a":1}',
    });
  });

  const accepted: readonly (readonly [name: string, input: unknown])[] = [
    ['an id of 255 code points, each two UTF-16 units', { ...http, id: '🚚'.repeat(255) }],
    ['an id like a:b/c', { ...http, id: 'a:b/c' }],
    ['an id like 123', { ...http, id: '123' }],
    ['an id like wait', { ...http, id: 'wait' }],
    ['an id with spaces inside', { ...http, id: 'a  b' }],
    ['an id with other white space at its ends', { ...http, id: '\u00a0a\u3000' }],
    ['an id like dead', { ...http, id: 'dead' }],
    ['an id like a|dead|1', { ...http, id: 'a|dead|1' }],
    ['an id like a|DEAD', { ...http, id: 'a|DEAD' }],
    ['an id like ...', { ...http, id: '...' }],
    ['an id like %2e%2e', { ...http, id: '%2e%2e' }],
    ['an id like ../..', { ...http, id: '../..' }],
    ['a flow key with spaces at its ends', { ...http, flow_key: ' a ' }],
    ['a flow key that ends in |dead', { ...http, flow_key: 'a|dead' }],
    ['a source like ..', { ...http, source: '..' }],
    ['an id like __proto__', { ...http, id: '__proto__' }],
    ['a port as text', { ...kafka, destination: { host: 'b', port: '65535', topic: 't' } }],
    ['a port of 1', { ...kafka, destination: { host: 'b', port: 1, topic: 't' } }],
    ['an IPv6 broker', { ...kafka, destination: { host: '::1', port: 1, topic: 't' } }],
    ['the default cluster', { ...kafka, destination: { topic: 't' } }],
    ['a topic of 249 characters', { ...kafka, destination: { topic: `a._-Z9${'x'.repeat(243)}` } }],
    ['no retries', { ...http, max_retries: 0 }],
    ['100 retries', { ...http, max_retries: 100 }],
    ['a base delay of a day', { ...http, base_delay: 86_400 }],
    ['a tiny base delay', { ...http, base_delay: 1e-9 }],
    ['an initial delay of a year', { ...http, initial_delay: 31_536_000 }],
    ['an initial delay longer than max_delay', { ...http, initial_delay: 100, max_delay: 1 }],
    ['a base delay longer than max_delay', { ...http, base_delay: 100, max_delay: 1 }],
    ['parking without a dead destination', { ...http, on_exhausted: 'park', dead_destination: undefined }],
    ['a flow key of 255 code points, each two UTF-16 units', { ...http, flow_key: '🚚'.repeat(255) }],
    ['a legacy attempt', { ...http, attempt: 7 }],
    ['the largest message', { ...http, message_data: 'x'.repeat(MAX_MESSAGE_BYTES) }],
    ['the largest message in characters of several bytes', { ...http, message_data: '€'.repeat(333) }],
    ['control characters in the message', { ...http, message_data: '\u0000\r\n\t\u007f' }],
  ];
  for (const [name, input] of accepted) {
    it(`takes ${name}`, () => {
      expect(parse(input)).to.have.property('id');
    });
  }

  it('gives a task that names no jitter that of the deployment, and leaves one that does alone', () => {
    const parseSpread = createTaskParser({ ...rules, defaultJitter: 'equal' });
    expect(parseSpread(http).retryPolicy.jitter).to.equal('equal');
    for (const jitter of jitters) expect(parseSpread({ ...http, jitter }).retryPolicy.jitter).to.equal(jitter);
  });

  it('keeps the message as it was, whatever it holds', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 200 }).filter((text) => text.isWellFormed() && Buffer.byteLength(text) <= MAX_MESSAGE_BYTES), (message) => {
        expect(parse({ ...http, message_data: message }).messageData).to.equal(message);
      }),
    );
  });

  const delays: readonly (readonly [seconds: number, ms: number])[] = [
    [0.07, 70],
    // 2.007 * 1000 is 2007.0000000000002 in floating point.
    [2.007, 2_007],
    [0.5, 500],
    [1.1, 1_100],
    [0.0005, 0.5],
    [86_400, 86_400_000],
    [0.29, 290],
    [4.35, 4_350],
  ];
  for (const [seconds, ms] of delays) {
    it(`reads ${seconds} s as ${ms} ms exactly`, () => {
      expect(parse({ ...http, base_delay: seconds }).retryPolicy).to.include({ baseDelayMs: ms, initialDelayMs: ms });
    });
  }

  it('loses nothing of a long initial delay', () => {
    // A year less a bit, to the microsecond: rounding it down would send early.
    expect(parse({ ...http, initial_delay: 31_535_999.000_01 }).retryPolicy.initialDelayMs).to.equal(31_535_999_000.01);
  });
});

describe('task schema: what is refused', () => {
  const texts = ['id', 'source', 'client_id', 'flow_key'] as const;
  for (const field of texts) {
    const wrong: readonly (readonly [name: string, value: unknown])[] = [
      ...(field === 'flow_key' ? [] : [['missing', undefined] as const]),
      ['null', null],
      ['empty', ''],
      ['a number', 1],
      ['an array', ['a']],
      ['256 code points', '🚚'.repeat(256)],
      ['half of a surrogate pair', 'a\ud83d'],
      ['the other half', '\ude9aa'],
      ['a NUL', 'a\u0000'],
      ['a line break', 'a\nb'],
      ['a DEL', '\u007f'],
      ['a C1 control', 'a\u0085'],
    ];
    for (const [name, value] of wrong) {
      it(`refuses ${field}: ${name}`, () => {
        expect(fieldsOf({ ...http, [field]: value })).to.deep.equal([field]);
      });
    }
  }

  for (const id of ['.', '..', ' ', ' a', 'a ', '  ', 'a|dead', '|dead', 'a|dead|dead', '🚚|dead']) {
    it(`refuses the id ${JSON.stringify(id)}, and says why`, () => {
      expect(fieldsOf({ ...http, id })).to.deep.equal(['id']);
      expect(() => parse({ ...http, id })).to.throw(RequestError, /^id must not (be \. or \.\.|begin or end with a space|end in \|dead)/);
    });
  }

  for (const flowKey of ['.', '..', '*']) {
    it(`refuses the flow_key ${flowKey}`, () => {
      expect(fieldsOf({ ...http, flow_key: flowKey })).to.deep.equal(['flow_key']);
    });
  }

  const table: readonly (readonly [name: string, input: unknown, fields: readonly string[]])[] = [
    ['no destination type', { ...http, destination_type: undefined }, ['destination_type']],
    ['a destination type of tomorrow', { ...http, destination_type: 'sqs' }, ['destination_type']],
    ['a destination type in capitals', { ...http, destination_type: 'HTTP' }, ['destination_type']],
    ['no destination', { ...http, destination: undefined }, ['destination']],
    ['a destination that is a text', { ...http, destination: 'https://a' }, ['destination']],
    ['a destination that is a list', { ...http, destination: [] }, ['destination']],
    ['no url', { ...http, destination: {} }, ['destination.url']],
    ['a relative url', { ...http, destination: { url: '/hook' } }, ['destination.url']],
    ['a url without a scheme', { ...http, destination: { url: 'api.example.com/hook' } }, ['destination.url']],
    ['an ftp url', { ...http, destination: { url: 'ftp://a/' } }, ['destination.url']],
    ['a url without a host', { ...http, destination: { url: 'http://' } }, ['destination.url']],
    ['a url with a port that is none', { ...http, destination: { url: 'http://a:99999/' } }, ['destination.url']],
    ['a url that is a number', { ...http, destination: { url: 1 } }, ['destination.url']],
    ['a url too many', { ...http, destination: { url: 'http://a/', uri: 'http://a/' } }, ['destination.uri']],
    ['fields of Kafka for HTTP', { ...http, destination: { url: 'http://a/', topic: 't', host: 'h', port: 1 } }, ['destination.topic', 'destination.host', 'destination.port']],
    ['fields of HTTP for Kafka', { ...kafka, destination: { topic: 't', url: 'http://a/' } }, ['destination.url']],
    ['a host without a port', { ...kafka, destination: { host: 'h', topic: 't' } }, ['destination.port']],
    ['a port without a host', { ...kafka, destination: { port: 1, topic: 't' } }, ['destination.host']],
    ['no topic', { ...kafka, destination: {} }, ['destination.topic']],
    ['an empty topic', { ...kafka, destination: { topic: '' } }, ['destination.topic']],
    ['a topic called .', { ...kafka, destination: { topic: '.' } }, ['destination.topic']],
    ['a topic called ..', { ...kafka, destination: { topic: '..' } }, ['destination.topic']],
    ['a topic of 250 characters', { ...kafka, destination: { topic: 'x'.repeat(250) } }, ['destination.topic']],
    ['a topic with a space', { ...kafka, destination: { topic: 'a b' } }, ['destination.topic']],
    ['a topic with a slash', { ...kafka, destination: { topic: 'a/b' } }, ['destination.topic']],
    ['a topic with an umlaut', { ...kafka, destination: { topic: 'bücher' } }, ['destination.topic']],
    ['a host with a scheme', { ...kafka, destination: { host: 'http://h', port: 1, topic: 't' } }, ['destination.host']],
    ['a host with a port in it', { ...kafka, destination: { host: 'h:1', port: 1, topic: 't' } }, ['destination.host']],
    ['an empty key', { ...kafka, destination: { topic: 't', key: '' } }, ['destination.key']],
    ['a header that is a number', { ...kafka, destination: { topic: 't', headers: { a: 1 } } }, ['destination.headers.a']],
    ['a header as it is shown', { ...kafka, destination: { topic: 't', headers: { a: 'b', token: '***' } } }, ['destination.headers.token']],
    ['a header of the dead destination as it is shown', { ...kafka, dead_destination: { topic: 't', headers: { token: '***' } } }, ['dead_destination.headers.token']],
    ['a host of 256 characters', { ...http, destination: { url: `http://${'a'.repeat(256)}/` } }, ['destination.url']],
    ['a host of 256 characters behind a user', { ...http, destination: { url: `http://user@${'a.'.repeat(128)}` } }, ['destination.url']],
    ['a user and password as they are shown', { ...http, destination: { url: 'https://***@a/' } }, ['destination.url']],
    ['a password as it would be shown', { ...http, destination: { url: 'https://user:***@a:8443' } }, ['destination.url']],
    ['a flow key as it is shown', { ...http, flow_key: '***' }, ['flow_key']],
    ['headers in a list', { ...kafka, destination: { topic: 't', headers: ['a'] } }, ['destination.headers']],
    ['no dead destination', { ...http, dead_destination: undefined }, ['dead_destination']],
    ['no dead destination, with on_exhausted mistyped', { ...http, on_exhausted: 'Park', dead_destination: undefined }, ['on_exhausted', 'dead_destination']],
    ['a dead destination of the other type, not said', { ...http, dead_destination: { topic: 't' } }, ['dead_destination.url', 'dead_destination.topic']],
    ['a dead destination type that does not fit', { ...http, dead_destination_type: 'kafka' }, ['dead_destination.topic', 'dead_destination.url']],
    ['a dead destination type of tomorrow', { ...http, dead_destination_type: 'sqs' }, ['dead_destination_type']],
    ['a bad dead destination although parking', { ...http, on_exhausted: 'park', dead_destination: { url: 'x' } }, ['dead_destination.url']],
    ['no max_retries', { ...http, max_retries: undefined }, ['max_retries']],
    ['max_retries below 0', { ...http, max_retries: -1 }, ['max_retries']],
    ['max_retries above 100', { ...http, max_retries: 101 }, ['max_retries']],
    ['max_retries that is no whole number', { ...http, max_retries: 1.5 }, ['max_retries']],
    ['max_retries as text', { ...http, max_retries: '3' }, ['max_retries']],
    ['no base_delay', { ...http, base_delay: undefined }, ['base_delay']],
    ['a base_delay of 0', { ...http, base_delay: 0 }, ['base_delay']],
    ['a base_delay below 0', { ...http, base_delay: -1 }, ['base_delay']],
    ['a base_delay of more than a day', { ...http, base_delay: 86_401 }, ['base_delay']],
    ['a base_delay as text', { ...http, base_delay: '10' }, ['base_delay']],
    ['an initial_delay below 0', { ...http, initial_delay: -0.1 }, ['initial_delay']],
    ['an initial_delay of more than a year', { ...http, initial_delay: 31_536_001 }, ['initial_delay']],
    ['an initial_delay of null', { ...http, initial_delay: null }, ['initial_delay']],
    ['a max_delay of 0', { ...http, max_delay: 0 }, ['max_delay']],
    ['a max_delay as text', { ...http, max_delay: '1' }, ['max_delay']],
    ['a jitter of another word', { ...http, jitter: 'decorrelated' }, ['jitter']],
    ['a jitter in capitals', { ...http, jitter: 'Full' }, ['jitter']],
    ['a jitter of null', { ...http, jitter: null }, ['jitter']],
    ['a jitter that is a boolean', { ...http, jitter: true }, ['jitter']],
    ['no message', { ...http, message_data: undefined }, ['message_data']],
    ['an empty message', { ...http, message_data: '' }, ['message_data']],
    ['a message that is an object', { ...http, message_data: { a: 1 } }, ['message_data']],
    ['a message with half of a surrogate pair', { ...http, message_data: '\ud83d' }, ['message_data']],
    ['is_priority as text', { ...http, is_priority: 'true' }, ['is_priority']],
    ['is_priority as a number', { ...http, is_priority: 1 }, ['is_priority']],
    ['on_exhausted of another word', { ...http, on_exhausted: 'drop' }, ['on_exhausted']],
    ['an unknown key', { ...http, retries: 3 }, ['retries']],
    ['several unknown keys', { ...http, a: 1, b: 2 }, ['a', 'b']],
  ];
  // The parser of WHATWG makes a host of the most of them, without a word.
  const repaired = [
    'http:///a/', 'http:////a/', 'http:/a/', 'http:a/', 'https:a', 'http:', 'http://', 'http:\\\\a/', 'http:/\\a/', 'http:\\/a/', 'http://\\a/',
    'http://a\\b/', 'http://a\\@b/', 'http://a/b\\c', 'http://a/..\\b', 'http://?a', 'http://#a', 'http:///?@a', ' http://a/', 'http://a/ ', '\thttp://a/', 'http://a/\n',
    'ht\ntp://a/', 'http:/\t/a/', 'http://a\rb/', 'http://a/b\tc', 'http://a/b c', '\u0000http://a/', 'http://a/\u0000', '\ufeffhttp://a/', 'http://a\u00adb/', 'http://a\u200bb/', 'http://a\u2060/',
    'http://user:pass\\word@a/', '//a/', '/a', 'a', 'javascript:http://a/', 'http//a/', 'http;//a/', 'blob:http://a/',
  ];
  for (const url of repaired) {
    it(`refuses the url ${JSON.stringify(url)}`, () => {
      expect(fieldsOf({ ...http, destination: { url } })).to.deep.equal(['destination.url']);
    });
  }

  const usual = [
    'http://a', 'HTTP://A/', 'https://a:8443/', 'http://a?b', 'http://a/?b=\\c', 'http://a/#b\\c', 'http://[::1]:80/', 'http://user:p%5Cw@a/', 'http://a//b', 'http://a/b%5Cc', 'http://a/../b', 'http://bücher.example/ü',
    'http://a./', 'http://a/\u200d', 'http://127.1/', 'http://***/', 'http://a/***@b', 'http://a?***@', 'http://****@a/', 'http://***:x@a/', 'http://user:%2A%2A%2A@a/',
    'http://a_b.c/', 'http://_a/', 'http://☃.net/', 'http://%41.com/', 'http://a/${id}', 'http://a/{id}?{{b}}#<c>', 'http://${user}:{p}@a/', 'http://a?${b}', 'http://a#{b}', 'http://[::ffff:1.2.3.4]/',
    `http://${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(61)}/${'x'.repeat(300)}`, `http://${'u'.repeat(300)}@a:8080?${'x'.repeat(300)}`,
  ];
  for (const url of usual) {
    it(`takes the url ${JSON.stringify(url)}`, () => {
      expect(parse({ ...http, destination: { url } }).destination).to.deep.equal({ type: 'http', url });
    });
  }

  it('repeats no value in what it says, since a value may be a secret', () => {
    const secret = 'hunter2';
    const wrong: readonly object[] = [
      ...['id', 'source', 'client_id', 'flow_key'].map((field) => ({ [field]: `${secret}\n` })),
      ...['max_retries', 'base_delay', 'initial_delay', 'max_delay', 'is_priority', 'on_exhausted', 'jitter', 'destination_type', 'destination', 'dead_destination'].map((field) => ({ [field]: secret })),
      ...[`ftp://user:${secret}@a/`, `http:///${secret}`, `http://a\\${secret}`, `http://a/${secret} `, `http://user:${secret}@/`, secret].map((url) => ({ destination: { url } })),
      { message_data: [secret] },
    ];
    const wrongForKafka = [{ host: `${secret}/`, port: 1 }, { host: 'a', port: secret }, { host: 'a', port: `9${secret}` }, { topic: `${secret}/` }, { key: `${secret}\n` }, { headers: { a: [secret] } }, { headers: secret }];
    const said = (input: unknown): string => {
      try {
        parse(input);
        return 'nothing';
      } catch (error) {
        if (!(error instanceof RequestError)) throw error;
        return `${error.message} ${JSON.stringify(error.details)}`;
      }
    };
    for (const text of [...wrong.map((changes) => said({ ...http, ...changes })), ...wrongForKafka.map((changes) => said({ ...kafka, destination: { topic: 't', ...changes } }))]) {
      expect(text).to.match(/must|required|not allowed|length/).and.not.contain(secret);
    }
  });

  for (const value of ['', '**', '****', '*** ', '***,***', '\\*\\*\\*']) {
    it(`takes the header ${JSON.stringify(value)}: only the exact mark stands for a value that is not shown`, () => {
      expect(parse({ ...kafka, destination: { topic: 't', headers: { a: value } } }).destination).to.deep.include({ headers: { a: value } });
    });
  }

  it('takes no long time for an international host of any length', () => {
    const distinct = (count: number): string => Array.from({ length: count }, (_, nth) => String.fromCodePoint(0x4e00 + ((nth * 7_919) % 0x5000))).join('');
    const { user: before } = process.cpuUsage();
    for (const length of [254, 8_000]) for (let nth = 0; nth < 10; nth += 1) {
      const task = { ...http, destination: { url: `http://${distinct(length)}/` } };
      if (length > 255) expect(fieldsOf(task)).to.deep.equal(['destination.url']);
      else expect(parse(task)).to.have.property('id');
    }
    // It took 2,000 ms.
    expect((process.cpuUsage().user - before) / 1_000, 'ms of CPU').to.be.below(500);
  });

  it('refuses the destination that GET /tasks/:id shows when something of it is hidden', () => {
    const shownOf = (task: object): { readonly destination: object } => toWirePolicy(parse(task), defaultPathMask) as { readonly destination: object };
    const withHeader = { ...kafka, destination: { topic: 't', headers: { a: 'b' } } };
    expect(fieldsOf({ ...withHeader, destination: shownOf(withHeader).destination })).to.deep.equal(['destination.headers.a']);
    for (const url of ['http://user:password@a/b', 'http://user@a/b', 'https://:password@a']) {
      const task = { ...http, destination: { url } };
      expect(fieldsOf({ ...task, destination: shownOf(task).destination }), url).to.deep.equal(['destination.url']);
    }
    for (const task of [http, kafka]) expect(parse({ ...task, destination: shownOf(task).destination }).destination).to.deep.equal(parse(task).destination);
  });

  for (const [name, input, fields] of table) {
    it(`refuses ${name}`, () => {
      expect(fieldsOf(input)).to.have.members(fields);
    });
  }

  for (const port of [0, 65_536, 1.5, -1, '0', '65536', '9092x', ' 9092', '', '1e3', '+1', null, true, [1]]) {
    it(`refuses the port ${JSON.stringify(port)}, with one sentence`, () => {
      const error = refusal({ ...kafka, destination: { host: 'h', port, topic: 't' } });
      expect(error.details).to.deep.equal([{ field: 'destination.port', message: 'destination.port must be a port from 1 to 65535' }]);
    });
  }

  for (const input of [null, undefined, [], [http], 'text', 1, true]) {
    it(`refuses ${JSON.stringify(input)} as a task`, () => {
      expect(refusal(input).code).to.equal('invalid_task');
    });
  }

  it('names every violation at once', () => {
    const fields = fieldsOf({ id: '', source: 1, destination_type: 'kafka', destination: { topic: 'a b', url: 'x' }, dead_destination: {}, max_retries: -1, base_delay: 0, message_data: '', is_priority: 1, unknown: 1 });
    expect(fields).to.have.members(['id', 'source', 'client_id', 'destination.topic', 'destination.url', 'dead_destination.topic', 'max_retries', 'base_delay', 'message_data', 'is_priority', 'unknown']);
  });

  for (const host of ['::1]/x', ':\n:1', '::1]:9/[', 'a b', 'a/b', '[::1]', '::g']) {
    it(`refuses the host ${JSON.stringify(host)}`, () => {
      expect(fieldsOf({ ...kafka, destination: { host, port: 9092, topic: 't' } })).to.deep.equal(['destination.host']);
    });
  }
  for (const host of ['::1', '10.0.0.1', 'broker-1.internal', '2001:db8::1']) {
    it(`takes the host ${host}`, () => {
      expect(parse({ ...kafka, destination: { host, port: 9092, topic: 't' } }).destination).to.deep.include({ broker: { host, port: 9092 } });
    });
  }

  for (const url of ['http://ex\nam.ple/', 'http://h/\u0000', 'http://x/ ', ' http://x/', 'http://x/a b', 'http://x:0/']) {
    it(`refuses the url ${JSON.stringify(url)}`, () => {
      expect(fieldsOf({ ...http, destination: { url } })).to.deep.equal(['destination.url']);
    });
  }

  it('refuses an object of far too many keys as a whole, and soon', () => {
    const wide = Object.fromEntries(Array.from({ length: 125_000 }, (_, index) => [`k${index}`, 1]));
    expect(refusal({ ...http, ...wide }).details).to.have.lengthOf(1);
    expect(fieldsOf({ ...kafka, destination: { topic: 't', headers: wide } })).to.deep.equal(['destination.headers']);
    expect(fieldsOf({ ...http, dead_destination: wide })).to.deep.equal(['dead_destination']);
  });

  it('reports twenty faults of a task that has thousands, and says that there are more', () => {
    const numbers = Object.fromEntries(Array.from({ length: 1_000 }, (_, nth) => [`h${nth}`, nth]));
    const error = refusal({ ...kafka, destination: { topic: 't', headers: numbers }, dead_destination: { topic: 't', headers: numbers } });
    expect(error.details).to.have.lengthOf(20);
    expect(error.details?.[0]).to.deep.equal({ field: 'destination.headers.h0', message: 'destination.headers.h0 must be a string: write it in quotes' });
    expect(error.message).to.match(/; and more$/);
    const unknown = Object.fromEntries(Array.from({ length: 80 }, (_, nth) => [`k${nth}`, nth]));
    expect(fieldsOf({ ...http, ...unknown, destination: { url: 'http://a/', ...unknown } })).to.have.lengthOf(20);
  });

  it('reports a wrong header among right ones', () => {
    const headers = { ...Object.fromEntries(Array.from({ length: 999 }, (_, nth) => [`h${nth}`, 'x'])), wrong: 1 };
    expect(fieldsOf({ ...kafka, destination: { topic: 't', headers } })).to.deep.equal(['destination.headers.wrong']);
    expect(fieldsOf({ ...kafka, destination: { topic: 't', headers: { 'a\nb': 'x' } } })).to.deep.equal(['destination.headers.a\nb']);
  });

  const hard: readonly (readonly [name: string, input: object, field: string])[] = [
    ['an id of 4 MiB', { ...http, id: 'x'.repeat(4 * 1_048_576) }, 'id'],
    ['a host of colons', { ...kafka, destination: { topic: 't', port: 1, host: `${':'.repeat(200_000)}z` } }, 'destination.host'],
    ['a url of 4 MiB', { ...http, destination: { url: `http://${'a.'.repeat(2 * 1_048_576)}` } }, 'destination.url'],
    ['a topic of 4 MiB', { ...kafka, destination: { topic: 't'.repeat(4 * 1_048_576) } }, 'destination.topic'],
    ['a key of 4 MiB', { ...kafka, destination: { topic: 't', key: 'k'.repeat(4 * 1_048_576) } }, 'destination'],
  ];
  for (const [name, input, field] of hard) {
    it(`refuses ${name} in milliseconds`, () => {
      const { user: before } = process.cpuUsage();
      expect(fieldsOf(input)).to.deep.equal([field]);
      // About 20 ms are seen. An array of the code points took 150 ms and more, and the colons took minutes.
      expect((process.cpuUsage().user - before) / 1_000).to.be.below(100);
    });
  }

  it('refuses a key called __proto__ by its name, and takes nothing from it', () => {
    expect(fieldsOf(withJson(http, '"__proto__":{"id":"other"}'))).to.deep.equal(['__proto__']);
    const { id: _id, ...withoutId } = http;
    expect(fieldsOf(withJson(withoutId, '"__proto__":{"id":"other"}'))).to.have.members(['id', '__proto__']);
    expect(fieldsOf({ ...http, destination: withJson({ url: 'http://a/' }, '"__proto__":{}') })).to.deep.equal(['destination.__proto__']);
  });

  for (const key of ['constructor', 'prototype', 'toString', 'hasOwnProperty']) {
    it(`refuses a key called ${key} by its name`, () => {
      expect(fieldsOf(withJson(http, `"${key}":1`))).to.deep.equal([key]);
    });
  }

  it('keeps a Kafka header called __proto__, or refuses it by name: never drops it in silence', () => {
    const input = { ...kafka, destination: withJson({ topic: 't' }, '"headers":{"__proto__":"x","a":"b"}') };
    let names: string[];
    try {
      const { destination } = parse(input);
      names = destination.type === 'kafka' ? Object.keys(destination.headers ?? {}) : [];
    } catch (error) {
      names = error instanceof RequestError ? (error.details ?? []).map(({ field }) => field.replace('destination.headers.', '')) : [];
    }
    expect(names).to.include('__proto__');
  });

  it('says too_large when the size of the message is all that is wrong, and invalid_task when it is not', () => {
    const tooLarge = { ...http, message_data: 'x'.repeat(MAX_MESSAGE_BYTES + 1) };
    expect(refusal(tooLarge).code).to.equal('too_large');
    expect(refusal({ ...http, message_data: '€'.repeat(334) }).code).to.equal('too_large');
    expect(refusal({ ...tooLarge, id: '' }).code).to.equal('invalid_task');
  });

  it('refuses more than 32 KiB of key and headers', () => {
    const headers = (bytes: number): Record<string, string> => ({ a: 'x'.repeat(bytes - 2) });
    expect(parse({ ...kafka, destination: { topic: 't', key: 'k', headers: headers(32_768) } })).to.have.property('id');
    expect(fieldsOf({ ...kafka, destination: { topic: 't', key: 'k', headers: headers(32_769) } })).to.deep.equal(['destination']);
  });

  it('never repeats the message in what it says', () => {
    const error = refusal({ ...http, message_data: `secret${'x'.repeat(MAX_MESSAGE_BYTES)}` });
    expect(error.message).to.not.contain('secret');
    expect(JSON.stringify(error.details)).to.not.contain('secret');
  });
});

describe('task schema: what it says to a newcomer', () => {
  /** What is said about one field. */
  function saidOf(field: string, input: unknown): string {
    return refusal(input).details?.find((violation) => violation.field === field)?.message ?? '';
  }

  const unknown: readonly (readonly [field: string, input: object, said: string])[] = [
    ['isPriority', { ...http, isPriority: true }, 'isPriority is not allowed: did you mean is_priority?'],
    ['priority', { ...http, priority: true }, 'priority is not allowed: did you mean is_priority?'],
    ['delay', { ...http, delay: 1 }, 'delay is not allowed: did you mean base_delay, initial_delay or max_delay?'],
    ['payload', { ...http, payload: 'x' }, 'payload is not allowed: did you mean message_data?'],
    ['url', { ...http, url: 'http://a/' }, 'url is not allowed: did you mean destination.url?'],
    ['topic', { ...http, topic: 't' }, 'topic is not allowed: did you mean destination.topic?'],
    ['contentType', { ...http, contentType: 'text/plain' }, 'contentType is not allowed: did you mean destination.content_type?'],
    ['dest', { ...http, dest: {} }, 'dest is not allowed: did you mean destination?'],
    ['delay_ms', { ...http, delay_ms: 1 }, 'delay_ms is not allowed: did you mean base_delay, initial_delay or max_delay?'],
    ['retryPolicy', { ...http, retryPolicy: {} }, 'retryPolicy is not allowed: did you mean max_retries or base_delay?'],
    ['deadLetter', { ...http, deadLetter: {} }, 'deadLetter is not allowed: did you mean dead_destination?'],
    ['deadLetterQueue', { ...http, deadLetterQueue: 'q' }, 'deadLetterQueue is not allowed: did you mean dead_destination?'],
    ['retry_count', { ...http, retry_count: 3 }, 'retry_count is not allowed: did you mean max_retries?'],
    ['msg', { ...http, msg: 'x' }, 'msg is not allowed: did you mean message_data?'],
    ['is_urgent', { ...http, is_urgent: true }, 'is_urgent is not allowed: did you mean is_priority?'],
    ['idempotency_key', { ...http, idempotency_key: 'x' }, 'idempotency_key is not allowed: Idempotency-Key is a header'],
    ['destination.type', { ...http, destination: { url: 'http://a/', type: 'http' } }, 'destination.type is not allowed: destination_type stands beside destination, not in it'],
    ['dead_destination.type', { ...http, dead_destination: { url: 'http://a/', type: 'http' } }, 'dead_destination.type is not allowed: dead_destination_type stands beside dead_destination, not in it'],
    ['verbose', { ...http, verbose: true }, 'verbose is not allowed'],
    ['destination.uri', { ...http, destination: { uri: 'http://a/' } }, 'destination.uri is not allowed: did you mean url?'],
    ['destination.max_retries', { ...http, destination: { url: 'http://a/', max_retries: 1 } }, 'destination.max_retries is not allowed: max_retries stands beside destination, not in it'],
    ['destination.topic', { ...http, destination: { url: 'http://a/', topic: 't' } }, 'destination.topic is not allowed: it belongs to a destination of type kafka, and this one is http'],
    ['destination.brokers', { ...kafka, destination: { topic: 't', brokers: ['a:1'] } }, 'destination.brokers is not allowed: did you mean host and port?'],
    ['destination.topci', { ...kafka, destination: { topic: 't', topci: 't' } }, 'destination.topci is not allowed: did you mean topic?'],
    ['destination.xyz', { ...kafka, destination: { topic: 't', xyz: 1 } }, 'destination.xyz is not allowed; known: host, port, topic, key, headers'],
    ['dead_destination.uri', { ...http, dead_destination: { uri: 'x' } }, 'dead_destination.uri is not allowed: did you mean url?'],
    ['destination.url', { ...kafka, destination: { url: 'http://a/' } }, 'destination.url is not allowed: it belongs to a destination of type http, and this one is kafka'],
    ['dead_destination.url', { ...kafka, dead_destination: { url: 'http://a/' } }, 'dead_destination.url is not allowed: it belongs to a destination of type http, and this one is kafka; dead_destination_type says of which type dead_destination is'],
    ['dead_destination.topic', { ...http, dead_destination: { topic: 't' } }, 'dead_destination.topic is not allowed: it belongs to a destination of type kafka, and this one is http; dead_destination_type says of which type dead_destination is'],
    ['scheduled_at', { ...http, scheduled_at: '2026-12-01T00:00:00Z' }, 'scheduled_at is not allowed: did you mean initial_delay?'],
    ['sendAt', { ...http, sendAt: 1 }, 'sendAt is not allowed: did you mean initial_delay?'],
  ];
  for (const [field, input, said] of unknown) {
    it(`about the unknown field ${field}: ${said}`, () => {
      expect(saidOf(field, input)).to.equal(said);
    });
  }

  it('about unknown fields of an edit, of an override and of a test send, as far as the field that is meant may stand there', () => {
    const edit = (name: string) => (): unknown => readPatch({ [name]: 1 });
    const override = (name: string, value: unknown = 1) => (): unknown => {
      const faults: OverrideFault[] = [];
      parseOverride({ [name]: value }, parse, faults);
      throw new RequestError('invalid_request', faults.map(({ message }) => message).join());
    };
    const testSend = (name: string) => (): unknown => parseTestSend({ [name]: 1 }, 'id', parse);
    for (const [run, said] of [
      [edit('payload'), 'payload is not allowed: did you mean message_data?'],
      [edit('contentType'), 'contentType is not allowed: did you mean destination.content_type?'],
      [edit('dlq'), 'dlq is not allowed: did you mean dead_destination?'],
      [edit('tenant'), 'tenant is not allowed'],
      [edit('idempotency_key'), 'idempotency_key is not allowed'],
      [override('url'), 'override.url is not allowed: did you mean destination.url?'],
      [override('attempts'), 'override.attempts is not allowed: did you mean max_retries?'],
      [override('destination', { uri: 'x' }), 'override.destination.url is required,override.destination.uri is not allowed: did you mean url?'],
      [override('destination', { topics: 'x' }), 'override.destination.topic is required,override.destination.topics is not allowed: did you mean topic?'],
      [override('payload'), 'override.payload is not allowed'],
      [testSend('body'), 'body is not taken here: did you mean message_data?'],
      [testSend('topic'), 'topic is not taken here: did you mean destination.topic?'],
      [testSend('attempts'), 'attempts is not taken here'],
    ] as const) {
      expect(run).to.throw(RequestError).with.property('message', said);
    }
  });

  it('that an object is no text, and how to make one of it', () => {
    for (const value of [{ a: 1 }, [1]]) {
      expect(saidOf('message_data', { ...http, message_data: value })).to.equal(String.raw`message_data must be a string: JSON.stringify it, as in "message_data":"{\"a\":1}"`);
    }
    expect(saidOf('message_data', { ...http, message_data: 5 })).to.equal('message_data must be a string');
    expect(saidOf('destination.headers.a', { ...kafka, destination: { topic: 't', headers: { a: {} } } })).to.equal('destination.headers.a must be a string: JSON.stringify it');
  });

  const wrong: readonly (readonly [field: string, change: object, said: string])[] = [
    ['max_retries', { max_retries: '3' }, 'must be a number: write 3 without quotes'],
    ['max_retries', { max_retries: 'three' }, 'must be a number'],
    ['max_retries', { max_retries: '500' }, 'must be a number, and must be less than or equal to 100'],
    ['max_retries', { max_retries: '-1' }, 'must be a number, and must be greater than or equal to 0'],
    ['max_retries', { max_retries: '2.5' }, 'must be a number, and must be an integer'],
    ['base_delay', { base_delay: '0' }, 'must be a number, and must be greater than 0'],
    ['base_delay', { base_delay: '0s' }, 'must be a number of seconds, and must be greater than 0'],
    ['max_delay', { max_delay: '2 days' }, 'must be a number of seconds, and must be less than or equal to 86400'],
    ['base_delay', { base_delay: '1.50' }, 'must be a number: write 1.5 without quotes'],
    ['base_delay', { base_delay: '500ms' }, 'must be a number of seconds: write 0.5 without quotes'],
    ['base_delay', { base_delay: '5s' }, 'must be a number of seconds: write 5 without quotes'],
    ['max_delay', { max_delay: '5 minutes' }, 'must be a number of seconds: write 300 without quotes'],
    ['max_delay', { max_delay: '1M' }, 'must be a number of seconds: write 60 without quotes'],
    ['initial_delay', { initial_delay: '+2h' }, 'must be a number of seconds: write 7200 without quotes'],
    ['initial_delay', { initial_delay: '1d' }, 'must be a number of seconds: write 86400 without quotes'],
    ['initial_delay', { initial_delay: 'soon' }, 'must be a number of seconds'],
    ['initial_delay', { initial_delay: '2026-12-01T00:00:00Z' }, 'must be a number of seconds, not a time'],
    ['initial_delay', { initial_delay: `9${' '.repeat(60)}` }, 'must be a number'],
    ['is_priority', { is_priority: 'True' }, 'must be a boolean: write true without quotes'],
    ['is_priority', { is_priority: 1 }, 'must be a boolean: true or false'],
    ['destination_type', { destination_type: 'HTTP' }, 'must be one of [kafka, http]: did you mean http?'],
    ['destination_type', { destination_type: 'webhook' }, 'must be one of [kafka, http]: did you mean http?'],
    ['destination_type', { destination_type: 'topic' }, 'must be one of [kafka, http]: did you mean kafka?'],
    ['destination_type', { destination_type: 'rabbitmq' }, 'must be one of [kafka, http]'],
    ['dead_destination_type', { dead_destination_type: 'https' }, 'must be one of [kafka, http]: did you mean http?'],
    ['on_exhausted', { on_exhausted: 'dead-letter' }, 'must be one of [dead_letter, park]: did you mean dead_letter?'],
    ['jitter', { jitter: 'FULL' }, 'must be one of [none, equal, full]: did you mean full?'],
    ['destination.method', { destination: { url: 'http://a/', method: 'post' } }, 'must be one of [POST, PUT, PATCH]: did you mean POST?'],
    ['destination.method', { destination: { url: 'http://a/', method: 'GET' } }, 'must be one of [POST, PUT, PATCH]'],
    ['destination', { destination: 'http://a/?token=secret' }, 'must be of type object, as in "destination":{"url":"https://api.example.com/orders"}'],
    ['dead_destination', { dead_destination_type: 'kafka', dead_destination: 'orders' }, 'must be of type object, as in "dead_destination":{"topic":"orders"}'],
    ['destination', { destination: null }, 'must be of type object'],
    ['destination.headers', { destination: { url: 'http://a/', headers: ['Authorization: secret'] } }, 'must be of type object, as in "headers":{"X-Name":"value"}'],
    ['destination.headers', { destination: { url: 'http://a/', headers: 'Authorization: secret' } }, 'must be of type object, as in "headers":{"X-Name":"value"}'],
    ['destination.headers.a', { destination: { url: 'http://a/', headers: { a: 5 } } }, 'must be a string: write it in quotes'],
    ['id', { id: 1001 }, 'must be a string: write it in quotes'],
    ['id', { id: null }, 'must be a string'],
    ['flow_key', { flow_key: true }, 'must be a string: write it in quotes'],
    ['destination.url', { destination: { url: 5 } }, 'must be a string, and must be an absolute http or https url, such as https://api.example.com/orders'],
    ['destination.host', { destination_type: 'kafka', destination: { host: -1, port: 1, topic: 't' } }, 'must be a string, and must be a host name or an IP address'],
    ['destination.topic', { destination_type: 'kafka', destination: { topic: 5 } }, 'must be a string: write it in quotes'],
  ];
  for (const [field, change, said] of wrong) {
    it(`about ${field} in ${JSON.stringify(change)}: ${said}`, () => {
      expect(saidOf(field, { ...http, ...change })).to.equal(`${field} ${said}`);
    });
  }

  it('one thing about a value that is none of the choices, and no text either', () => {
    for (const destination_type of [null, 5]) expect(refusal({ ...http, destination_type }).message).to.equal('destination_type must be one of [kafka, http]');
  });

  it('which of two fields that belong together is missing', () => {
    expect(refusal({ ...kafka, destination: { topic: 't', host: 'a' } }).message).to.equal('destination.port is required, since there is destination.host');
    expect(refusal({ ...kafka, destination: { topic: 't', port: 1 } }).message).to.equal('destination.host is required, since there is destination.port');
    expect(refusal({ ...kafka, destination: { topic: 't', port: 1 } }).details?.map(({ field }) => field)).to.deep.equal(['destination.host']);
  });

  it('that an array of tasks is a batch', () => {
    expect(refusal([http]).message).to.contain('POST /tasks/batch');
  });

  it('that a task was stringified twice', () => {
    expect(refusal(JSON.stringify(http)).message).to.equal('task must be of type object: it is a text with JSON in it, so it was stringified twice');
    expect(refusal('text').message).to.equal('task must be of type object');
  });

  const urls: readonly (readonly [url: string, said: string])[] = [
    ['localhost:9092', ': did you mean http://localhost:9092/?'],
    ['localhost:8080/hook?token=secret', ': did you mean http://localhost:8080/...?'],
    ['api.example.com', ': did you mean http://api.example.com/?'],
    ['user:secret@api.example.com/secret', ': did you mean http://api.example.com/...?'],
    ['//api.example.com/a', ': did you mean http://api.example.com/...?'],
    ['https:/api.example.com', ': did you mean https://api.example.com/?'],
    ['http//api.example.com', ': did you mean http://api.example.com/?'],
    ['htp://api.example.com', ': did you mean http://api.example.com/?'],
    ['[::1]:8080', ': did you mean http://[::1]:8080/?'],
    ['kafka://localhost:9092/orders', ': to send to Kafka, use destination_type kafka, with host, port and topic'],
    ['/hook', ', such as https://api.example.com/orders'],
    ['10.0.0.999', ', such as https://api.example.com/orders'],
    ['10.0.0.999:80/a', ', such as https://api.example.com/orders'],
    ['?', ', such as https://api.example.com/orders'],
  ];
  for (const [url, said] of urls) {
    it(`about the url ${url}${said}`, () => {
      expect(saidOf('destination.url', { ...http, destination: { url } })).to.equal(`destination.url must be an absolute http or https url${said}`);
    });
  }

  const unfilled: readonly (readonly [url: string, said: string])[] = [
    ['http://${HOST}/x', '${...}'],
    ['https://api-${secret}.example.com:8443/x', '${...}'],
    ['http://user:p@${HOST}', '${...}'],
    ['http://a:${PORT}/x', '${...}'],
    ['${BASE_URL}/x', '${...}'],
    ['http://$HOST/x', '$...'],
    ['$BASE_URL', '$...'],
    ['http://{{HOST}}/x', '{{...}}'],
    ['http://{{ .Values.host }}/x', '{{...}}'],
    ['{{ base_url }}/x', '{{...}}'],
    ['http://{host}/x', '{...}'],
    ['http://%HOST%/x', '%...%'],
    ['http://#{host}/x', '#{...}'],
    ['http://<host>/x', '<...>'],
  ];
  for (const [url, said] of unfilled) {
    it(`that a ${said} was not filled in, in the url ${url}`, () => {
      expect(saidOf('destination.url', { ...http, destination: { url } })).to.equal(`destination.url must be an absolute http or https url: a ${said} was not filled in`);
    });
  }

  it('that no host has the characters of a placeholder', () => {
    for (const url of ['http://a}/', 'http://a%24b/', 'http://%7Bhost%7D/']) {
      expect(saidOf('destination.url', { ...http, destination: { url } })).to.equal('destination.url must not have the characters $ { } in its host');
    }
    expect(saidOf('destination.host', { ...kafka, destination: { host: '${BROKER}', port: 1, topic: 't' } })).to.equal('destination.host must be a host name or an IP address: a ${...} was not filled in');
  });

  const hosts: readonly (readonly [host: string, said: string])[] = [
    ['localhost:9092', ': did you mean host "localhost" and port 9092?'],
    ['kafka://localhost:9092', ': did you mean host "localhost" and port 9092?'],
    ['PLAINTEXT://user:secret@broker-1:9092/', ': did you mean host "broker-1" and port 9092?'],
    ['http://localhost', ': did you mean host "localhost"?'],
    ['10.0.0.1:9092', ': did you mean host "10.0.0.1" and port 9092?'],
    ['[::1]:9092', ': did you mean host "::1" and port 9092?'],
    ['a:9092,b:9092', ': did you mean host "a" and port 9092? One broker is enough: it names the others.'],
    ['_broker:9092', ''],
    ['-', ''],
  ];
  for (const [host, said] of hosts) {
    it(`about the host ${host}${said}`, () => {
      expect(saidOf('destination.host', { ...kafka, destination: { host, port: 1, topic: 't' } })).to.equal(`destination.host must be a host name or an IP address${said}`);
    });
  }
});

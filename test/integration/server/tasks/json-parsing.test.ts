import { gzipSync } from 'node:zlib';
import { expect } from 'chai';

import { sendRaw } from '../../../support/raw-request.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { httpTask, uniqueId } from '../../../support/tasks.js';

/** What RFC 8259 says of a text. `either`: it is left to the reader, but must be refused in good order if at all. */
type Verdict = 'json' | 'no json' | 'either';

const texts: readonly (readonly [text: string | Buffer, verdict: Verdict])[] = [
  // values
  ...['null', 'true', 'false', '0', '-0', '1', '-1.5', '1e3', '1E+3', '1e-3', '123456789012345678901234567890', '0.1e1', '""', '"a"', '[]', '[ ]', '{}', '{ }', '[1,2]', '[[],{}]', '{"a":1}', '{"a":{"b":[null]}}', '{"":0}'].map((text) => [text, 'json'] as const),
  // white space
  ...[' 1', '1 ', '\t[\n1\r\n]\r', '{ "a" : 1 }'].map((text) => [text, 'json'] as const),
  ...['', ' ', '\n', '\u00a01', '1\u00a0', '\u20281', '\u000c1', '\u000b[]', '\u30001', '\u200b1', '[\u2060]'].map((text) => [text, 'no json'] as const),
  // texts
  ...['"\\u0000"', '"\\"\\\\\\/\\b\\f\\n\\r\\t"', '"\\u00e4\\uD83D\\uDE00"', '"\u2028\u2029"', '"\u007f"', '"\ud83d\ude00"', '"\ufdd0\uffff"', '"\ufeff"', '"\u202e"'].map((text) => [text, 'json'] as const),
  ...['"\t"', '"\n"', '"\u0000"', '"\u001f"', '"\\x41"', '"\\a"', '"\\u12"', '"\\u{41}"', '"\\U0041"', '"\\\'"', '"\\', '"', '"a', 'a"', "'a'", '`a`', '"\\\n"', '"\\u 041"', '"a" "b"', '\u201ca\u201d'].map((text) => [text, 'no json'] as const),
  ...['"\\ud800"', '"\\udc00\\ud800"', '"\\ud800x"'].map((text) => [text, 'either'] as const),
  // numbers
  ...['01', '-', '+1', '.5', '1.', '1.e1', '1e', '1e+', '0x10', '0o7', '0b1', '1_000', '1,5', '--1', '1-1', '\uff11', 'Infinity', '-Infinity', 'NaN', '-NaN', '1n', '1f', '0e', '-.5', '1 000', '\u221e'].map((text) => [text, 'no json'] as const),
  ...['1e400', '-1e400', '1e-400', '1'.repeat(2_000), `0.${'0'.repeat(2_000)}1`, '1e99999999999999999999'].map((text) => [text, 'either'] as const),
  // words
  ...['True', 'TRUE', 'nul', 'nulll', 'tru', 'undefined', 'None', 'a', 'truefalse', 'null null', '\u0000', '$', '*'].map((text) => [text, 'no json'] as const),
  // arrays
  ...['[', ']', '[1', '1]', '[1,]', '[,1]', '[1,,2]', '[,]', '[1 2]', '[1;2]', '[1:2]', '[]]', '[[]', '[1}', '[1]x', '[a]', '[*]', '[""', '["a]', '[1],[2]', '(1)', '<1>'].map((text) => [text, 'no json'] as const),
  // objects
  ...['{', '}', '{"a"', '{"a":', '{"a":1', '{"a"}', '{"a":}', '{:1}', '{"a":1,}', '{,"a":1}', '{"a":1,,"b":2}', '{"a":1 "b":2}', '{"a" 1}', '{"a"::1}', '{a:1}', "{'a':1}", '{1:1}', '{null:1}', '{[]:1}', '{"a":1]', '{"a":1}}', '{"a":1}{"b":2}', '{"a":1}#', '{"a":1}/**/', '{/**/"a":1}', '// a\n{}', '{"a":1}\u0000', '{"a":a}', '{{}}', '{"a":"b}', '{...}'].map((text) => [text, 'no json'] as const),
  // names
  ...['{"a":1,"a":2}', '{"a":1,"\\u0061":2}', '{"__proto__":{"x":1}}', '{"constructor":{"prototype":{"x":1}}}', '{"toString":1}', '{"hasOwnProperty":0,"length":-1}', '{"\\u0000":1}'].map((text) => [text, 'json'] as const),
  // depth
  [`${'['.repeat(20)}${']'.repeat(20)}`, 'json'],
  ['['.repeat(500) + ']'.repeat(500), 'either'],
  [`${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`, 'either'],
  ['['.repeat(100_000), 'either'],
  ['{"a":'.repeat(50_000), 'either'],
  [`${'['.repeat(50_000)}1${']'.repeat(49_999)}`, 'either'],
  // bytes
  [Buffer.from('\ufeff{}'), 'no json'],
  [Buffer.from('"a"', 'utf16le'), 'no json'],
  [Buffer.from('\ufeff"a"', 'utf16le'), 'no json'],
  ...['22ff22', '22c022', '22c0af22', '22c32822', '22e2822822', '22eda08022', '22edb080eda08022', '22f080808022', '22f4908080', '22f888808080', '2280', 'ff', 'fe', '5bff5d', '7b22ff223a317d', '22e282'].map((hex) => [Buffer.from(hex, 'hex'), 'no json'] as const),
];

const whole = JSON.stringify(httpTask('http://127.0.0.1:9/', { id: 'placeholder', initial_delay: 3_600 }));

/** A request that holds a text at one place, and how to see what became of it. */
interface Place {
  readonly name: string;
  readonly method?: string;
  readonly path: string;
  readonly type?: string;
  readonly body: (text: Buffer) => Buffer;
  /** Code of the refusal of the text. */
  readonly codeOf?: (body: Readonly<Record<string, unknown>>) => unknown;
  /** Texts that this place cannot hold as one. */
  readonly leavesOut?: (text: Buffer) => boolean;
}

const around = (before: string, after: string) => (text: Buffer): Buffer => Buffer.concat([Buffer.from(before), text, Buffer.from(after)]);
const codeOfFirst = ({ code, results }: Readonly<Record<string, unknown>>): unknown => (Array.isArray(results) ? (results as readonly { code?: unknown }[])[0]?.code : code);
const hasLineBreak = (text: Buffer): boolean => text.includes('\n');
const isBlank = (text: Buffer): boolean => /^[ \t\r\n]*$/.test(text.toString('latin1'));
/** Between brackets these are two values. */
const isTwo = (text: Buffer): boolean => ['1,5', '[1],[2]'].includes(text.toString('latin1'));

const places: readonly Place[] = [
  { name: 'the body of POST /tasks', path: '/tasks', body: (text) => text },
  { name: 'a field of a task', path: '/tasks', body: around(`${whole.slice(0, -1)},"unknown":`, '}') },
  { name: 'an element of a batch', path: '/tasks/batch', body: around('[', ']'), codeOf: codeOfFirst, leavesOut: (text) => isBlank(text) || isTwo(text) },
  { name: 'a line of a batch', path: '/tasks/batch', type: 'application/x-ndjson', body: around('', '\n'), codeOf: codeOfFirst, leavesOut: (text) => isBlank(text) || hasLineBreak(text) },
  { name: 'the limits of a destination', method: 'PUT', path: '/destinations/json-parsing', body: (text) => text },
  { name: 'a value of the limits', method: 'PUT', path: '/destinations/json-parsing', body: around('{"unknown":', '}') },
];

describe('what is taken for JSON', () => {
  let service: InProcessService;
  before(async () => { service = await InProcessService.ready(); });
  after(() => service.close());

  async function send({ method = 'POST', path, type = 'application/json', body }: Place, text: Buffer): Promise<{ status: number; body: Readonly<Record<string, unknown>> }> {
    // A copy: fetch types want a buffer that is not shared.
    const response = await fetch(`${service.baseUrl}${path}`, { method, headers: { 'content-type': type }, body: new Uint8Array(body(text)) });
    return { status: response.status, body: (await response.json()) as Readonly<Record<string, unknown>> };
  }

  for (const place of places) {
    it(`is so as RFC 8259 says: ${place.name}`, async () => {
      const wrong: string[] = [];
      let tried = 0;
      for (const [text, verdict] of texts) {
        const bytes = Buffer.from(text);
        if (place.leavesOut?.(bytes) === true) continue;
        tried += 1;
        const { status, body } = await send(place, bytes);
        const code = (place.codeOf ?? (({ code: only }) => only))(body);
        const isRefused = code === 'invalid_json';
        const isInOrder = status < 500 && (verdict === 'either' || isRefused === (verdict === 'no json'));
        if (!isInOrder) wrong.push(`${JSON.stringify(bytes.toString('latin1').slice(0, 60))} is ${verdict}: ${status} ${String(code)}`);
      }
      expect(wrong).to.deep.equal([]);
      expect(tried).to.be.above(100);
    });
  }

  describe('says where a fault is', () => {
    const good = JSON.stringify(httpTask('http://127.0.0.1:9/', { id: 'place-ü🚚', initial_delay: 3_600 }));

    /** The errors of a batch, or the one error of the whole answer. In two chunks that part a character. */
    async function errorsOf(path: string, text: string, type = 'application/json'): Promise<readonly string[]> {
      const bytes = Buffer.from(text);
      const cut = Math.max(bytes.indexOf('🚚'), 0) + 2;
      const { text: answer } = await sendRaw(service.baseUrl, { method: 'POST', path, headers: { 'content-type': type }, body: [bytes.subarray(0, cut), bytes.subarray(cut)] });
      const { error, results = [] } = JSON.parse(answer) as { error?: string; results?: readonly { error?: string }[] };
      return error === undefined ? results.flatMap((result) => result.error ?? []) : [error];
    }

    it('in the body of one task, in lines and characters', async () => {
      expect(await errorsOf('/tasks', '{\n "id": "🚚ü",\n "source": "ü🚚" "client_id"}')).to.deep.equal(['the body is not valid JSON at line 3, column 17: a comma or } is missing here']);
      expect(await errorsOf('/tasks', '{id:1}')).to.deep.equal(['the body is not valid JSON at line 1, column 2: a name must stand in double quotes (a shell removes them unless the whole stands in single ones)']);
    });

    it('in a large body', async () => {
      expect(await errorsOf('/tasks', `{"message_data":"${'x'.repeat(300_000)}",\n}`)).to.deep.equal(['the body is not valid JSON at line 2, column 1: there is a comma too many before }']);
    });

    it('in an array of tasks, in the lines of the whole body', async () => {
      const body = `[\n${good},\n  {"id":"🚚",},\n{"a":tru}, {"b":nul}\n]`;
      expect(await errorsOf('/tasks/batch', body)).to.deep.equal([
        'the task is not valid JSON at line 3, column 13: there is a comma too many before }',
        'the task is not valid JSON at line 4, column 6: a text must stand in double quotes',
        'the task is not valid JSON at line 4, column 17: a text must stand in double quotes',
      ]);
    });

    it('in an array that is broken itself: the first fault in it', async () => {
      expect(await errorsOf('/tasks/batch', '[{"a":"🚚},\n{"b":"c"}]')).to.deep.equal(['the body is not a valid JSON array at line 1, column 11: a line break inside a text must be written as \\n']);
      expect(await errorsOf('/tasks/batch', good)).to.deep.equal(['the body is not a JSON array of tasks: put [ ] around the tasks, or send a task a line with Content-Type: application/x-ndjson']);
    });

    it('in tasks on lines, empty ones counted', async () => {
      const body = `${good}\n\n  \n  {"id":"🚚",}\r\n${good}\n{"a":1`;
      expect(await errorsOf('/tasks/batch', body, 'application/x-ndjson')).to.deep.equal([
        'the task is not valid JSON at line 4, column 13: there is a comma too many before }',
        'the task is not valid JSON at line 6, column 7: it ends too early: } is missing',
      ]);
    });

    it('that is no UTF-8', async () => {
      const { text } = await sendRaw(service.baseUrl, { method: 'POST', path: '/tasks', headers: { 'content-type': 'application/json' }, body: Buffer.concat([Buffer.from('{"ü":\n"\ufffd'), Buffer.from([0xff]), Buffer.from('"}')]) });
      expect(JSON.parse(text)).to.include({ code: 'invalid_json', error: 'the body is not valid UTF-8: see line 2, column 3' });
    });

    it('that is UTF-16, or compressed without a word', async () => {
      for (const [body, said] of [
        [Buffer.from(`\ufeff${good}`, 'utf16le'), 'it is UTF-16, as PowerShell writes it'],
        [Buffer.from(`\ufeff${good}`, 'utf16le').swap16(), 'it is UTF-16, as PowerShell writes it'],
        [gzipSync(good), 'it is compressed: send it as it is'],
      ] as const) {
        const { text } = await sendRaw(service.baseUrl, { method: 'POST', path: '/tasks', headers: { 'content-type': 'application/json' }, body });
        expect(JSON.parse(text)).to.include({ code: 'invalid_json', error: `the body is not valid UTF-8: ${said}` });
      }
    });

    it('that there are no tasks', async () => {
      for (const body of ['', ' \n']) expect(await errorsOf('/tasks/batch', body)).to.deep.equal(['the body is empty: send an array of tasks']);
    });
  });

  it('lets none of it change what other objects have', async () => {
    const id = uniqueId();
    const answer = await fetch(`${service.baseUrl}/tasks`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(httpTask('http://127.0.0.1:9/', { id, initial_delay: 3_600 })) });
    expect(answer.status).to.equal(201);
    expect(({} as Record<string, unknown>)['x']).to.equal(undefined);
  });
});

import { createServer, request as sendRequest } from 'node:http';

import { expect } from 'chai';

import { maxBodyBytes, readJsonBody } from '../../../../server/http/json-body.js';
import { listen, type ListeningServer } from '../../../../server/http/listen.js';
import { RequestError } from '../../../../shared/domain/errors.js';

const MAX_BYTES = 100;

/** What a real request came to: the value, or the code of the refusal. */
type Verdict = { readonly value: unknown } | { readonly code: string };

describe('readJsonBody', () => {
  let listening: ListeningServer;
  let port: number;

  before(async () => {
    const server = createServer((request, response) => {
      const answer = (verdict: Verdict): void => { response.end(JSON.stringify(verdict)); };
      readJsonBody({ request, isAccessOld: false, renewAccess: () => Promise.resolve() }, MAX_BYTES).then(
        (value) => { answer({ value }); },
        (error: unknown) => { answer({ code: error instanceof RequestError ? error.code : String(error) }); },
      );
    });
    listening = await listen((request, response) => server.emit('request', request, response), { host: '127.0.0.1', port: 0, logger: console });
    ({ port } = listening);
  });
  after(() => listening.close(1_000));

  /** @param isChunked without Content-Length */
  function send(body: string | Buffer, headers: Record<string, string> = {}, isChunked = false): Promise<Verdict> {
    return new Promise((resolve, reject) => {
      const length = isChunked ? { 'transfer-encoding': 'chunked' } : { 'content-length': String(Buffer.byteLength(body)) };
      const sent = sendRequest({ port, host: '127.0.0.1', method: 'POST', agent: false, headers: { 'content-type': 'application/json', ...length, ...headers } }, (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => { text += chunk.toString(); });
        response.on('end', () => { resolve(JSON.parse(text) as Verdict); });
      });
      sent.on('error', reject);
      sent.end(body);
    });
  }

  const taken: readonly (readonly [name: string, body: string, value: unknown])[] = [
    ['an object', '{"a":"ü🚚"}', { a: 'ü🚚' }],
    ['spaces around it', ' \r\n\t{"a":1} \n', { a: 1 }],
    ['any JSON value: the schema judges it', 'null', null],
    ['an escaped half of a surrogate pair: the schema judges it', '"\\ud83d"', '\ud83d'],
  ];
  for (const [name, body, value] of taken) {
    it(`reads ${name}`, async () => {
      expect(await send(body)).to.deep.equal({ value });
      expect(await send(body, {}, true)).to.deep.equal({ value });
    });
  }

  it('reads a body of exactly the limit, and none of one more byte, announced or not', async () => {
    const exact = JSON.stringify('x'.repeat(MAX_BYTES - 2));
    const more = JSON.stringify('x'.repeat(MAX_BYTES - 1));
    for (const isChunked of [false, true]) {
      expect(await send(exact, {}, isChunked)).to.have.property('value');
      expect(await send(more, {}, isChunked)).to.deep.equal({ code: 'too_large' });
    }
  });

  const broken: readonly (readonly [name: string, body: string | Buffer])[] = [
    ['nothing', ''],
    ['spaces only', '  '],
    ['something behind the value', '{"a":1}x'],
    ['a second value', '{"a":1}{"b":2}'],
    ['a comma too many', '{"a":1,}'],
    ['single quotes', "{'a':1}"],
    ['a comment', '{"a":1}//'],
    ['NaN', 'NaN'],
    ['a byte order mark', '\ufeff{"a":1}'],
    ['half of it', '{"a":'],
    ['a byte that is no UTF-8', Buffer.from([0x22, 0xff, 0x22])],
    ['a surrogate in UTF-8', Buffer.from([0x22, 0xed, 0xa0, 0xbd, 0x22])],
    ['an overlong encoding', Buffer.from([0x22, 0xc0, 0xaf, 0x22])],
    ['UTF-16', Buffer.from('"a"', 'utf16le')],
  ];
  for (const [name, body] of broken) {
    it(`refuses ${name}`, async () => {
      expect(await send(body)).to.deep.equal({ code: 'invalid_json' });
    });
  }

  const types: readonly (readonly [type: string, isTaken: boolean])[] = [
    ['application/json', true],
    ['Application/JSON; Charset=UTF-8', true],
    ['application/json; charset="utf-8"', true],
    ['application/problem+json', true],
    ['application/json; charset=latin1', false],
    ['application/json; charset=utf-16', false],
    ['text/plain', false],
    ['text/json', false],
    ['application/x-www-form-urlencoded', false],
    ['application/jsonp', false],
    ['', false],
  ];
  for (const [type, isTaken] of types) {
    it(`${isTaken ? 'takes' : 'refuses'} Content-Type ${JSON.stringify(type)}`, async () => {
      expect(await send('1', { 'content-type': type })).to.deep.equal(isTaken ? { value: 1 } : { code: 'unsupported_media_type' });
    });
  }

  for (const [encoding, isTaken] of [['identity', true], ['gzip', false], ['br', false], ['gzip, identity', false]] as const) {
    it(`${isTaken ? 'takes' : 'refuses'} Content-Encoding ${encoding}`, async () => {
      expect(await send('1', { 'content-encoding': encoding })).to.deep.equal(isTaken ? { value: 1 } : { code: 'unsupported_media_type' });
    });
  }
});

describe('maxBodyBytes', () => {
  it('has room for a message of the largest size whose every byte is escaped, and for the rest', () => {
    const message = '\u0001'.repeat(1_000);
    expect(maxBodyBytes(1_000)).to.be.greaterThan(Buffer.byteLength(JSON.stringify(message)));
    expect(maxBodyBytes(1_048_576)).to.equal(6 * 1_048_576 + 65_536);
  });
});

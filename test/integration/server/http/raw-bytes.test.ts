import { connect } from 'node:net';

import { expect } from 'chai';

import { InProcessService } from '../../../support/service-in-process.js';

const HOST = 'Host: 127.0.0.1\r\n';
const CLOSE = 'Connection: close\r\n';
/** If this is answered behind a request that is to be the last one, then part of a body was taken for a request. */
const HIDDEN = `GET /hidden HTTP/1.1\r\n${HOST}\r\n`;
const get = (headers = `${HOST}${CLOSE}`): string => `GET /livez HTTP/1.1\r\n${headers}\r\n`;
const post = (headers: string, body = '', line = 'POST /tasks HTTP/1.1'): string => `${line}\r\n${HOST}Content-Type: application/json\r\n${headers}\r\n${body}`;
const chunked = (body: string): string => post(`Transfer-Encoding: chunked\r\n`, body);

/** How long the server may keep a connection open that it has no reason to keep, ms. */
const CLOSE_WITHIN_MS = 3_000;

type Shape = readonly [name: string, bytes: string | Buffer, ...statuses: number[]];

describe('requests as raw bytes', () => {
  let service: InProcessService;
  before(async () => { service = await InProcessService.ready(); });
  after(() => service.close());

  /**
   * @param endsItsSide the client says that it sends nothing more
   * @returns the status of each answer, and whether the server has closed the connection behind the last one
   */
  function exchange(bytes: string | Buffer, endsItsSide = false): Promise<{ readonly statuses: number[]; readonly isClosed: boolean; readonly text: string }> {
    return new Promise((resolve) => {
      const socket = connect({ port: Number(new URL(service.baseUrl).port), host: '127.0.0.1', allowHalfOpen: endsItsSide });
      let text = '';
      let isClosed = true;
      const limit = setTimeout(() => {
        isClosed = false;
        socket.destroy();
      }, CLOSE_WITHIN_MS);
      // The other side has ended, too.
      if (endsItsSide) socket.once('end', () => socket.destroy());
      socket.on('data', (chunk: Buffer) => { text += chunk.toString('latin1'); });
      socket.on('error', () => undefined);
      socket.once('close', () => {
        clearTimeout(limit);
        resolve({ statuses: [...text.matchAll(/HTTP\/1\.1 (\d{3}) [A-Z]/g)].map(([, status]) => Number(status)), isClosed, text });
      });
      if (endsItsSide) socket.end(bytes);
      else socket.write(bytes);
    });
  }

  function answers(what: string, shapes: readonly Shape[]): void {
    describe(what, () => {
      for (const [name, bytes, ...statuses] of shapes) {
        it(name, async () => {
          const seen = await exchange(bytes);
          expect([seen.statuses, seen.isClosed ? 'closed' : 'open'], seen.text.slice(0, 2_000)).to.deep.equal([statuses, 'closed']);
        });
      }
    });
  }

  // RFC 9112, 6.3: what has two lengths, or none that can be told, is refused, and its connection is closed.
  answers('a body whose length is in doubt is refused, and nothing behind it is answered', [
    ['a length and chunks', post('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', `0\r\n\r\n${HIDDEN}`), 400],
    ['chunks and a length', post('Transfer-Encoding: chunked\r\nContent-Length: 5\r\n', `0\r\n\r\n${HIDDEN}`), 400],
    ['two lengths', post('Content-Length: 0\r\nContent-Length: 5\r\n', HIDDEN), 400],
    ['two lengths in one line', post('Content-Length: 0, 5\r\n', HIDDEN), 400],
    ...['+5', '-1', '0x5', '5a', '5 5', '1e1', '5.0', '\u00b2', '99999999999999999999', '\u000b5', '5\u0000'].map(
      (length): Shape => [`a length of ${JSON.stringify(length)}`, Buffer.from(post(`Content-Length: ${length}\r\n`, HIDDEN), 'latin1'), 400],
    ),
    ...['identity', 'gzip', 'xchunked', 'chunkedx', 'chunked, identity', 'chunked, gzip', 'chunked, chunked', 'chunk', 'chunked;q=1', '\u000bchunked', 'chunked\u0000'].map(
      (encoding): Shape => [`an encoding of ${JSON.stringify(encoding)}`, post(`Transfer-Encoding: ${encoding}\r\n`, `0\r\n\r\n${HIDDEN}`), 400],
    ),
    ['an encoding with a space before its colon', post('Transfer-Encoding : chunked\r\n', `0\r\n\r\n${HIDDEN}`), 400],
    ['a length with a space before its colon', post('Content-Length : 5\r\n', HIDDEN), 400],
    ['a length in a folded line', post('Content-Length:\r\n 5\r\n', HIDDEN), 400],
    ['an encoding in a folded line', post('Transfer-Encoding:\r\n chunked\r\n', `0\r\n\r\n${HIDDEN}`), 400],
    ['an encoding behind a lonely carriage return', post('X-A: b\rTransfer-Encoding: chunked\r\n', `0\r\n\r\n${HIDDEN}`), 400],
    ['a length behind a lonely carriage return', post('X-A: b\rContent-Length: 5\r\n', HIDDEN), 400],
  ]);

  // RFC 9112, 6.1: chunked is the only coding that is known here.
  answers('a body in another coding is refused, and nothing behind it is answered', [
    ...['x, chunked', 'gzip, chunked', 'x,chunked', 'identity, chunked', ', chunked', 'x;q=1, Chunked'].map(
      (encoding): Shape => [encoding, post(`Transfer-Encoding: ${encoding}\r\n`, `0\r\n\r\n${HIDDEN}`), 501],
    ),
    ['in two lines', post('Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n', `0\r\n\r\n${HIDDEN}`), 501],
    ['of a request that has no use for a body', get(`${HOST}Transfer-Encoding: x, chunked\r\n`) + `0\r\n\r\n${HIDDEN}`, 501],
    ['with a length, too', post('Transfer-Encoding: x, chunked\r\nContent-Length: 5\r\n', `0\r\n\r\n${HIDDEN}`), 400],
    ['of version 1.0', post('Transfer-Encoding: x, chunked\r\n', `0\r\n\r\n${HIDDEN}`, 'POST /tasks HTTP/1.0'), 400],
  ]);

  answers('chunks that are wrong are refused, and nothing behind them is answered', [
    ...['g', '', '-1', '+1', '0x1', ' 1', '1 1', '1_0', 'fffffffffffffffff', '\u0000'].map((size): Shape => [`a size of ${JSON.stringify(size)}`, chunked(`${size}\r\n{\r\n0\r\n\r\n${HIDDEN}`), 400]),
    ['a chunk that is longer than its size', chunked(`1\r\n{}\r\n0\r\n\r\n${HIDDEN}`), 400],
    ['no line break behind a chunk', chunked(`1\r\n{0\r\n\r\n${HIDDEN}`), 400],
    ['a lonely carriage return behind a size', chunked(`1\r{\r\n0\r\n\r\n${HIDDEN}`), 400],
    ['a line break in an extension', chunked(`1;a\rb\r\n{\r\n0\r\n\r\n${HIDDEN}`), 400],
    ['a trailer without a colon', chunked(`0\r\nno trailer\r\n\r\n${HIDDEN}`), 400],
  ]);

  answers('a line that is no header is refused', [
    ['no colon', get(`${HOST}no header\r\n`), 400],
    ['no name', get(`${HOST}: b\r\n`), 400],
    ...[' ', '\t', '\u0000', '(', '[', '@', '"', '/', '\\', '{', ',', ';', '\u00e4'].map((character): Shape => [`${JSON.stringify(character)} in a name`, Buffer.from(get(`${HOST}a${character}b: c\r\n`), 'latin1'), 400]),
    ...['\u0000', '\u0001', '\u0008', '\u000b', '\u001b', '\u007f'].map((character): Shape => [`${JSON.stringify(character)} in a value`, get(`${HOST}a: b${character}c\r\n`), 400]),
    ['a lonely carriage return in a value', get(`${HOST}a: b\rc: d\r\n`), 400],
    ['a folded line', get(`${HOST}a: b\r\n c\r\n`), 400],
    ['a space before the first line', get(` a: b\r\n${HOST}`), 400],
    ['20,000 bytes in a value', get(`${HOST}a: ${'b'.repeat(20_000)}\r\n`), 431],
    ['20,000 bytes in a name', get(`${HOST}${'b'.repeat(20_000)}: b\r\n`), 431],
    ['20,000 bytes in many lines', get(`${HOST}${CLOSE}${'a: b\r\n'.repeat(4_000)}`), 431],
    ['2,500 lines in 16 KiB', get(`${HOST}${CLOSE}${'a:\r\n'.repeat(2_500)}`), 431],
    ['201 lines', get(`${HOST}${CLOSE}${'a:\r\n'.repeat(199)}`), 431],
  ]);

  answers('a first line that is none is refused', [
    ['no version', 'GET /livez\r\n\r\n', 400],
    ['no version, and a header', `GET /livez\r\n${HOST}\r\n`, 400],
    ['nothing but a method', 'GET\r\n\r\n', 400],
    ['nothing but a space', ' \r\n\r\n', 400],
    ['a space in front', ` GET /livez HTTP/1.1\r\n${HOST}\r\n`, 400],
    ['no path', `GET  HTTP/1.1\r\n${HOST}\r\n`, 400],
    ['a space in the path', `GET /li vez HTTP/1.1\r\n${HOST}\r\n`, 400],
    ['a NUL in the path', `GET /livez\u0000 HTTP/1.1\r\n${HOST}\r\n`, 400],
    ['an escape character in the path', `GET /livez\u001b[0m HTTP/1.1\r\n${HOST}\r\n`, 400],
    ['a lonely carriage return in the path', `GET /livez\rX HTTP/1.1\r\n${HOST}\r\n`, 400],
    ['something behind the version', `GET /livez HTTP/1.1 x\r\n${HOST}\r\n`, 400],
    ['a method in lower case', `get /livez HTTP/1.1\r\n${HOST}\r\n`, 400],
    ['a method that does not exist', `STEAL /livez HTTP/1.1\r\n${HOST}\r\n`, 400],
    ['a version in lower case', `GET /livez http/1.1\r\n${HOST}\r\n`, 400],
    ['version 1.2', `GET /livez HTTP/1.2\r\n${HOST}\r\n`, 400],
    ['version 11', `GET /livez HTTP/11\r\n${HOST}\r\n`, 400],
    ['version 1.10', `GET /livez HTTP/1.10\r\n${HOST}\r\n`, 400],
    ['version 2.0', `GET /livez HTTP/2.0\r\n${HOST}${CLOSE}\r\n`, 400],
    ['version 0.9', `GET /livez HTTP/0.9\r\n${HOST}${CLOSE}\r\n`, 400],
    ['the greeting of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
    ['the greeting of TLS', Buffer.from('16030102000100', 'hex'), 400],
    ['a path of 20,000 characters', `GET /${'x'.repeat(20_000)} HTTP/1.1\r\n${HOST}\r\n`, 431],
  ]);

  // HOST, the type of the body and its encoding are four lines with the one that closes.
  const trailers = (lines: number): string => post(`Transfer-Encoding: chunked\r\n${CLOSE}`, `1\r\n{\r\n0\r\n${'a:\r\n'.repeat(lines)}\r\n`);
  answers('lines behind a body count among the header lines', [
    ['196 of them', trailers(196), 400],
    ['197 of them', trailers(197), 431],
    ['1,500 of them', trailers(1_500), 431],
    ['197 of them behind a batch', trailers(197).replace('POST /tasks ', 'POST /tasks/batch ').replace('application/json', 'application/x-ndjson'), 431],
  ]);

  // RFC 9112, 3.2: exactly one Host, and one that is valid.
  answers('a Host that is none is refused', [
    ['none', get(CLOSE), 400],
    ['two', get(`${HOST}Host: localhost\r\n${CLOSE}`), 400],
    ['the same twice', get(`${HOST}${HOST}${CLOSE}`), 400],
    ...['a b', 'a@b', '@127.0.0.1', 'http://127.0.0.1', '127.0.0.1/', '127.0.0.1/@evil', '127.0.0.1?x', '127.0.0.1#x', '127.0.0.1\\x', '127.0.0.1:x', '127.0.0.1:1:2', '127.0.0.1:99999', '127.0.0.1:-1', '[::1', '::1', '%zz', '"a"'].map(
      (host): Shape => [host, get(`Host: ${host}\r\n${CLOSE}`), 400],
    ),
  ]);

  // RFC 9110, 15.5.20: the name of another host, however odd.
  answers('a Host that is another one is refused', [
    ...['evil.example', 'evil.example:80', 'a,b', 'localhost.evil.example', '127.0.0.1.evil.example', 'xn--e1afmkfd'].map((host): Shape => [host, get(`Host: ${host}\r\n${CLOSE}`), 421]),
    ['in the first line', `GET http://evil.example/livez HTTP/1.1\r\n${HOST}${CLOSE}\r\n`, 421],
  ]);

  answers('a request that is well formed is answered', [
    ['with what belongs into every request', get(), 200],
    ['with a port in its Host', get(`Host: 127.0.0.1:1\r\n${CLOSE}`), 200],
    ['with an IPv6 address in its Host', get(`Host: [::1]:8080\r\n${CLOSE}`), 200],
    ['with localhost in its Host', get(`Host: LocalHost\r\n${CLOSE}`), 200],
    ['with 200 lines', get(`${HOST}${CLOSE}${'a:\r\n'.repeat(198)}`), 200],
    ['of version 1.0, without a Host', 'GET /livez HTTP/1.0\r\n\r\n', 200],
    ['behind empty lines', `\r\n\r\n${get()}`, 200],
    ['with spaces and tabs around a value', get(`Host: \t 127.0.0.1 \t \r\n${CLOSE}`), 200],
    ['with an empty value', get(`${HOST}a:\r\n${CLOSE}`), 200],
    ['with bytes above 127 in a value', get(`${HOST}a: \u00e4\u00ff\r\n${CLOSE}`), 200],
    ['with a header twice', get(`${HOST}a: b\r\na: c\r\n${CLOSE}`), 200],
    ['with names in capitals', get(`HOST: 127.0.0.1\r\nCONNECTION: CLOSE\r\n`), 200],
    ['with an expectation that does not exist', get(`${HOST}Expect: a miracle\r\n${CLOSE}`), 200],
    ['with an upgrade that is not offered', get(`${HOST}Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ\r\nConnection: close, Upgrade\r\n`), 200],
    ['with a body where none is wanted', get(`${HOST}Content-Length: 5\r\n${CLOSE}`) + '{"a":', 200],
    ['with chunks where no body is wanted', get(`${HOST}Transfer-Encoding: chunked\r\n${CLOSE}`) + '5\r\n{"a":\r\n0\r\n\r\n', 200],
    ['with leading zeros in its length', post(`Content-Length: 0001\r\n${CLOSE}`, '{'), 400],
    ['with zeros and an extension at a chunk', post(`Transfer-Encoding: chunked\r\n${CLOSE}`, '0001;a="b"\r\n{\r\n000\r\n\r\n'), 400],
    ['with trailers', post(`Transfer-Encoding: chunked\r\n${CLOSE}`, '1\r\n{\r\n0\r\nContent-Length: 5\r\nHost: evil\r\n\r\n'), 400],
    ['with an encoding in capitals', post(`TRANSFER-ENCODING: CHUNKED\r\n${CLOSE}`, '1\r\n{\r\n0\r\n\r\n'), 400],
    ['TRACE, which is not echoed', `TRACE /livez HTTP/1.1\r\n${HOST}${CLOSE}\r\n`, 405],
    ['HEAD', `HEAD /livez HTTP/1.1\r\n${HOST}${CLOSE}\r\n`, 200],
  ]);

  answers('requests behind each other are answered in their order, and none that is no request', [
    ['two', get(HOST) + get(), 200, 200],
    ['one with a body, and one behind it', post('Content-Length: 1\r\n', '{') + get(), 400, 200],
    ['one with chunks, and one behind it', chunked('1\r\n{\r\n0\r\n\r\n') + get(), 400, 200],
    ['a GET whose body looks like a request', get(`${HOST}Content-Length: ${HIDDEN.length}\r\n`) + HIDDEN + get(), 200, 200],
    ['a POST whose body looks like a request', post(`Content-Length: ${HIDDEN.length}\r\n`, HIDDEN) + get(), 400, 200],
    ['a body of another type that looks like a request', `POST /tasks HTTP/1.1\r\n${HOST}Content-Type: text/plain\r\nContent-Length: ${HIDDEN.length}\r\n\r\n${HIDDEN}${get()}`, 415, 200],
    ['a HEAD, whose answer has no body', `HEAD /livez HTTP/1.1\r\n${HOST}\r\n${get()}`, 200, 200],
    ['nothing behind the one that closes', get() + HIDDEN, 200],
    ['nothing behind one of version 1.0', `GET /livez HTTP/1.0\r\n\r\n${HIDDEN}`, 200],
    ['a good one, and a bad one', `${get(HOST)}GET\r\n\r\n${HIDDEN}`, 200, 400],
    ['500', get(HOST).repeat(499) + get(), ...Array.from({ length: 500 }, () => 200)],
  ]);

  // RFC 9112, 6.1: version 1.0 knows no chunks, so such a message is taken for a faulty one.
  it('closes the connection behind a request of version 1.0 in chunks', async () => {
    const { statuses, isClosed } = await exchange(post('Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n', `1\r\n{\r\n0\r\n\r\n${HIDDEN}`, 'POST /tasks HTTP/1.0'));
    expect([statuses, isClosed]).to.deep.equal([[400], true]);
  });

  // RFC 9110, 10.1.1: there is nothing to wait for.
  for (const [name, bytes, status] of [
    ['of no bytes', post(`Content-Length: 0\r\nExpect: 100-continue\r\n${CLOSE}`), 400],
    ['that is not there', post(`Expect: 100-continue\r\n${CLOSE}`), 400],
    ['of no bytes where none is wanted', get(`${HOST}Content-Length: 0\r\nExpect: 100-continue\r\n${CLOSE}`), 200],
  ] as const) {
    it(`does not say 100 to a client that asks before it sends a body ${name}`, async () => {
      const { statuses, isClosed } = await exchange(bytes);
      expect([statuses, isClosed]).to.deep.equal([[status], true]);
    });
  }

  describe('a client that ends its side behind its request', () => {
    const ending = (bytes: string): Promise<{ readonly statuses: number[]; readonly isClosed: boolean; readonly text: string }> => exchange(bytes, true);

    for (const [name, bytes, ...statuses] of [
      ['one that is answered at once', get(HOST), 200],
      ['one that asks Redis', `GET /tasks/unknown HTTP/1.1\r\n${HOST}\r\n`, 404],
      ['one with a body', post('Content-Length: 1\r\n', '{'), 400],
      ['several', get(HOST) + `GET /health HTTP/1.1\r\n${HOST}\r\n` + get(HOST), 200, 200, 200],
      ['one that is not whole', post('Content-Length: 5\r\n', '{'), 400],
      ['a good one, and one that is not whole', get(HOST) + post('Content-Length: 5\r\n', '{'), 200, 400],
      ['half a header', `GET /livez HTTP/1.1\r\n${HOST}X-A`, 400],
    ] as readonly Shape[]) {
      it(`is answered, and the connection is closed: ${name}`, async () => {
        const seen = await ending(String(bytes));
        expect([seen.statuses, seen.isClosed], seen.text).to.deep.equal([statuses, true]);
      });
    }
  });

  // RFC 9110, 10.1.1: the final status comes at once, and the body is not asked for.
  for (const [name, headers, status] of [
    ['is too long', 'Content-Length: 100000000\r\n', 413],
    ['is compressed', 'Content-Length: 10\r\nContent-Encoding: gzip\r\n', 415],
  ] as const) {
    it(`does not say 100 to a client that asks before it sends a body that ${name}`, async () => {
      const { statuses, isClosed } = await exchange(post(`${headers}Expect: 100-continue\r\n`));
      expect([statuses, isClosed]).to.deep.equal([[status], true]);
    });
  }
});

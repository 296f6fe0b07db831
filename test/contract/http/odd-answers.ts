import type { RawAnswer } from './raw-receiver.js';

export const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n';
export const processing = 'HTTP/1.1 102 Processing\r\n\r\n';

export interface OddAnswer extends Omit<RawAnswer, 'pieces'> {
  readonly what: string;
  readonly bytes: string | Buffer | readonly string[];
  /** What the whole detail of a failure is, or what it holds. */
  readonly detail?: string | RegExp;
  readonly retryAfterMs?: number;
}

/** Answers with a slip of form, by what a send has to say of them. */
export const oddAnswers: Readonly<Record<string, readonly OddAnswer[]>> = {
  // ------------------------------------------------ interim answers: RFC 9110, 15.2
  'delivered 200': [
    { what: '100 Continue', bytes: `HTTP/1.1 100 Continue\r\n\r\n${ok}` },
    { what: '100 Continue in a packet of its own', bytes: ['HTTP/1.1 100 Continue\r\n\r\n', ok] },
    { what: '100 Continue, cut before its empty line', bytes: ['HTTP/1.1 100 Continue\r\n', '\r\n', ok] },
    { what: '100 Continue, cut in its status', bytes: ['HTTP/1.1 1', '00 Continue\r\n\r\n', ok] },
    { what: '100 Continue, cut after its first byte', bytes: ['H', `TTP/1.1 100 Continue\r\n\r\n${ok}`] },
    { what: '100 Continue, cut in its reason', bytes: ['HTTP/1.1 100 Cont', `inue\r\n\r\n${ok}`] },
    { what: '100 Continue, cut between its headers', bytes: ['HTTP/1.1 100 Continue\r\nA: b\r\n', `C: d\r\n\r\n${ok}`] },
    { what: '100 Continue, cut in its last line end', bytes: ['HTTP/1.1 100 Continue\r\n\r', `\n${ok}`] },
    { what: '100 Continue and half of the answer', bytes: ['HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 20', '0 OK\r\nContent-Length: 0\r\n\r\n'] },
    { what: 'many 100 over several packets', bytes: [...Array.from({ length: 10 }, () => 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(10)), ok] },
    { what: '1,000 times 102', bytes: processing.repeat(1_000) + ok },
    { what: '102, 103 and 199', bytes: `${processing}HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\nHTTP/1.1 199 Odd\r\nA: b\r\n\r\n${ok}` },
    { what: '100 with a length that means nothing', bytes: `HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\n${ok}` },
    { what: '103 with a folded header', bytes: `HTTP/1.1 103 Early Hints\r\nLink: </a>;\r\n rel=preload\r\n\r\n${ok}` },
    { what: '100 of HTTP/1.0', bytes: `HTTP/1.0 100 Continue\r\n\r\n${ok}` },
    { what: '100 that says that the connection will close', bytes: `HTTP/1.1 100 Continue\r\nConnection: close\r\n\r\n${ok}`, then: 'close' },
    { what: 'empty lines before the answer', bytes: `\r\n\r\n\n${ok}` },
    { what: 'every byte in a packet of its own', bytes: Array.from('HTTP/1.1 100 C\r\n\r\nHTTP/1.1 200 O\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n') },

    // ---------------------------------------------- folded headers: RFC 9112, 5.2
    { what: 'a folded header', bytes: 'HTTP/1.1 200 OK\r\nX-Note: one\r\n two\r\nContent-Length: 0\r\n\r\n' },
    { what: 'a header folded by a tab', bytes: 'HTTP/1.1 200 OK\r\nX-Note: one\r\n\ttwo\r\nContent-Length: 0\r\n\r\n' },
    { what: 'a folded length', bytes: 'HTTP/1.1 200 OK\r\nContent-Length:\r\n 2\r\n\r\nok' },
    { what: 'a folded header, cut in the fold', bytes: ['HTTP/1.1 200 OK\r\nX-Note: one\r\n', ' two\r\nContent-Length: 0\r\n\r\n'] },
    { what: 'a folded header, cut in the line end', bytes: ['HTTP/1.1 200 OK\r\nX-Note: one\r', '\n two\r\nContent-Length: 0\r\n\r\n'] },
    { what: 'a folded first line', bytes: 'HTTP/1.1 200 OK\r\n two\r\nContent-Length: 0\r\n\r\n' },

    // ---------------------------------------------- slips of form behind a 2xx: it was taken
    { what: 'an illegal header name', bytes: 'HTTP/1.1 200 OK\r\nBad Header: x\r\n\r\n' },
    { what: 'a header name with a space behind it', bytes: 'HTTP/1.1 200 OK\r\nServer : x\r\nContent-Length: 0\r\n\r\n' },
    { what: 'a header without a name', bytes: 'HTTP/1.1 200 OK\r\n: x\r\n\r\n' },
    { what: 'a header without a colon', bytes: 'HTTP/1.1 200 OK\r\nnonsense\r\n\r\n' },
    { what: 'a zero byte in a header', bytes: 'HTTP/1.1 200 OK\r\nA: b\0c\r\nContent-Length: 0\r\n\r\n' },
    { what: 'an illegal header behind a length', bytes: 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nBad Header: x\r\n\r\nhello' },
    { what: 'the same after a 103', bytes: 'HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\nBad Header: x\r\n\r\nhello' },
    { what: 'bare line feeds', bytes: 'HTTP/1.1 200 OK\nContent-Length: 0\n\n' },
    { what: 'a bare carriage return', bytes: 'HTTP/1.1 200 OK\r\nA: b\rc\r\nContent-Length: 0\r\n\r\n' },
    { what: 'two spaces before the status', bytes: 'HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n' },
    { what: 'no reason', bytes: 'HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n' },
    { what: 'a reason in Latin-1', bytes: Buffer.from('HTTP/1.1 200 Gr\u00fcezi\r\nContent-Length: 0\r\n\r\n', 'latin1') },
    { what: 'a zero byte in the reason', bytes: 'HTTP/1.1 200 O\0K\r\nContent-Length: 0\r\n\r\n' },
    { what: 'two different lengths', bytes: 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello' },
    { what: 'a length that is no number', bytes: 'HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nhello' },
    { what: 'a negative length', bytes: 'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nhello' },
    { what: 'a length beyond all numbers', bytes: 'HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nhello' },
    { what: 'a length and chunks', bytes: 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n' },
    { what: 'a chunk size that is no number', bytes: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n' },
    { what: 'a chunk size beyond all numbers', bytes: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nhello\r\n' },
    { what: 'a chunk without its line end', bytes: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello0\r\n\r\n' },
    { what: 'an illegal trailer', bytes: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nBad Trailer: x\r\n\r\n' },
    { what: 'more body than announced', bytes: 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more' },
    { what: 'less body than announced, and the end', bytes: 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello', then: 'close' },
    { what: 'the same, as announced', bytes: 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 10\r\n\r\nhello', then: 'close' },
    { what: 'a reset in the body', bytes: 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello', then: 'reset' },
    { what: 'the end in a chunk', bytes: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nhello', then: 'close' },
    { what: 'the end before the last chunk, as announced', bytes: 'HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n', then: 'close' },
    { what: 'the end in the headers', bytes: 'HTTP/1.1 200 OK\r\nContent-Len', then: 'close' },
    { what: 'the end behind the status line', bytes: 'HTTP/1.1 200 OK\r\n', then: 'close' },
    { what: 'a reset behind the status line', bytes: 'HTTP/1.1 200 OK\r\n', then: 'reset' },
    { what: 'a header of 20 KiB', bytes: `HTTP/1.1 200 OK\r\nA: ${'b'.repeat(20_480)}\r\n\r\n` },
    { what: '5,000 headers', bytes: `HTTP/1.1 200 OK\r\n${'X-Header: x\r\n'.repeat(5_000)}\r\n` },
    // ---------------------------------------------- later versions: RFC 9110, 2.5
    { what: 'HTTP/1.2', bytes: 'HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n' },
    { what: 'HTTP/1.9 after a 100 of HTTP/1.2', bytes: 'HTTP/1.2 100 Continue\r\n\r\nHTTP/1.9 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n' },
    { what: 'a second answer behind the first', bytes: `${ok}HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n` },
    { what: 'no length, and the end', bytes: 'HTTP/1.0 200 OK\r\n\r\nhello', then: 'close' },
  ],

  // ------------------------------------------------ statuses without a body: RFC 9112, 6.3 (1); RFC 9110, 15.3.6
  'delivered 204': [
    { what: 'a length', bytes: 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n' },
    { what: 'a length and a body', bytes: 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello' },
    { what: 'a body without a length', bytes: 'HTTP/1.1 204 No Content\r\n\r\nhello' },
    { what: 'chunks that never come', bytes: 'HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n' },
    { what: 'chunks', bytes: 'HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n' },
    { what: 'a length that is none', bytes: 'HTTP/1.1 204 No Content\r\nContent-Length: five\r\n\r\n' },
    { what: 'a length, after a 100', bytes: 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n' },
    { what: 'a length, and the end', bytes: 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\nConnection: close\r\n\r\n', then: 'close' },
  ],
  'delivered 205': [
    { what: 'a length of 0', bytes: 'HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n' },
    { what: 'a length', bytes: 'HTTP/1.1 205 Reset Content\r\nContent-Length: 5\r\n\r\n' },
    { what: 'a length and a body', bytes: 'HTTP/1.1 205 Reset Content\r\nContent-Length: 5\r\n\r\nhello' },
    { what: 'no length', bytes: 'HTTP/1.1 205 Reset Content\r\n\r\n' },
    { what: 'chunks that never come', bytes: 'HTTP/1.1 205 Reset Content\r\nTransfer-Encoding: chunked\r\n\r\n' },
  ],
  'http_redirect': [
    { what: '304 with a length', bytes: 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n', detail: 'HTTP 304' },
    { what: '304 with a length and a body', bytes: 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello', detail: 'HTTP 304' },
    { what: '304 with chunks', bytes: 'HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', detail: 'HTTP 304' },
    { what: '302 and the end in the headers', bytes: 'HTTP/1.1 302 Found\r\nLocation: /el', then: 'close', detail: 'HTTP 302' },
  ],

  // ------------------------------------------------ slips of form behind another status: that status counts
  'http_server_error': [
    { what: '500 after a 100 in pieces', bytes: ['HTTP/1.1 100 Con', 'tinue\r\n\r\nHTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno'], detail: 'HTTP 500: no' },
    { what: '500 with a folded header', bytes: 'HTTP/1.1 500 No\r\nA: b\r\n c\r\nContent-Length: 2\r\n\r\nno', detail: 'HTTP 500: no' },
    { what: '500 with an illegal header', bytes: 'HTTP/1.1 500 No\r\nBad Header: x\r\n\r\n', detail: 'HTTP 500' },
    { what: '502 with less body than announced', bytes: 'HTTP/1.1 502 No\r\nContent-Length: 10\r\n\r\nhello', then: 'close', detail: 'HTTP 502: hello' },
    { what: '502 and a reset', bytes: 'HTTP/1.1 502 No\r\n', then: 'reset', detail: 'HTTP 502' },
  ],
  'http_client_error': [
    { what: '404 with an illegal chunk', bytes: 'HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n', detail: 'HTTP 404' },
    { what: '408 over a new connection', bytes: 'HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n', then: 'close', detail: 'HTTP 408' },
  ],
  'http_busy': [
    { what: '503 whose wish is folded', bytes: 'HTTP/1.1 503 Busy\r\nRetry-After:\r\n 7\r\nContent-Length: 0\r\n\r\n', retryAfterMs: 7_000 },
    { what: '503 whose wish stands before an illegal header', bytes: 'HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nBad Header: x\r\n\r\n', retryAfterMs: 7_000 },
    { what: '429 whose wish stands before the end', bytes: 'HTTP/1.1 429 Slow\r\nretry-after: 7\r\n', then: 'close', retryAfterMs: 7_000 },
    { what: '503 of HTTP/1.2', bytes: 'HTTP/1.2 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n', retryAfterMs: 7_000 },
    { what: '503 whose wish stands behind an illegal header in a packet of its own', bytes: ['HTTP/1.1 503 Busy\r\nBad Header: x\r\n', 'Retry-After: 7\r\n\r\n'], retryAfterMs: 7_000 },
    { what: '503 whose wish stands before 20 KiB of headers', bytes: `HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nA: ${'b'.repeat(20_480)}\r\n\r\n`, retryAfterMs: 7_000 },
    { what: '503 whose wish is cut', bytes: 'HTTP/1.1 503 Busy\r\nRetry-After: 12', then: 'close' },
    { what: '503 whose wish stands behind an illegal header', bytes: 'HTTP/1.1 503 Busy\r\nBad Header: x\r\nRetry-After: 7\r\n\r\n', retryAfterMs: 7_000 },
  ],

  // ------------------------------------------------ statuses, versions and protocols that do not exist
  'http_unexpected_status': [
    { what: '101 with another protocol', bytes: 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n', detail: 'HTTP 101' },
    { what: '101 without headers', bytes: 'HTTP/1.1 101 Switching Protocols\r\n\r\n', detail: 'HTTP 101' },
    { what: '101 after a 100', bytes: 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n\r\n', detail: 'HTTP 101' },
    { what: '600', bytes: 'HTTP/1.1 600 Odd\r\nContent-Length: 0\r\n\r\n', detail: 'HTTP 600' },
    { what: '999 with an illegal header', bytes: 'HTTP/1.1 999 Odd\r\nBad Header: x\r\n\r\n', detail: 'HTTP 999' },
  ],
  'response_invalid': [
    ...['000 Zero', '099 Low', '1000 High', '20', '2e2 OK', '-200 OK', 'abc OK', 'OK'].map((status) => ({
      what: `the status ${status}`, bytes: `HTTP/1.1 ${status}\r\nContent-Length: 0\r\n\r\n`, detail: `The answer has no status from 100 to 999: "HTTP/1.1 ${status}"`,
    })),
    ...['HTTP/0.9', 'HTTP/1.10', 'HTTP/1.x', 'HTTP/2.0', 'HTTP/2', 'HTTP/3.0', 'HTTP/11', 'HTTP/'].map((version) => ({
      what: `the version ${version}`, bytes: `${version} 200 OK\r\nContent-Length: 0\r\n\r\n`, detail: `The answer is of no version of HTTP/1: "${version} 200 OK"`,
    })),
    ...['ICY 200 OK', 'http/1.1 200 OK', 'HTTPS/1.1 200 OK', '220 mail.example.com ESMTP', 'SSH-2.0-OpenSSH_9.2', '<html>', '{"ok":true}', ' HTTP/1.1 200 OK'].map((line) => ({
      what: JSON.stringify(line), bytes: `${line}\r\n\r\n`, detail: `The answer is not HTTP. It begins with "${line.trim()}"`,
    })),
    { what: 'telnet', bytes: Buffer.of(0xff, 0xfd, 0x18, 0xff, 0xfd, 0x20), detail: /^The answer is not HTTP/ },
    { what: 'an alert of TLS', bytes: Buffer.of(0x15, 3, 1, 0, 2, 2, 70), detail: /^The answer is not HTTP/ },
    { what: 'the settings of HTTP/2', bytes: Buffer.of(0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 100), detail: /^The answer is not HTTP/ },
    { what: 'a byte order mark', bytes: `\ufeff${ok}`, detail: /^The answer is not HTTP/ },
    { what: 'an illegal status after a 102, in pieces', bytes: [processing, 'HTTP/1.1 0', '00 Zero\r\n\r\n'], detail: /^The answer has no status from 100 to 999: "HTTP\/1.1 0/ },
  ],
  'connection_reset': [
    { what: 'the end without a word', bytes: '', then: 'close' },
    { what: 'a reset without a word', bytes: '', then: 'reset' },
    { what: 'the end after empty lines', bytes: '\r\n\r\n', then: 'close' },
    { what: 'the end in the status line', bytes: 'HTTP/1.1 20', then: 'close' },
    { what: 'the end in the reason', bytes: 'HTTP/1.1 200 O', then: 'close' },
    { what: 'a reset in the status line', bytes: 'HTTP/1.1 200', then: 'reset' },
    { what: 'the end after a 100', bytes: 'HTTP/1.1 100 Continue\r\n\r\n', then: 'close' },
    { what: 'the end in a 103', bytes: 'HTTP/1.1 103 Early Hints\r\nLink', then: 'close' },
  ],
};

import { expect } from 'chai';

import { AnswerHead } from '../../../../../workers/adapters/http/answer-head.js';

/** Everything that is handed on of these pieces, and what is known then. */
function read(pieces: readonly Buffer[]) {
  const head = new AnswerHead();
  // Copies: line ends in what is pushed may be overwritten.
  const text = Buffer.concat(pieces.map((piece) => Buffer.from(head.push(Buffer.from(piece))))).toString('latin1');
  return { text, status: head.status, fault: head.fault, headers: head.headers() };
}

const whole = (text: string) => read([Buffer.from(text, 'latin1')]);

describe('AnswerHead', () => {
  const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

  const handedOn: readonly (readonly [what: string, came: string, handedOn: string, status: number])[] = [
    ['an answer as it came', ok, ok, 200],
    ['an answer without headers', 'HTTP/1.0 500 No\r\n\r\n', 'HTTP/1.0 500 No\r\n\r\n', 500],
    ['an answer without a reason', 'HTTP/1.1 204\r\n\r\n', 'HTTP/1.1 204\r\n\r\n', 204],
    ['a body that looks like an answer', 'HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n', 'HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n', 200],
    ['nothing of an interim answer', `HTTP/1.1 100 Continue\r\n\r\n${ok}`, ok, 200],
    ['nothing of many interim answers with headers', `${'HTTP/1.1 102 Processing\r\nA: b\r\n\r\n'.repeat(3)}HTTP/1.1 199 x\r\n\r\n${ok}`, ok, 200],
    ['nothing of an interim answer with a folded header', `HTTP/1.1 103 Early Hints\r\nLink: </a>;\r\n rel=preload\r\n\r\n${ok}`, ok, 200],
    ['nothing of an interim answer with bare line feeds', `HTTP/1.1 100 Continue\n\n${ok}`, ok, 200],
    ['nothing of empty lines before an answer', `\r\n\n\r\n${ok}`, ok, 200],
    ['a folded header as one line', 'HTTP/1.1 200 OK\r\nA: one\r\n two\r\nB: c\r\n\r\n', 'HTTP/1.1 200 OK\r\nA: one   two\r\nB: c\r\n\r\n', 200],
    ['a header folded by a tab, twice', 'HTTP/1.1 200 OK\r\nA: 1\r\n\t2\r\n\t3\r\n\r\n', 'HTTP/1.1 200 OK\r\nA: 1  \t2  \t3\r\n\r\n', 200],
    ['a fold at a bare line feed', 'HTTP/1.1 200 OK\r\nA: 1\n 2\r\n\r\n', 'HTTP/1.1 200 OK\r\nA: 1  2\r\n\r\n', 200],
    ['a folded first line', 'HTTP/1.1 200 OK\r\n two\r\n\r\n', 'HTTP/1.1 200 OK   two\r\n\r\n', 200],
    ['a fold with nothing in it', 'HTTP/1.1 200 OK\r\nA: b\r\n \r\n\r\nbody', 'HTTP/1.1 200 OK\r\nA: b   \r\n\r\nbody', 200],
    ['a space in a body', 'HTTP/1.1 200 OK\r\n\r\n body', 'HTTP/1.1 200 OK\r\n\r\n body', 200],
    ['HTTP/1.2 as HTTP/1.1', 'HTTP/1.2 200 OK\r\n\r\n', 'HTTP/1.1 200 OK\r\n\r\n', 200],
    ['HTTP/1.9 as HTTP/1.1, behind an interim answer of HTTP/1.3', 'HTTP/1.3 100 Continue\r\n\r\nHTTP/1.9 500 No\r\n\r\n', 'HTTP/1.1 500 No\r\n\r\n', 500],
    ['a carriage return inside a line', 'HTTP/1.1 200 O\rK\r\nA: b\rc\r\n\rd\r\n\r\n', 'HTTP/1.1 200 O\rK\r\nA: b\rc\r\n\rd\r\n\r\n', 200],
  ];
  for (const [what, came, expected, status] of handedOn) {
    it(`hands on ${what}`, () => {
      expect(whole(came)).to.include({ text: expected, status, fault: undefined });
    });

    it(`hands on ${what}, wherever it is cut`, () => {
      const bytes = Buffer.from(came, 'latin1');
      for (let at = 1; at < bytes.length; at += 1) {
        expect(read([bytes.subarray(0, at), bytes.subarray(at)]), `cut at ${at}`).to.include({ text: expected, status, fault: undefined });
      }
      expect(read([...bytes].map((byte) => Buffer.of(byte))), 'byte by byte').to.include({ text: expected, status, fault: undefined });
    });
  }

  it('makes no copy of an answer in one piece', () => {
    const piece = Buffer.from(ok);
    expect(new AnswerHead().push(piece)).to.equal(piece);
  });

  for (const [line, fault] of [
    ['HTTP/1.1 000 Zero', 'The answer has no status from 100 to 999: "HTTP/1.1 000 Zero"'],
    ['HTTP/1.1 099 x', 'The answer has no status from 100 to 999: "HTTP/1.1 099 x"'],
    ['HTTP/1.1 20', 'The answer has no status from 100 to 999: "HTTP/1.1 20"'],
    ['HTTP/1.1 2000 x', 'The answer has no status from 100 to 999: "HTTP/1.1 2000 x"'],
    ['HTTP/1.1 -20 x', 'The answer has no status from 100 to 999: "HTTP/1.1 -20 x"'],
    ['HTTP/1.1 abc OK', 'The answer has no status from 100 to 999: "HTTP/1.1 abc OK"'],
    ['HTTP/1.1         200 OK', 'The answer has no status from 100 to 999: "HTTP/1.1 200 OK"'],
    ['HTTP/0.9 200 OK', 'The answer is of no version of HTTP/1: "HTTP/0.9 200 OK"'],
    ['HTTP/1.10 200 OK', 'The answer is of no version of HTTP/1: "HTTP/1.10 200 OK"'],
    ['HTTP/2.0 200 OK', 'The answer is of no version of HTTP/1: "HTTP/2.0 200 OK"'],
    ['HTTP/1.1200 OK', 'The answer is of no version of HTTP/1: "HTTP/1.1200 OK"'],
    ['http/1.1 200 OK', 'The answer is not HTTP. It begins with "http/1.1 200 OK"'],
    ['ICY 200 OK', 'The answer is not HTTP. It begins with "ICY 200 OK"'],
    ['220 mail.example.com ESMTP', 'The answer is not HTTP. It begins with "220 mail.example.com ESMTP"'],
    ['HTTP/1.1 101 Switching Protocols', 'The answer is 101: another protocol, which was not asked for'],
  ] as const) {
    it(`finds fault with ${JSON.stringify(line)}, and hands nothing on`, () => {
      expect(whole(`${line}\r\n\r\n`)).to.include({ text: '', fault });
      expect(whole(`HTTP/1.1 102 Processing\r\n\r\n${line}\r\n\r\n`), 'after an interim answer').to.include({ text: '', fault });
      const byteByByte = read([...Buffer.from(`${line}\r\n\r\n`)].map((byte) => Buffer.of(byte)));
      expect(byteByByte.text).to.equal('');
      expect(byteByByte.fault).to.be.a('string');
    });
  }

  it('hands on a head of 16 KiB, and none that is longer, in one piece or in many', () => {
    const filled = (bytes: number): Buffer => Buffer.from(`HTTP/1.1 200 OK\r\nA: ${'b'.repeat(bytes - 24)}\r\n\r\n`);
    for (const size of [1_000_000, 1_000]) {
      for (const [bytes, fault] of [[16_384, undefined], [16_385, 'The head is longer than 16 KiB']] as const) {
        const head = filled(bytes);
        expect(head).to.have.lengthOf(bytes);
        const pieces: Buffer[] = [];
        for (let at = 0; at < bytes; at += size) pieces.push(head.subarray(at, at + size));
        expect(read(pieces)).to.include({ status: 200, fault });
      }
    }
  });

  for (const [what, came, status, fault] of [
    ['a status line that is too long', `HTTP/1.1 200 ${'O'.repeat(16_384)}`, 0, 'The status line is longer than 16 KiB'],
    ['a complete status line that is too long', `HTTP/1.1 200 ${'O'.repeat(16_384)}\r\n\r\n`, 0, 'The status line is longer than 16 KiB'],
    ['a long status line', `HTTP/1.1 200 ${'O'.repeat(16_369)}\r\n`, 200, undefined],
    ['a status line with 101 that is too long', `HTTP/1.1 101 ${'O'.repeat(16_384)}\r\n\r\n`, 0, 'The status line is longer than 16 KiB'],
    ['a wish before the limit', `HTTP/1.1 503 S\r\nRetry-After: 7\r\nA: ${'b'.repeat(20_000)}\r\n\r\n`, 503, 'The head is longer than 16 KiB'],
    ['a wish behind the limit', `HTTP/1.1 503 S\r\nA: ${'b'.repeat(20_000)}\r\nRetry-After: 7\r\n\r\n`, 503, 'The head is longer than 16 KiB'],
    ['a wish across the limit', `HTTP/1.1 503 S\r\nA: ${'b'.repeat(16_350)}\r\nRetry-After: 7\r\n\r\n`, 503, 'The head is longer than 16 KiB'],
    ['a fold across the limit', `HTTP/1.1 503 S\r\nA: ${'b'.repeat(16_347)}\r\nRetry-After: 7\r\n 8\r\n\r\n`, 503, 'The head is longer than 16 KiB'],
  ] as const) {
    it(`says the same of ${what}, wherever it is cut`, () => {
      const bytes = Buffer.from(came);
      const { headers } = whole(came);
      expect(whole(came)).to.include({ status, fault });
      if (what === 'a wish before the limit') expect(headers).to.deep.equal({ 'retry-after': ['7'] });
      const cuts = [1, 8, 9, 12, 15, 16, 17, 30, 1_000, ...Array.from({ length: 60 }, (_, nth) => 16_340 + nth)].filter((at) => at < bytes.length);
      for (const at of cuts) {
        const cut = read([bytes.subarray(0, at), bytes.subarray(at)]);
        expect({ status: cut.status, fault: cut.fault, headers: cut.headers }, `cut at ${at}`).to.deep.equal({ status, fault, headers });
      }
      const byteByByte = read([...bytes].map((byte) => Buffer.of(byte)));
      expect({ status: byteByByte.status, fault: byteByByte.fault, headers: byteByByte.headers }, 'byte by byte').to.deep.equal({ status, fault, headers });
    });
  }

  it('hands on nothing before the head is complete, and then all of it', () => {
    const head = new AnswerHead();
    for (const piece of ['HTTP/1.1 503 S\r\n', 'Bad Header: x\r\n', 'Retry-After: 7\r\n']) expect(head.push(Buffer.from(piece))).to.have.lengthOf(0);
    expect(head.push(Buffer.from('\r\nbody')).toString()).to.equal('HTTP/1.1 503 S\r\nBad Header: x\r\nRetry-After: 7\r\n\r\nbody');
    expect(head.headers()).to.deep.equal({ 'bad header': ['x'], 'retry-after': ['7'] });
    expect(head.push(Buffer.from('more')).toString()).to.equal('more');
  });

  it('knows the status when its line is complete, and not before', () => {
    const head = new AnswerHead();
    head.push(Buffer.from('HTTP/1.1 200 OK\r'));
    expect(head.status).to.equal(0);
    head.push(Buffer.from('\n'));
    expect(head.status).to.equal(200);
  });

  it('reads the headers that came completely, and skips lines that are none', () => {
    expect(whole('HTTP/1.1 503 No\r\nRetry-After:\r\n 5 \r\nset-cookie: a\r\nSet-Cookie: b\r\nnonsense\r\n: x\r\nDate: tomor').headers)
      .to.deep.equal({ 'retry-after': ['5'], 'set-cookie': ['a', 'b'] });
    expect(whole('HTTP/1.1 503 No\r\nRetry-After: 5\r\n').headers).to.deep.equal({ 'retry-after': ['5'] });
    expect(whole('HTTP/1.1 503 No\r\nA: b\r\n\r\nC: d\r\n').headers).to.deep.equal({ a: ['b'] });
  });

  it('begins anew for the next answer, and hands on what comes between two', () => {
    const head = new AnswerHead();
    head.push(Buffer.from(ok));
    head.close();
    expect(head.push(Buffer.from('HTTP/1.')).toString(), 'nothing is held back').to.equal('HTTP/1.');
    head.reset();
    expect(head.push(Buffer.from('HTTP/1.1 404 No\r\n\r\n')).toString()).to.equal('HTTP/1.1 404 No\r\n\r\n');
    expect(head.status).to.equal(404);
  });

  it('reads a header whose name has a space behind it', () => {
    expect(whole('HTTP/1.1 503 S\r\nRetry-After : 7\r\n\r\n').headers).to.deep.equal({ 'retry-after': ['7'] });
  });
});

import { expect } from 'chai';

import { RawConnection, sendBytes } from '../../../support/raw-connection.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { httpTask, uniqueId } from '../../../support/tasks.js';

/** The body of the last answer. */
const bodyOf = (connection: RawConnection): Readonly<Record<string, unknown>> => JSON.parse(connection.text.slice(connection.text.lastIndexOf('\r\n\r\n') + 4)) as Readonly<Record<string, unknown>>;

describe('requests as bytes', () => {
  let service: InProcessService;
  before(async () => { service = await InProcessService.ready(); });
  after(() => service.close());

  describe('that are none, or not of HTTP/1', () => {
    const post = 'POST /tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';
    const table: readonly (readonly [name: string, bytes: string, status: number, code: string])[] = [
      ['HTTP/0.9', 'GET /livez\r\n\r\n', 400, 'invalid_request'],
      ['HTTP/2.0', 'GET /livez HTTP/2.0\r\nHost: localhost\r\n\r\n', 400, 'invalid_request'],
      ['the start of an HTTP/2 connection', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400, 'invalid_request'],
      ['HTTP/3.9', 'GET /livez HTTP/3.9\r\nHost: localhost\r\n\r\n', 400, 'invalid_request'],
      ['HTTP/1.2', 'GET /livez HTTP/1.2\r\nHost: localhost\r\n\r\n', 400, 'invalid_request'],
      ['another protocol', 'HELO example.com\r\n\r\n', 400, 'invalid_request'],
      ['a TLS handshake', '\x16\x03\x01\x02\x00\x01\x00', 400, 'invalid_request'],
      ['CONNECT', 'CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n', 400, 'invalid_request'],
      ['a header name with a space', 'GET /livez HTTP/1.1\r\nHost: localhost\r\nX : 1\r\n\r\n', 400, 'invalid_request'],
      ['two lengths', `${post}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`, 400, 'invalid_request'],
      ['a length and chunks', `${post}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}`, 400, 'invalid_request'],
      ['a broken chunk', `${post}Transfer-Encoding: chunked\r\n\r\nzz\r\n`, 400, 'invalid_request'],
      ['20 KiB of chunk extensions', `${post}Transfer-Encoding: chunked\r\n\r\n2;${'x'.repeat(20_000)}\r\n{}\r\n0\r\n\r\n`, 413, 'too_large'],
      ['16 KiB of chunk extensions', `${post}Transfer-Encoding: chunked\r\n\r\n2;${'x'.repeat(16_384)}\r\n{}\r\n0\r\n\r\n`, 400, 'invalid_task'],
      ['16 KiB of chunk extensions, and one', `${post}Transfer-Encoding: chunked\r\n\r\n2;${'x'.repeat(16_385)}\r\n{}\r\n0\r\n\r\n`, 413, 'too_large'],
      ['20 KiB of headers', `GET /livez HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431, 'headers_too_large'],
      ['an address of 20 KiB', `GET /${'x'.repeat(20_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`, 431, 'headers_too_large'],
      ['201 header lines', `GET /livez HTTP/1.1\r\nHost: localhost\r\n${'a:\r\n'.repeat(200)}\r\n`, 431, 'headers_too_large'],
      ['3,000 header lines', `GET /livez HTTP/1.1\r\nHost: localhost\r\n${'a:\r\n'.repeat(3_000)}\r\n`, 431, 'headers_too_large'],
    ];
    for (const [name, bytes, status, code] of table) {
      it(`answers ${status} ${code} to ${name}`, async () => {
        const answer = await sendBytes(service.baseUrl, bytes);
        expect(answer.statuses).to.deep.equal([status]);
        expect(bodyOf(answer)['code']).to.equal(code);
        expect(bodyOf(answer)['request_id']).to.be.a('string');
        expect(answer.text).to.include('Cache-Control: no-store\r\n').and.to.include('Content-Type: application/json');
      });
    }

    it('takes 200 header lines', async () => {
      expect((await sendBytes(service.baseUrl, `GET /livez HTTP/1.1\r\nHost: localhost\r\n${'a:\r\n'.repeat(199)}\r\n`)).statuses).to.deep.equal([200]);
    });

    it('ends the connection behind what is no request', async () => {
      const connection = await RawConnection.open(service.baseUrl);
      connection.write('no request\r\n\r\nGET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n');
      await connection.closed();
      expect(connection.statuses).to.deep.equal([400]);
      expect(connection.text).to.include('Connection: close\r\n');
    });
  });

  describe('with Expect: 100-continue', () => {
    const ask = async (line: string, headers: string): Promise<RawConnection> => {
      const connection = await RawConnection.open(service.baseUrl);
      connection.write(`${line} HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n${headers}\r\n`);
      return connection;
    };
    const refused: readonly (readonly [line: string, headers: string, status: number])[] = [
      ['POST /tasks', 'Content-Type: application/json\r\nContent-Length: 100000000\r\n', 413],
      ['POST /tasks', 'Content-Type: text/plain\r\nContent-Length: 10\r\n', 415],
      ['POST /tasks/batch', 'Content-Type: application/json\r\nContent-Length: 100000000\r\n', 413],
      ['POST /tasks/batch', 'Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n', 415],
      ['PUT /destinations/x', 'Content-Type: application/json\r\nContent-Length: 100000\r\n', 413],
      ['POST /nothing', 'Content-Length: 10\r\n', 404],
      ['PUT /tasks', 'Content-Length: 10\r\n', 405],
      ['POST /tasks?x=1', 'Content-Type: application/json\r\nContent-Length: 10\r\n', 400],
      ['POST /tasks', 'Origin: http://evil.test\r\nContent-Type: application/json\r\nContent-Length: 10\r\n', 403],
      ['DELETE /tasks/nothing', 'Content-Length: 10\r\n', 400],
    ];
    for (const [line, headers, status] of refused) {
      it(`answers ${status} at once to ${line}, without a 100, and ends the connection`, async () => {
        const connection = await ask(line, headers);
        await connection.closed();
        expect(connection.statuses).to.deep.equal([status]);
      });
    }

    for (const path of ['/tasks', '/tasks/batch'] as const) {
      it(`answers 100 to POST ${path}, and then reads the body`, async () => {
        const task = httpTask('http://127.0.0.1:9/', { id: uniqueId(), initial_delay: 3_600 });
        const body = JSON.stringify(path === '/tasks' ? task : [task]);
        const connection = await ask(`POST ${path}`, `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`);
        await connection.has(/^HTTP\/1\.1 100 Continue\r\n\r\n$/);
        connection.write(body);
        await connection.has(/"state":"scheduled"/);
        connection.close();
        expect(connection.statuses).to.deep.equal([100, path === '/tasks' ? 201 : 207]);
        expect((await service.queue.find(task.id))?.state).to.equal('scheduled');
      });
    }

    it('sends the 100 of a line after line upload when the first one is asked for', async () => {
      const task = httpTask('http://127.0.0.1:9/', { id: uniqueId(), initial_delay: 3_600 });
      const connection = await ask('POST /tasks/batch', 'Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n');
      await connection.has(/100 Continue/);
      const line = JSON.stringify(task);
      connection.write(`${line.length.toString(16)}\r\n${line}\r\n0\r\n\r\n`);
      await connection.has(/"created":1/);
      connection.close();
    });

    it('passes over an Expect that it does not know', async () => {
      const connection = await sendBytes(service.baseUrl, 'GET /livez HTTP/1.1\r\nHost: localhost\r\nExpect: something else\r\n\r\n');
      expect(connection.statuses).to.deep.equal([200]);
    });
  });
});

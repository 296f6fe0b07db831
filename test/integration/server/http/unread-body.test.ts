import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

import { expect } from 'chai';

import { eventually } from '../../../support/eventually.js';
import { InProcessService } from '../../../support/service-in-process.js';

const MIB = 1_048_576;
/** What the system may keep of both directions, and what the API drops. */
const MOST_TAKEN_BYTES = 32 * MIB;

describe('a request that is answered before its body has come', () => {
  let service: InProcessService;
  let socket: Socket;
  let answers: string;

  before(async () => { service = await InProcessService.ready(); });
  beforeEach(() => {
    const { hostname, port } = new URL(service.baseUrl);
    answers = '';
    // A client that goes on sending although the other side has ended.
    socket = connect({ port: Number(port), host: hostname, allowHalfOpen: true });
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => { answers += chunk.toString(); });
  });
  afterEach(() => { socket.destroy(); });
  after(() => service.close());

  const send = (method: string, path: string, headers: readonly string[]): void => {
    socket.write(`${[`${method} ${path} HTTP/1.1`, 'Host: 127.0.0.1', ...headers].join('\r\n')}\r\n\r\n`);
  };

  const refused: readonly (readonly [name: string, method: string, path: string, headers: readonly string[], status: number])[] = [
    ['a body of a wrong type', 'POST', '/tasks', ['Content-Type: text/plain', 'Content-Length: 100000000'], 415],
    ['a body that is too large', 'POST', '/tasks', ['Content-Type: application/json', 'Content-Length: 100000000'], 413],
    ['a batch that is too large', 'POST', '/tasks/batch', ['Content-Type: application/x-ndjson', 'Content-Length: 100000000'], 413],
    ['a compressed body', 'POST', '/tasks/batch', ['Content-Type: application/json', 'Content-Encoding: gzip', 'Content-Length: 100000000'], 415],
    ['a path where nothing is', 'POST', '/nothing', ['Content-Length: 100000000'], 404],
    ['a method that is not possible', 'POST', '/stats', ['Content-Length: 100000000'], 405],
    ['a body that must only hold a reason', 'POST', '/destinations/x/pause', ['Content-Type: application/json', 'Content-Length: 100000000'], 413],
    ['a body where none is taken', 'DELETE', '/destinations/x', ['Content-Length: 100000000'], 400],
    ['an action that the board must not do', 'PUT', '/admin/queues/api/queues/x/clean', ['Content-Length: 100000000'], 405],
    ['a page of the board', 'GET', '/admin/queues', ['Content-Length: 100000000'], 200],
  ];
  for (const [name, method, path, headers, status] of refused) {
    it(`is the last one of its connection, and no more than a part of its body is read: ${name}`, async () => {
      send(method, path, headers);
      await eventually(() => { expect(answers).to.match(new RegExp(`^HTTP/1\\.1 ${status} `)); });
      expect(answers).to.match(/\r\nConnection: close\r\n/i);
      const block = Buffer.alloc(65_536, '1');
      let sentBytes = 0;
      while (!socket.destroyed && sentBytes <= 4 * MOST_TAKEN_BYTES) {
        sentBytes += block.length;
        if (!socket.write(block) && !(await drains(socket))) break;
      }
      expect(sentBytes).to.be.below(MOST_TAKEN_BYTES);
    });
  }

  it('gives its answer to a client that sends a body of some MiB whole before it reads', async () => {
    socket.pause();
    send('POST', '/tasks', ['Content-Type: text/plain', `Content-Length: ${3 * MIB}`]);
    for (let sent = 0; sent < 3 * MIB; sent += 65_536) if (!socket.write(Buffer.alloc(65_536, '1'))) await once(socket, 'drain');
    socket.resume();
    await once(socket, 'end');
    expect(answers).to.match(/^HTTP\/1\.1 415 [^]*"code":"unsupported_media_type"/);
  });

  it('keeps the connection for the next request when the body is small', async () => {
    const body = '1'.repeat(1_000);
    send('POST', '/tasks', ['Content-Type: text/plain', `Content-Length: ${body.length}`]);
    await eventually(() => { expect(answers).to.match(/^HTTP\/1\.1 415 /); });
    expect(answers).to.not.match(/\r\nConnection: close\r\n/i);
    socket.write(body);
    send('GET', '/livez', []);
    await eventually(() => { expect(answers).to.match(/HTTP\/1\.1 200 /); });
  });
});

/** @returns false when the other side takes nothing for a while */
function drains(socket: Socket): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => { done(false); }, 500);
    const onDrain = (): void => { done(true); };
    const onClose = (): void => { done(false); };
    const done = (isDrained: boolean): void => {
      clearTimeout(timer);
      socket.off('drain', onDrain).off('close', onClose);
      resolve(isDrained);
    };
    socket.once('drain', onDrain).once('close', onClose);
  });
}

import { once } from 'node:events';
import { connect, Socket } from 'node:net';
import { queryObjects } from 'node:v8';

import { expect } from 'chai';

import { listen } from '../../../../server/http/listen.js';
import { eventually } from '../../../support/eventually.js';

const CLIENTS = 20;

describe('listen', () => {
  it('answers a request that came on a kept connection while our own event loop stood still', async () => {
    const listening = await listen((_request, response) => response.end('answer'), { host: '127.0.0.1', port: 0, keepAliveMs: 100, logger: console });
    const socket = connect(listening.port, '127.0.0.1');
    try {
      let read = '';
      socket.on('data', (chunk: Buffer) => { read += chunk.toString(); });
      socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
      await eventually(() => { expect(read).to.include('answer'); });
      read = '';
      socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
      const until = performance.now() + 1_500;
      while (performance.now() < until);
      await eventually(() => { expect(read).to.include('answer'); });
    } finally {
      socket.destroy();
      await listening.close(1_000);
    }
  });

  it('ends a kept connection on which nothing comes', async () => {
    const listening = await listen((_request, response) => response.end('answer'), { host: '127.0.0.1', port: 0, keepAliveMs: 100, logger: console });
    const socket = connect(listening.port, '127.0.0.1');
    try {
      socket.resume();
      socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
      await once(socket, 'close');
    } finally {
      socket.destroy();
      await listening.close(1_000);
    }
  });

  it('forgets the connection of a client that went away before its answer', async function () {
    this.timeout(90_000);
    let onSeen = (): void => undefined;
    // It never answers.
    const listening = await listen(() => { onSeen(); }, { host: '127.0.0.1', port: 0, logger: console });
    try {
      const before = liveSockets();
      for (let client = 0; client < CLIENTS; client += 1) {
        const seen = new Promise<void>((resolve) => { onSeen = resolve; });
        const socket = connect(listening.port, '127.0.0.1', () => socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n'));
        await seen;
        socket.destroy();
      }
      // One count walks the whole heap, which takes seconds when many tests share the process.
      await eventually(() => { expect(liveSockets()).to.be.below(before + CLIENTS / 2); }, { withinMs: 60_000 });
    } finally {
      await listening.close(1_000);
    }
  });
});

/** Those that something still refers to: it counts after a garbage collection. */
function liveSockets(): number {
  return queryObjects(Socket, { format: 'count' });
}

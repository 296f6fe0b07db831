import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { expect } from 'chai';

import { listen } from '../../../../server/http/listen.js';
import { eventually } from '../../../support/eventually.js';

const CLIENTS = 20;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void; // the flag makes it a global function of new contexts

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

  it('forgets the connection of a client that went away before its answer', async () => {
    const connections: WeakRef<Socket>[] = [];
    let onSeen = (): void => undefined;
    // It never answers.
    const listening = await listen(({ socket }) => {
      connections.push(new WeakRef(socket));
      onSeen();
    }, { host: '127.0.0.1', port: 0, logger: console });
    try {
      for (let client = 0; client < CLIENTS; client += 1) {
        const seen = new Promise<void>((resolve) => { onSeen = resolve; });
        const socket = connect(listening.port, '127.0.0.1', () => socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n'));
        await seen;
        socket.destroy();
      }
      await eventually(() => {
        collectGarbage();
        expect(connections.filter((connection) => connection.deref() !== undefined).length).to.be.below(CLIENTS / 2);
      }, { everyMs: 100, withinMs: 20_000 });
    } finally {
      await listening.close(1_000);
    }
  });
});

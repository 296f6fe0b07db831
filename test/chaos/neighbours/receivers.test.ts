import type { Socket } from 'node:net';

import { pour, trickle, type Attacker } from './attack.js';
import { noNeighbourSuffers } from './no-neighbour-suffers.js';

const MIB = 1_048_576;
const BLOCK = 65_536;
const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';

/** A receiver that does the same with every connection once a request has begun to come; twenty tasks for it twice a second. */
function receiver(name: string, onRequest: (socket: Socket) => void, rest: Partial<Attacker> = {}): Attacker {
  return {
    name,
    ...rest,
    async start(attack) {
      const port = await attack.listen((socket) => {
        socket.resume();
        socket.once('data', () => onRequest(socket));
      });
      attack.every(500, () => attack.submit(20, () => ({ destination: { url: `http://127.0.0.1:${port}/` } })));
    },
  };
}

/** An answer that begins like this and goes on for ever. */
function endless(name: string, head: string, part: string | Buffer, rest?: Partial<Attacker>): Attacker {
  const block = typeof part === 'string' ? Buffer.from(part.repeat(Math.ceil(BLOCK / part.length))) : part;
  return receiver(name, (socket) => {
    if (head !== '') socket.write(head);
    pour(socket, block);
  }, rest);
}

const answers: readonly Attacker[] = [
  endless('102 without end', '', 'HTTP/1.1 102 Processing\r\n\r\n'),
  endless('100 without end', '', 'HTTP/1.1 100 Continue\r\n\r\n'),
  endless('103 with headers without end', '', 'HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n', { isLongOnly: true }),
  endless('101 without end', '', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n', { isLongOnly: true }),
  endless('a status line without end', 'HTTP/1.1 200 ', 'x'),
  endless('empty lines without end', '', '\r\n'),
  endless('a header without end', 'HTTP/1.1 200 OK\r\nX-A: ', 'x'),
  endless('headers without end', 'HTTP/1.1 200 OK\r\n', 'a: b\r\n'),
  endless('a folded header without end', 'HTTP/1.1 200 OK\r\nX-A: b\r\n', ' c\r\n', { isLongOnly: true }),
  endless('zeros in the size of a chunk', CHUNKED, '0'),
  endless('an extension of a chunk without end', `${CHUNKED}1;`, 'x'),
  endless('chunks of one byte', CHUNKED, '1\r\nx\r\n'),
  endless('trailers without end', `${CHUNKED}0\r\n`, 'a: b\r\n', { isLongOnly: true }),
  endless('a body without end', 'HTTP/1.1 200 OK\r\n\r\n', Buffer.alloc(BLOCK, 'x')),
  endless('an error text without end', 'HTTP/1.1 500 Oops\r\nContent-Type: text/html\r\n\r\n', Buffer.alloc(BLOCK, '<')),
  endless('a body of 10^15 bytes', 'HTTP/1.1 200 OK\r\nContent-Length: 1000000000000000\r\n\r\n', Buffer.alloc(BLOCK), { isLongOnly: true }),
  endless('one answer behind the other', '', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'),
  endless('an answer, and zeros behind it', 'HTTP/1.1 204 No Content\r\n\r\n', Buffer.alloc(BLOCK), { isLongOnly: true }),
  endless('what is no HTTP, without end', '', Buffer.alloc(BLOCK), { isLongOnly: true }),
  receiver('10 MB of headers', (socket) => socket.write(`HTTP/1.1 200 OK\r\n${`X-A: ${'b'.repeat(1_000)}\r\n`.repeat(10_000)}\r\n`)),
  receiver('a byte a second', (socket) => trickle(socket, 1_000, `HTTP/1.1 200 OK\r\nX-A: ${'b'.repeat(1_000)}`)),
  receiver('a byte of the body each 10 ms', (socket) => {
    socket.write('HTTP/1.1 200 OK\r\n\r\n');
    trickle(socket, 10);
  }, { isLongOnly: true }),
  receiver('no answer', () => undefined),
  receiver('a reset after the first byte', (socket) => {
    socket.write('H');
    setTimeout(() => socket.resetAndDestroy(), 5);
  }),
  {
    name: 'a reset before the first byte',
    isLongOnly: true,
    async start(attack) {
      const port = await attack.listen((socket) => socket.resetAndDestroy());
      attack.every(500, () => attack.submit(20, () => ({ destination: { url: `http://127.0.0.1:${port}/` } })));
    },
  },
  receiver('redirects', (socket) => socket.write(`HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/${'x'.repeat(8_000)}\r\nContent-Length: 0\r\n\r\n`)),
  receiver('a request to wait for a hundred years', (socket) => socket.write(`HTTP/1.1 503 Busy\r\nRetry-After: 3153600000\r\nContent-Length: 0\r\n\r\n`), { isLongOnly: true }),
  {
    name: 'a receiver that reads nothing of messages of 1 MiB',
    leastSeconds: 2,
    async start(attack) {
      const port = await attack.listen((socket) => socket.pause());
      const message = 'x'.repeat(MIB);
      attack.every(1_000, () => attack.submit(10, () => ({ destination: { url: `http://127.0.0.1:${port}/` }, message_data: message })));
    },
  },
  {
    name: 'an error for each of many attempts, 1 ms apart',
    async start(attack) {
      const port = await attack.listen((socket) => {
        socket.on('data', () => socket.write('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n'));
      });
      await attack.submit(1_000, () => ({ destination: { url: `http://127.0.0.1:${port}/` }, max_retries: 100, base_delay: 0.001, max_delay: 0.001 }));
    },
  },
  {
    name: 'a receiver that has another name each time',
    isLongOnly: true,
    async start(attack) {
      const port = await attack.listen((socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'));
      let nth = 0;
      attack.every(200, () => attack.submit(200, () => ({ destination: { url: `http://127.${(nth += 1) % 250}.${Math.floor(nth / 250) % 250}.1:${port}/` } })));
    },
  },
];

noNeighbourSuffers('19c', 'answers of receivers', answers, { DELIVERY_TIMEOUT: '5s' });

import { createServer, type Socket } from 'node:net';
import { isToFail } from './fails-first.js';

/**
 * The fastest receiver that is still honest HTTP/1.1: answers 200 to every request and reports when the n-th came.
 * A process of its own. Arguments: how many ports it listens on (each is an origin), how long an answer takes in ms,
 * and `fails` where some tasks get a 500 at their first attempt (fails-first.ts).
 * Over IPC: {ports}; {expect: n, from: m} -> {ready: true}, {from: true} at the m-th, {done: Span} at the n-th request. With
 * {fails: true} it answers 500 to each of them.
 */
export interface Span {
  /** The m-th and the n-th arrival, milliseconds since the epoch with fractions. */
  readonly firstMs: number;
  readonly lastMs: number;
}

const OK = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
const FAILED = Buffer.from('HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\nno');
const HEAD_END = Buffer.from('\r\n\r\n');

const [portCount = '1', delayMs = '0', mode] = process.argv.slice(2);
let expected = Infinity;
let from = 0;
let count = 0;
let firstMs = 0;
let fails = false;

function arrived(): void {
  const nowMs = performance.timeOrigin + performance.now();
  if (count === from) {
    firstMs = nowMs;
    process.send?.({ from: true });
  }
  count += 1;
  if (count === expected) process.send?.({ done: { firstMs, lastMs: nowMs } satisfies Span });
}

function answerTo(request: Buffer): Buffer {
  return fails || (mode === 'fails' && isToFail(request.toString('latin1'))) ? FAILED : OK;
}

function serve(socket: Socket): void {
  socket.setNoDelay(true);
  let pending = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    for (;;) {
      const head = pending.indexOf(HEAD_END);
      if (head < 0) return;
      const length = Number(/content-length: (\d+)/i.exec(pending.toString('latin1', 0, head))?.[1] ?? 0);
      const end = head + HEAD_END.length + length;
      if (pending.length < end) return;
      const answer = answerTo(pending.subarray(0, end));
      pending = pending.subarray(end);
      arrived();
      if (delayMs === '0') socket.write(answer);
      else setTimeout(() => socket.write(answer), Number(delayMs));
    }
  });
  socket.on('error', () => socket.destroy());
}

function listen(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer(serve).once('error', reject);
    server.listen(0, '127.0.0.1', 1_024, () => {
      const address = server.address();
      resolve(typeof address === 'object' ? (address?.port ?? 0) : 0);
    });
  });
}

process.on('message', (message: { expect: number; from: number; fails: boolean }) => {
  count = 0;
  expected = message.expect;
  from = message.from;
  fails = message.fails;
  process.send?.({ ready: true });
});
process.on('disconnect', () => process.exit(0));
const ports: number[] = [];
for (let nth = 0; nth < Number(portCount); nth += 1) ports.push(await listen());
process.send?.({ ports });

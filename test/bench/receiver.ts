import { createServer } from 'node:net';

/**
 * The fastest receiver that is still honest HTTP/1.1: answers 200 to every request and reports when the n-th came.
 * A process of its own. Told over IPC: {expect: n} -> {done: {firstMs, lastMs, count}} when n requests have come.
 */
const ANSWER = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
const HEAD_END = Buffer.from('\r\n\r\n');

let expected = Infinity;
let count = 0;
let firstMs = 0;

function arrived(): void {
  if (count === 0) firstMs = performance.now();
  count += 1;
  if (count !== expected) return;
  process.send?.({ done: { firstMs, lastMs: performance.now(), count } });
}

const server = createServer((socket) => {
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
      pending = pending.subarray(end);
      arrived();
      socket.write(ANSWER);
    }
  });
  socket.on('error', () => socket.destroy());
});

process.on('message', (message: { expect: number }) => {
  count = 0;
  expected = message.expect;
  process.send?.({ ready: true });
});
process.on('disconnect', () => process.exit(0));
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.send?.({ port: typeof address === 'object' ? address?.port : 0 });
});

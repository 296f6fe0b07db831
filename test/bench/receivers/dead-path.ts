import { createServer } from 'node:http';

/**
 * One host of a dead-path run, in a process of its own. Argument: 1 when `/dead-path` answers 503. Every other path is well; dead letters go
 * to `/dead-letters`.
 * Over IPC: {origin}; {healthy: n} -> {ready: true}, then {done: DeadPathArrivals} when so many have come to the healthy paths;
 * {report: true} -> {report: DeadPathArrivals}.
 */
export interface DeadPathArrivals {
  /** Arrival minus due time at the healthy paths, milliseconds. */
  readonly healthyMs: readonly number[];
  /** Sends to the dead path, and dead letters, that have arrived. */
  readonly toDeadPath: number;
  readonly deadLetters: number;
}

const isDead = process.argv[2] === '1';
let missing = Infinity;
let healthyMs: number[] = [];
let toDeadPath = 0;
let deadLetters = 0;

const seen = (): DeadPathArrivals => ({ healthyMs, toDeadPath, deadLetters });

const server = createServer((request, response) => {
  const arrivedAt = Date.now();
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    if (request.url === '/dead-path') {
      toDeadPath += 1;
      response.statusCode = isDead ? 503 : 200;
    } else if (request.url === '/dead-letters') {
      deadLetters += 1;
    } else {
      // Sent by dead-path.ts: {"due": epoch ms}.
      const { due } = JSON.parse(Buffer.concat(chunks).toString()) as { due: number };
      healthyMs.push(arrivedAt - due);
      missing -= 1;
      if (missing === 0) process.send?.({ done: seen() });
    }
    response.end();
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', 4_096, () => {
  const address = server.address();
  process.send?.({ origin: `http://127.0.0.1:${typeof address === 'object' ? (address?.port ?? 0) : 0}` });
});
process.on('message', (message: { healthy: number } | { report: true }) => {
  if ('report' in message) return void process.send?.({ report: seen() });
  missing = message.healthy;
  healthyMs = [];
  process.send?.({ ready: true });
});
process.on('disconnect', () => process.exit(0));

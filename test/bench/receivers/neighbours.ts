import { createServer } from 'node:http';

/**
 * Receivers of a noisy-neighbour run, in a process of its own: a fast one and some slow ones, each on a port of its own, or each
 * on a path of its own of one port. Arguments: how many slow ones, their delay in ms, 1 for one port.
 * Over IPC: {urls: ReceiverUrls}; {fast: n, slow: n} -> {ready: true}, then {done: Arrivals} when all have come,
 * or when {stop: true} says that the waiting is over.
 */
export interface Arrivals {
  /** Arrival minus due time, milliseconds, ascending. */
  readonly fastMs: readonly number[];
  readonly slowAnswered: number;
  /** Epoch milliseconds at which the last slow one was answered. */
  readonly slowLastAt: number;
}

export interface ReceiverUrls {
  readonly fast: string;
  readonly slow: readonly string[];
  /** As fast as `fast`, and on a port of its own. */
  readonly elsewhere: string;
}

const [slowReceivers = 0, delayMs = 0, isOneHost = 0] = process.argv.slice(2).map(Number);
let open = { fast: Infinity, slow: Infinity };
let fastMs: number[] = [];
let slowAnswered = 0;
let slowLastAt = 0;

function reportWhenAllCame(): void {
  if (open.fast <= 0 && open.slow <= 0) report();
}

function report(): void {
  open = { fast: Infinity, slow: Infinity };
  process.send?.({ done: { fastMs, slowAnswered, slowLastAt } satisfies Arrivals });
}

function listen(isSlow: (path: string) => boolean): Promise<number> {
  const server = createServer((request, response) => {
    const arrivedAt = Date.now();
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (!isSlow(request.url ?? '')) {
        // Sent by fairness.ts and lateness.ts: {"due": epoch ms}.
        const { due } = JSON.parse(Buffer.concat(chunks).toString()) as { due: number };
        fastMs.push(arrivedAt - due);
        open.fast -= 1;
        response.end('ok');
        return reportWhenAllCame();
      }
      setTimeout(() => {
        slowLastAt = Date.now();
        slowAnswered += 1;
        open.slow -= 1;
        response.end('ok');
        reportWhenAllCame();
      }, delayMs);
    });
  });
  server.keepAliveTimeout = 60_000;
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', 4_096, () => {
      const address = server.address();
      resolve(typeof address === 'object' ? (address?.port ?? 0) : 0);
    });
  });
}

async function openReceivers(): Promise<ReceiverUrls> {
  const elsewhere = `http://127.0.0.1:${await listen(() => false)}/hook`;
  if (isOneHost !== 1) {
    const urls = await Promise.all(Array.from({ length: slowReceivers + 1 }, async (_, nth) => `http://127.0.0.1:${await listen(() => nth > 0)}/hook`));
    return { fast: urls[0] ?? '', slow: urls.slice(1), elsewhere };
  }
  const origin = `http://127.0.0.1:${await listen((path) => path.startsWith('/slow'))}`;
  return { fast: `${origin}/hook`, slow: Array.from({ length: slowReceivers }, (_, nth) => `${origin}/slow-${nth}`), elsewhere };
}

const urls = await openReceivers();
process.on('message', (message: typeof open | { stop: true }) => {
  if ('stop' in message) return report();
  open = { ...message };
  fastMs = [];
  slowAnswered = 0;
  process.send?.({ ready: true });
});
process.on('disconnect', () => process.exit(0));
process.send?.({ urls });

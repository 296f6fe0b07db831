import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readHttpHeaders } from '../../retry-headers.js';
import { SeenMessages } from '../../seen-messages.js';
import type { Command, CommandContext } from '../command.js';
import { EXIT, UsageError } from '../exit-codes.js';
import { durationOf, numberOf } from '../option-values.js';

/** A message that came in. */
interface Received {
  readonly at: string;
  readonly status: number;
  readonly method: string;
  readonly path: string;
  readonly task_id: string | null;
  readonly run: number | null;
  readonly edit: number | null;
  readonly attempt: number | null;
  readonly dead_reason: string | null;
  /** It was answered with success before. */
  readonly is_duplicate: boolean;
  readonly message_data: string;
}

const MAX_BODY_BYTES = 64 * 1_048_576;
/** So many messages wait for a slow reader of our output. Then senders wait. */
const MAX_WAITING = 1_000;

export const listenCommand: Command = {
  name: 'listen',
  usage: '[options]',
  help: 'a receiver on this machine: answers messages, and shows them, until Ctrl-C',
  options: {
    port: { type: 'string', value: '<n>', help: 'where it listens; 9099 by default, 0: any free port' },
    fail: { type: 'string', value: '<n>', help: 'the first n requests of each task fail' },
    status: { type: 'string', value: '<n>', help: 'the status of those failures; 503 by default' },
    delay: { type: 'string', value: '<length>', help: 'time before each answer' },
  },
  run: async (context) => {
    const { output, values, say, signal } = context;
    if (output.form === 'json') throw new UsageError('listen has no end, so it writes --output ndjson or table');
    const queue = new ReceivedQueue();
    const server = receiver(context, queue);
    const port = await listening(server, numberOf(values, 'port', { least: 0, most: 65_535, isWhole: true }) ?? 9_099);
    say(`listening on http://127.0.0.1:${port}/ (any path); Ctrl-C ends`);
    try {
      await output.list(queue.take(signal), ['at', 'status', 'task_id', 'run', 'attempt', 'is_duplicate', 'message_data']);
    } finally {
      server.close();
      server.closeAllConnections();
    }
    return EXIT.done;
  },
};

function receiver({ values }: CommandContext, queue: ReceivedQueue): Server {
  const failures = numberOf(values, 'fail', { least: 0, isWhole: true }) ?? 0;
  const failing = numberOf(values, 'status', { least: 200, most: 999, isWhole: true }) ?? 503;
  const delayMs = durationOf(values, 'delay') ?? 0;
  const requestsOf = new Map<string, number>();
  const seen = new SeenMessages();
  return createServer((request, response) => {
    void (async () => {
      const message = await bodyOf(request);
      const headers = readHttpHeaders(request.headers);
      const name = headers?.taskId ?? '';
      const nth = (requestsOf.get(name) ?? 0) + 1;
      requestsOf.set(name, nth);
      const status = nth <= failures ? failing : 200;
      // What failed was not handled, so it is no duplicate when it comes again.
      const isDuplicate = headers !== undefined && status === 200 && !(await seen.once(headers, () => undefined));
      const { method = '', url = '' } = request;
      const { run = null, edit = null, attempt = null, taskId = null, dead } = headers ?? {};
      await queue.add({ at: new Date().toISOString(), status, method, path: url, task_id: taskId, run, edit, attempt, dead_reason: dead?.reason ?? null, is_duplicate: isDuplicate, message_data: message });
      if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
      response.writeHead(status, { 'content-type': 'text/plain' }).end(status === 200 ? 'thank you\n' : `failing request ${nth} of ${failures}\n`);
    })().catch(() => {
      // The sender went away, or sent too much.
      response.destroy();
    });
  });
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > MAX_BODY_BYTES) throw new RangeError('the body is too large');
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}

async function listening(server: Server, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(error.code === 'EADDRINUSE' ? new UsageError(`port ${port} is taken: choose another one with --port`) : error));
    server.listen(port, '127.0.0.1', resolve);
  });
  // A server that listens on TCP has such an address.
  return (server.address() as AddressInfo).port;
}

/** Messages on their way from the requests to the output. */
class ReceivedQueue {
  readonly #waiting: Received[] = [];
  #wake: () => void = () => undefined;
  #room: (() => void)[] = [];

  async add(received: Received): Promise<void> {
    while (this.#waiting.length >= MAX_WAITING) await new Promise<void>((resolve) => this.#room.push(resolve));
    this.#waiting.push(received);
    this.#wake();
  }

  async *take(signal: AbortSignal): AsyncGenerator<Received, void, undefined> {
    signal.addEventListener('abort', () => this.#wake(), { once: true });
    for (;;) {
      signal.throwIfAborted();
      const next = this.#waiting.shift();
      if (next === undefined) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        continue;
      }
      for (const resolve of this.#room.splice(0)) resolve();
      yield next;
    }
  }
}

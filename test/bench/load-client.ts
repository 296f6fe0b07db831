import { connect } from 'node:net';

/**
 * Posts tasks over a fixed number of keep-alive connections, one request at a time on each. A process of its own:
 * `node load-client.js PORT CONNECTIONS REQUESTS ROUND [BATCH]` prints one line of JSON
 * {perSecond, failures, p50Ms, p99Ms}. With BATCH each request is a JSON array of so many tasks to /tasks/batch.
 * BENCH_API_KEY is sent as the access key. Messages have BENCH_MESSAGE_BYTES bytes, about 200 without it.
 */
const [port = 0, connections = 64, requests = 0, round = 0, batch = 0] = process.argv.slice(2).map(Number);
const { BENCH_API_KEY, BENCH_MESSAGE_BYTES } = process.env;
const MESSAGE = BENCH_MESSAGE_BYTES === undefined ? JSON.stringify({ order: 4711, text: 'x'.repeat(180) }) : 'm'.repeat(Number(BENCH_MESSAGE_BYTES));

const LOGIN = BENCH_API_KEY === undefined ? '' : `Authorization: Bearer ${BENCH_API_KEY}\r\n`;

let tasks = 0;
let sent = 0;
let answered = 0;
let failures = 0;
const latenciesMs: number[] = [];
const startedMs = performance.now();

function task(): string {
  const id = `bench-${round}-${tasks}`;
  tasks += 1;
  return JSON.stringify({
    id,
    source: 'bench',
    client_id: 'bench',
    destination_type: 'http',
    destination: { url: 'http://127.0.0.1:9/hook' },
    dead_destination: { url: 'http://127.0.0.1:9/dead' },
    max_retries: 3,
    base_delay: 3600,
    message_data: MESSAGE,
  });
}

function request(): string {
  sent += 1;
  const body = batch === 0 ? task() : `[${Array.from({ length: batch }, task).join(',')}]`;
  return `POST ${batch === 0 ? '/tasks' : '/tasks/batch'} HTTP/1.1\r\nHost: 127.0.0.1\r\n${LOGIN}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

function isGood(answer: string): boolean {
  return batch === 0 ? answer.startsWith('HTTP/1.1 201') : answer.includes(`"created":${batch},`);
}

function finish(): void {
  const seconds = (performance.now() - startedMs) / 1000;
  latenciesMs.sort((a, b) => a - b);
  const at = (share: number): number => latenciesMs[Math.floor(latenciesMs.length * share)] ?? NaN;
  process.stdout.write(`${JSON.stringify({ perSecond: answered / seconds, failures, p50Ms: at(0.5), p99Ms: at(0.99) })}\n`);
  process.exit(0);
}

for (let index = 0; index < connections; index += 1) {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.setNoDelay(true);
  let sentAtMs = 0;
  let pending = '';
  const next = (): void => {
    if (sent >= requests) return;
    sentAtMs = performance.now();
    socket.write(request());
  };
  socket.on('connect', next);
  socket.on('data', (chunk) => {
    pending += chunk.toString('latin1');
    const head = pending.indexOf('\r\n\r\n');
    if (head < 0) return;
    const length = Number(/content-length: (\d+)/i.exec(pending.slice(0, head))?.[1] ?? 0);
    if (pending.length < head + 4 + length) return;
    if (!isGood(pending)) failures += 1;
    pending = '';
    latenciesMs.push(performance.now() - sentAtMs);
    answered += 1;
    if (answered === requests) finish();
    else next();
  });
  socket.on('error', (error) => {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  });
}

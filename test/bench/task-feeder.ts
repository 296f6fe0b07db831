import { connect } from 'node:net';
import { httpTask } from '../support/tasks.js';
import { SMALL_BODY } from './small-body.js';

/**
 * Posts very many tasks to the API over keep-alive connections, one request at a time on each. A process of its own.
 * Arguments: port of the API, connections, tasks, url they go to, initial delay in seconds. Over IPC: {fed: true} when all were
 * answered with 201; another answer ends it with exit code 1.
 */
const [port = '', connections = '', tasks = '', url = '', initialDelay = '0'] = process.argv.slice(2);
const total = Number(tasks);
const template = httpTask(url, { initial_delay: Number(initialDelay), message_data: SMALL_BODY });
let sent = 0;
let answered = 0;

function request(): string {
  sent += 1;
  const body = JSON.stringify({ ...template, id: `fed-${sent}` });
  return `POST /tasks HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

function fail(reason: string): never {
  process.stderr.write(`task feeder: ${reason}\n`);
  process.exit(1);
}

for (let nth = 0; nth < Number(connections); nth += 1) {
  const socket = connect({ host: '127.0.0.1', port: Number(port), noDelay: true });
  let pending = '';
  const next = (): void => {
    if (sent < total) socket.write(request());
  };
  socket.on('connect', next);
  socket.on('data', (chunk) => {
    pending += chunk.toString('latin1');
    const head = pending.indexOf('\r\n\r\n');
    if (head < 0) return;
    const length = Number(/content-length: (\d+)/i.exec(pending.slice(0, head))?.[1] ?? 0);
    if (pending.length < head + 4 + length) return;
    if (!pending.startsWith('HTTP/1.1 201')) fail(pending);
    pending = '';
    answered += 1;
    if (answered === total) process.send?.({ fed: true });
    next();
  });
  socket.on('error', (error) => fail(error.message));
}
process.on('disconnect', () => process.exit(0));

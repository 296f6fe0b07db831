#!/usr/bin/env node
// A receiver to try the service with: prints what comes, and fails as often as it is told to. No dependencies.

import { createServer } from 'node:http';
import { parseArgs } from 'node:util';

const usage = `Usage: node examples/receiver.mjs [options]

Listens on 127.0.0.1, prints every request and answers it.

  --port <n>          port to listen on, 0 for any free one   (default 9099)
  --fail <n>          fail the first n requests of each task  (default 0)
  --status <n>        status of those failures, 200..999      (default 503)
  --retry-after <s>   Retry-After of those failures, seconds  (default: none)
  --delay <ms>        wait before every answer                (default 0)
  --help              show this

Tasks are told apart by the header x-retry-task-id. A message that was accepted before is
dropped: the same task, run (x-retry-run) and edit (x-retry-edit). Ctrl-C ends it.

Example: every task fails twice, then succeeds
  node examples/receiver.mjs --fail 2
`;

function readOptions() {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '9099' },
      fail: { type: 'string', default: '0' },
      status: { type: 'string', default: '503' },
      'retry-after': { type: 'string' },
      delay: { type: 'string', default: '0' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(usage);
    process.exit(0);
  }
  return {
    port: wholeNumber('--port', values.port, 0, 65_535),
    failures: wholeNumber('--fail', values.fail, 0, 1_000_000),
    // A 1xx would be no answer at all.
    status: wholeNumber('--status', values.status, 200, 999),
    retryAfter: values['retry-after'] === undefined ? undefined : wholeNumber('--retry-after', values['retry-after'], 0, 31_536_000),
    delayMs: wholeNumber('--delay', values.delay, 0, 3_600_000),
  };
}

function wholeNumber(flag, text, least, most) {
  const number = /^\d+$/.test(text) ? Number(text) : NaN;
  if (number >= least && number <= most) return number;
  throw new Error(`${flag} must be a whole number from ${least} to ${most}, got "${text}"`);
}

/** A header as it was sent: Node reads the bytes as latin1, the service writes UTF-8. */
function header(request, name) {
  return Buffer.from(request.headers[name] ?? '', 'latin1').toString('utf8');
}

/**
 * One text for one message, whatever attempt brings it. A message that was handed over again on purpose has another run, and one that a person
 * has corrected has another edit. A dead letter is a message of its own.
 */
function messageName(request) {
  const [taskId, run, edit] = ['x-retry-task-id', 'x-retry-run', 'x-retry-edit'].map((name) => header(request, name));
  return taskId === '' ? undefined : JSON.stringify([taskId, run, edit || '0', header(request, 'x-retry-dead-reason') !== '']);
}

/** Control characters made visible, so that a message cannot play tricks on the terminal. */
function printable(text) {
  const line = text.replace(/\p{Cc}/gu, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`);
  return line.length <= 1_000 ? line : `${line.slice(0, 1_000)}… (${line.length} characters)`;
}

let options;
try {
  options = readOptions();
} catch (error) {
  process.stderr.write(`${error.message}\n\n${usage}`);
  process.exit(2);
}

const requestsByTask = new Map();
/** A real receiver keeps this with its data, and for as long as the service keeps finished tasks (DELIVERED_RETENTION). */
const acceptedMessages = new Set();

const server = createServer((request, response) => {
  const pieces = [];
  request.on('error', () => undefined); // the sender gave up: nothing to print, nobody to answer
  request.on('data', (piece) => pieces.push(piece));
  request.on('end', () => {
    const taskId = header(request, 'x-retry-task-id');
    const count = (requestsByTask.get(taskId) ?? 0) + 1;
    requestsByTask.set(taskId, count);
    const status = count <= options.failures ? options.status : 200;
    const message = messageName(request);
    const isKnown = acceptedMessages.has(message);
    if (message !== undefined && status === 200) acceptedMessages.add(message);

    const time = new Date().toISOString().slice(11, 23);
    const key = printable(header(request, 'x-message-key')) || '-';
    const attempt = printable(header(request, 'x-retry-attempt')) || '-';
    console.log(`${time}  ${status}  key ${key}  attempt ${attempt}  ${isKnown ? '(dropped, seen before) ' : ''}${printable(Buffer.concat(pieces).toString('utf8'))}`);

    setTimeout(() => {
      const headers = { 'content-type': 'text/plain' };
      if (status !== 200 && options.retryAfter !== undefined) headers['retry-after'] = String(options.retryAfter);
      response.writeHead(status, headers).end(status === 200 ? 'thank you\n' : `failing request ${count} of ${options.failures}\n`);
    }, options.delayMs);
  });
});

server.on('error', (error) => {
  process.stderr.write(error.code === 'EADDRINUSE'
    ? `port ${options.port} is taken: choose another one with --port\n`
    : `cannot listen on port ${options.port}: ${error.message}\n`);
  process.exit(1);
});
server.listen(options.port, '127.0.0.1', () => {
  console.log(`Listening on http://127.0.0.1:${server.address().port}/ (any path). Ctrl-C ends it.`);
});

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    // Exit by hand: an answer that --delay holds back would keep the process alive.
    server.close(() => process.exit(0));
    server.closeAllConnections();
  });
}

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import path from 'node:path';

import { cloneDir } from '../install/clone-paths.mjs';
import { freePort } from '../servers/free-port.mjs';
import { watchForInterruption } from '../processes/interruption.mjs';
import { processRef } from '../processes/process-identity.mjs';
import { readyClone } from '../install/ready-clone.mjs';
import { SetupError } from '../processes/setup-error.mjs';
import { startTestServers } from './test-servers.mjs';
import { waitUntil } from '../processes/wait-until.mjs';

const STEP_WITHIN_MS = 30_000;

/**
 * Runs the built API and one worker on the given Node, hands over a task and waits for it at a receiver of its own.
 *
 * @param {string | undefined} node path of a node binary
 * @throws {SetupError} saying which step failed
 */
export async function smokeTest(node) {
  if (node === undefined) throw new SetupError('Which Node? node scripts/smoke.mjs <path of a node binary>');
  const version = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim();
  const { signal } = watchForInterruption();
  await readyClone({ signal });
  const servers = await startTestServers({ needed: new Set(['redis']), signal });
  const receiver = await listenForOne();
  try {
    const httpPort = await freePort();
    const env = { ...process.env, REDIS_ADDR: servers.env.TEST_REDIS_ADDR, HTTP_HOST: '127.0.0.1', HTTP_PORT: String(httpPort) };
    /** @param {string} program */
    const start = (program) => {
      const child = spawn(node, ['--enable-source-maps', path.join(cloneDir, 'dist', program)], { env, stdio: ['ignore', 'inherit', 'inherit'] });
      const ref = processRef(child.pid);
      if (ref !== null) servers.endWithUs({ stop: ref });
      return { program, exit: once(child, 'exit'), child };
    };
    const programs = [start('server/main.js'), start('workers/main.js')];
    const baseUrl = `http://127.0.0.1:${httpPort}`;
    await step('the API is ready', signal, async () => (await statusOf(fetch(`${baseUrl}/readyz`))) === 200);

    const body = JSON.stringify(smokeTask(receiver.url));
    const status = await statusOf(fetch(`${baseUrl}/tasks`, { method: 'POST', headers: { 'content-type': 'application/json' }, body }));
    if (status !== 201) throw new SetupError(`Smoke test on Node ${version}: POST /tasks answered ${status}, not 201.`);
    await step('the task arrives at its destination', signal, () => receiver.received() !== null);
    if (receiver.received() !== 'smoke') throw new SetupError(`Smoke test on Node ${version}: the body arrived as ${receiver.received()}.`);

    for (const { program, child, exit } of programs) {
      child.kill('SIGTERM');
      const [code, killedBy] = await exit;
      if (code !== 0) throw new SetupError(`Smoke test on Node ${version}: ${program} ended with ${killedBy ?? code}, not 0.`);
    }
    console.log(`Smoke test on Node ${version}: task accepted, delivered, both processes ended in order.`);
  } finally {
    receiver.close();
    await servers.stop();
  }
}

/** @param {string} url */
function smokeTask(url) {
  return {
    id: 'smoke-1',
    source: 'smoke',
    client_id: 'ci',
    destination_type: 'http',
    destination: { url },
    dead_destination: { url },
    max_retries: 3,
    base_delay: 0.1,
    message_data: 'smoke',
  };
}

/**
 * @param {string} what for the message
 * @param {AbortSignal} signal
 * @param {() => boolean | Promise<boolean>} ask
 */
async function step(what, signal, ask) {
  if (!(await waitUntil(ask, { withinMs: STEP_WITHIN_MS, everyMs: 100, signal }))) {
    throw new SetupError(`Smoke test: waited ${STEP_WITHIN_MS / 1_000} s for this: ${what}.`);
  }
}

/**
 * @param {Promise<Response>} answer
 * @returns {Promise<number | string>}
 */
async function statusOf(answer) {
  try {
    const response = await answer;
    await response.arrayBuffer();
    return response.status;
  } catch (error) {
    return String(error);
  }
}

/** A receiver on a free port that keeps the first body it gets. */
async function listenForOne() {
  /** @type {string | null} */
  let received = null;
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    received ??= Buffer.concat(chunks).toString('utf8');
    response.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = /** @type {import('node:net').AddressInfo} */ (server.address());
  return {
    url: `http://127.0.0.1:${address.port}/smoke`,
    received: () => received,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

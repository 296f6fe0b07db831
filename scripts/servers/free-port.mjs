import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * @param {string} host an address of this machine
 * @param {number} port 0 asks for any
 * @returns {Promise<{port: number} | {code: string}>} the port that could be had, or why not (EADDRINUSE, EACCES, …)
 */
export function tryListen(host, port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (/** @type {NodeJS.ErrnoException} */ error) => resolve({ code: error.code ?? error.message }));
    server.listen({ host, port, exclusive: true }, () => {
      const address = server.address();
      const listening = typeof address === 'object' && address !== null ? address.port : port;
      server.close(() => resolve({ port: listening }));
    });
  });
}

/**
 * Below the ports that systems give to outgoing connections (Linux from 32,768, macOS from 49,152). Above, a connection may take the
 * port of a server that is being restarted, and a client that asks for that server again and again may connect to itself.
 */
const PORTS = { from: 10_000, to: 32_000 };
/**
 * `nth/all`: this process and those that it starts take ports of one part of them. The server of a test that runs beside others may be
 * killed and come back, and its port looks free meanwhile.
 */
export const PORTS_PART = 'TEST_PORTS_PART';
const MOST_TRIES = 100;

/**
 * By this process, which may ask for several before it uses the first.
 * @type {Set<number>}
 */
const handedOut = new Set();

/**
 * A loopback port that was free a moment ago, and another one at each call. Another program may be faster, so the caller must be able
 * to ask again.
 * @param {number} [preferred] taken when it is free
 */
export async function freePort(preferred) {
  if (preferred !== undefined && 'port' in (await tryListen('127.0.0.1', preferred))) return preferred;
  const [from, to] = portsOf(process.env[PORTS_PART]);
  for (let tries = 0; tries < MOST_TRIES; tries += 1) {
    const port = randomInt(from, to);
    if (handedOut.has(port) || !('port' in (await tryListen('127.0.0.1', port)))) continue;
    handedOut.add(port);
    return port;
  }
  throw new Error('no free port on 127.0.0.1');
}

/**
 * @param {string | undefined} part see PORTS_PART
 * @returns {[from: number, to: number]} `to` is not one of them
 */
function portsOf(part) {
  const [, nth = '0', all = '1'] = /^(\d+)\/(\d+)$/.exec(part ?? '') ?? [];
  const size = Math.floor((PORTS.to - PORTS.from) / Number(all));
  return [PORTS.from + Number(nth) * size, PORTS.from + (Number(nth) + 1) * size];
}

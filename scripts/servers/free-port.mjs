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
 * A loopback port that was free a moment ago. Another program may be faster, so the caller must be able to ask again.
 * @param {number} [preferred] taken when it is free
 */
export async function freePort(preferred) {
  for (const wanted of preferred === undefined ? [0] : [preferred, 0]) {
    const found = await tryListen('127.0.0.1', wanted);
    if ('port' in found) return found.port;
  }
  throw new Error('no free port on 127.0.0.1');
}

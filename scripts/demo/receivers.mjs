import { createServer } from 'node:http';

/** A minute well, a minute down. */
const PERIOD_MS = 60_000;
const isDown = () => Math.floor(Date.now() / PERIOD_MS) % 2 === 1;

/** @typedef {{status: number, afterMs?: number, body?: string}} Behaviour */

/**
 * What each path answers. They are of one host, so that one can see that a bad one does not hold up the others.
 * @type {Record<string, () => Behaviour>}
 */
const paths = {
  '/orders': () => ({ status: 200, afterMs: 10 + Math.random() * 60 }),
  '/shipping': () => ({ status: 200, afterMs: 5 + Math.random() * 20 }),
  '/invoices': () => (Math.random() < 0.3 ? { status: 500, body: 'deadlock detected' } : { status: 200, afterMs: 40 }),
  '/crm': () => ({ status: 400, body: '{"error":"unknown field: vat_id"}' }),
  '/search-index': () => ({ status: 200, afterMs: 3_000 }),
  '/payments': () => (isDown() ? { status: 503, body: 'maintenance' } : { status: 200, afterMs: 30 }),
  '/audit': () => (Math.random() < 0.1 ? { status: 429 } : { status: 200 }),
  '/dead-letters': () => ({ status: 200 }),
};

/**
 * @returns {Promise<{origin: string, close: () => void}>} a receiver that fails in interesting ways
 */
export async function startReceiver() {
  const server = createServer((request, response) => {
    const behaviour = paths[request.url?.split('?')[0] ?? ''] ?? (() => ({ status: 404, body: 'no such path' }));
    const { status, afterMs = 0, body = '' } = behaviour();
    request.resume().once('end', () => setTimeout(() => response.writeHead(status).end(body), afterMs));
  });
  await new Promise((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', () => resolve(undefined)));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the receiver has no port');
  return {
    origin: `http://127.0.0.1:${address.port}`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

import { setTimeout as wait } from 'node:timers/promises';

const CLIENTS = ['acme', 'globex', 'initech', 'umbrella'];
/** How often each path is sent to: most of the traffic is well. */
const SHARES = { '/orders': 12, '/shipping': 6, '/invoices': 3, '/payments': 3, '/search-index': 1, '/audit': 2, '/crm': 1, '/gone': 1 };
const PATHS = Object.entries(SHARES).flatMap(([path, share]) => Array.from({ length: share }, () => path));
/** Nobody listens there. */
const CLOSED = 'http://127.0.0.1:9';
const EVERY_MS = 60;
const LATER_EVERY = 25;

/**
 * Hands over tasks of several clients, some twenty a second, until it is told to stop. What cannot be handed over now is left out: the
 * service may still be starting.
 *
 * @param {object} options
 * @param {() => string | undefined} options.baseUrl of the API, once it is known
 * @param {string} options.origin  of the receiver
 * @param {AbortSignal} options.signal
 */
export async function sendTasks({ baseUrl, origin, signal }) {
  for (let nth = 1; !signal.aborted; nth += 1) {
    const url = baseUrl();
    if (url !== undefined) {
      const body = JSON.stringify(taskOf(nth, origin));
      await fetch(`${url}/tasks`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body, signal }).then((answer) => answer.arrayBuffer(), () => undefined);
    }
    await wait(EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** @param {number} nth @param {string} origin */
function taskOf(nth, origin) {
  const client = CLIENTS[nth % CLIENTS.length] ?? 'acme';
  const path = PATHS[Math.floor(Math.random() * PATHS.length)] ?? '/orders';
  const isLater = nth % LATER_EVERY === 0;
  const host = nth % 40 === 0 ? CLOSED : origin;
  return {
    id: `${client}-${path.slice(1)}-${Date.now().toString(36)}-${nth}`,
    source: 'demo',
    client_id: client,
    destination_type: 'http',
    destination: { url: host + path },
    ...(nth % 3 === 0 ? { dead_destination: { url: `${origin}/dead-letters` } } : { on_exhausted: 'park' }),
    max_retries: path === '/crm' ? 1 : 4,
    base_delay: 2,
    ...(isLater ? { initial_delay: 300 + (nth % 3_000) } : { initial_delay: 0 }),
    message_data: JSON.stringify({ order: { id: 1_000 + nth, client, total: '19.90' } }),
  };
}

import { setTimeout as wait } from 'node:timers/promises';

const CLIENTS = ['acme', 'globex', 'initech', 'umbrella'];
/** How often each path is sent to: most of the traffic is well. */
const SHARES = { '/orders': 12, '/shipping': 6, '/invoices': 3, '/payments': 3, '/search-index': 1, '/audit': 2, '/crm': 1, '/gone': 1 };
const PATHS = Object.entries(SHARES).flatMap(([path, share]) => Array.from({ length: share }, () => path));
/** Nobody listens there. */
const CLOSED = 'http://127.0.0.1:9';
const EVERY_MS = 60;
const LATER_EVERY = 25;

/** Every so many tasks one goes to Kafka. */
const KAFKA_EVERY = 4;

/**
 * Hands over tasks of several clients, some twenty a second, until it is told to stop. What cannot be handed over is left out: the service may
 * be restarted meanwhile.
 *
 * @param {object} options
 * @param {string} options.baseUrl of the API
 * @param {string} options.origin  of the receiver
 * @param {readonly string[]} options.topics that Kafka has; none without Kafka
 * @param {AbortSignal} options.signal
 */
export async function sendTasks({ baseUrl, origin, topics, signal }) {
  for (let nth = 1; !signal.aborted; nth += 1) {
    const body = JSON.stringify(taskOf(nth, origin, topics));
    await fetch(`${baseUrl}/tasks`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body, signal }).then((answer) => answer.arrayBuffer(), () => undefined);
    await wait(EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** @param {number} nth @param {string} origin @param {readonly string[]} topics */
function taskOf(nth, origin, topics) {
  const client = CLIENTS[nth % CLIENTS.length] ?? 'acme';
  const isForKafka = topics.length > 0 && nth % KAFKA_EVERY === 0;
  const path = PATHS[Math.floor(Math.random() * PATHS.length)] ?? '/orders';
  const topic = topics[(nth / KAFKA_EVERY) % topics.length];
  const isLater = nth % LATER_EVERY === 0;
  const host = nth % 40 === 0 ? CLOSED : origin;
  return {
    id: `${client}-${isForKafka ? 'event' : path.slice(1)}-${Date.now().toString(36)}-${nth}`,
    source: 'demo',
    client_id: client,
    ...(isForKafka ? { destination_type: 'kafka', destination: { topic } } : { destination_type: 'http', destination: { url: host + path } }),
    ...(nth % 3 === 0 ? { dead_destination: { url: `${origin}/dead-letters` }, dead_destination_type: 'http' } : { on_exhausted: 'park' }),
    max_retries: path === '/crm' ? 1 : 4,
    base_delay: 2,
    ...(isLater ? { initial_delay: 300 + (nth % 3_000) } : { initial_delay: 0 }),
    message_data: JSON.stringify({ order: { id: 1_000 + nth, client, total: '19.90' } }),
  };
}

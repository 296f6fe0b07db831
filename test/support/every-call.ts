import { call, type WireTask } from './tasks.js';

/** Settings of operators and reports of workers; the tasks of one shard; what was counted; the audit. Audit and counts share the slot of the settings, but not their rights in this test. */
export const parts = ['flow', 'shard', 'stats', 'audit'] as const;
export type Part = (typeof parts)[number];

export const ORIGIN = 'http://127.0.0.1:9';
export const PLACE = `/destinations/${encodeURIComponent(ORIGIN)}`;
export const json = (method: string, body: unknown, type = 'application/json'): RequestInit => ({ method, headers: { 'content-type': type }, body: JSON.stringify(body) });

/** What a call is made on: the service, and a new task of it that waits for its time. */
export interface Asked {
  readonly baseUrl: string;
  readonly id: string;
  /** A task that waits for its time, and whose id is free. */
  readonly waits: () => WireTask;
  /** The queue that has the task `id`, such as `deliver-2`. */
  readonly queue: string;
}

export interface Row {
  ask(asked: Asked): Promise<{ readonly status: number; readonly body?: unknown }>;
  /** The status while the part is away; all others are the usual one. */
  readonly away: Partial<Record<Part, number>>;
  readonly usual: number;
}

const get = (path: (asked: Asked) => string, away: Row['away'] = {}, usual = 200): Row => ({ usual, away, ask: (asked) => call(asked.baseUrl, path(asked)) });
const send = (path: (asked: Asked) => string, init: (asked: Asked) => RequestInit, away: Row['away'] = {}, usual = 200): Row => ({ usual, away, ask: (asked) => call(asked.baseUrl, path(asked), init(asked)) });
export const post = (): RequestInit => ({ method: 'POST' });
const page = (path: string, away: Row['away']): Row => ({ usual: 200, away, ask: ({ baseUrl }) => fetch(baseUrl + path) });
/** There is no such action, and that can be told as long as a change could be written down. */
const bulkChange = (change: string, method = 'POST', body?: unknown): Row => send(() => `/bulk-actions/none${change}`, () => (body === undefined ? { method } : json(method, body)), { audit: 503 }, 404);

/** By operation id. */
export const rows: Readonly<Record<string, Row>> = {
  submitTask: send(() => '/tasks', ({ waits }) => json('POST', waits()), {}, 201),
  submitTasks: send(() => '/tasks/batch', ({ waits }) => json('POST', [waits(), waits()]), {}, 207),
  readTask: get(({ id }) => `/tasks/${id}`),
  readSubmission: get(({ id }) => `/tasks/${id}/submission`),
  // A change that cannot be written down is not made.
  editTask: send(({ id }) => `/tasks/${id}`, () => json('PATCH', { max_retries: 7 }, 'application/merge-patch+json'), { audit: 503 }),
  cancelTask: send(({ id }) => `/tasks/${id}`, () => ({ method: 'DELETE' }), { audit: 503 }),
  retryTask: send(({ id }) => `/tasks/${id}/retry`, post, { audit: 503 }, 202),
  // On a cluster they say which tasks are missing. Parts of one Redis cannot be away alone.
  listTasks: get(() => `/tasks?destination_key=${encodeURIComponent(ORIGIN)}`, { shard: 503 }),
  countTasks: get(() => '/counts?by=destination_key', { shard: 503 }),
  // What was read last of settings and reports is shown.
  listDestinations: get(() => '/destinations'),
  readDestination: get(() => PLACE),
  setDestination: send(() => PLACE, () => json('PUT', { rate: 5 }), { flow: 503, audit: 503 }),
  freeDestination: send(() => PLACE, () => ({ method: 'DELETE' }), { flow: 503, audit: 503 }),
  pauseDestination: send(() => `${PLACE}/pause`, post, { flow: 503, audit: 503 }),
  resumeDestination: send(() => `${PLACE}/resume`, post, { flow: 503, audit: 503 }),
  listAudit: get(() => `/audit?target=${encodeURIComponent(ORIGIN)}`, { audit: 503 }),
  stats: get(() => '/stats'),
  status: get(() => '/status'),
  history: get(() => '/history', { stats: 503 }),
  failures: get(() => '/failures', { stats: 503 }),
  createBulkAction: send(() => '/bulk-actions', () => json('POST', { action: 'cancel', filter: { client_id: 'nobody' }, dry_run: true }), { shard: 503 }),
  // An action goes on in the other shards, and says in its state_reason what is missing.
  listBulkActions: get(() => '/bulk-actions'),
  readBulkAction: get(() => '/bulk-actions/made'),
  changeBulkAction: bulkChange('', 'PATCH', { rate: 1 }),
  pauseBulkAction: bulkChange('/pause'),
  resumeBulkAction: bulkChange('/resume'),
  cancelBulkAction: bulkChange('/cancel'),
  // Keys are stored with what concerns the whole fleet.
  createKey: send(() => '/keys', () => json('POST', { name: 'one', role: 'read' }), { flow: 503, audit: 503 }, 201),
  listKeys: get(() => '/keys', { flow: 503 }),
  changeKey: send(() => '/keys/none', () => json('PATCH', { name: 'two' }), { flow: 503, audit: 503 }, 404),
  rotateKey: send(() => '/keys/none/rotate', post, { flow: 503, audit: 503 }, 404),
  deleteKey: send(() => '/keys/none', () => ({ method: 'DELETE' }), { flow: 503, audit: 503 }, 404),
  // While AUTH=off nobody signs in, and Redis is not asked.
  signIn: send(() => '/session', () => json('POST', { key: `krs_abcd_${'0'.repeat(64)}` }), {}, 400),
  readSession: get(() => '/session'),
  signOut: { usual: 204, away: {}, ask: ({ baseUrl }) => fetch(`${baseUrl}/session`, { method: 'DELETE' }) },
  metrics: page('/metrics', {}),
  readCredentials: get(() => `${PLACE}/credentials`, { flow: 503 }),
  changeCredentials: send(() => `${PLACE}/credentials`, () => json('PATCH', { basic: null }), { flow: 503, audit: 503 }),
  deleteCredentials: send(() => `${PLACE}/credentials`, () => ({ method: 'DELETE' }), { flow: 503, audit: 503 }),
  // No worker runs.
  sendTest: send(() => '/test-sends', () => json('POST', { destination_type: 'http', destination: { url: ORIGIN } }), {}, 503),
  health: get(() => '/health'),
  livez: get(() => '/livez'),
  readyz: get(() => '/readyz'),
  contract: page('/openapi.yaml', {}),
  contractAsJson: page('/openapi.json', {}),
  docs: page('/docs', {}),
  adminPage: page('/admin', {}),
  frontPage: page('/', {}),
};

/** Calls without an operation id: those of the board. */
export const boardRows: Readonly<Record<string, Row>> = {
  'a page of the board': page('/admin/queues/api/queues?activeQueue=deliver-0&status=delayed&page=1&jobsPerPage=10', { shard: 503 }),
  'a task on the board': { usual: 200, away: {}, ask: ({ baseUrl, queue, id }) => fetch(`${baseUrl}/admin/queues/api/queues/${queue}/t-${id}`) },
};

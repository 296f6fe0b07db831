import { createServer, Agent, request, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

import { percentile } from '../../bench/percentile.js';

/**
 * Clients that do nothing wrong, and their receiver, in a process of their own, so that the work of an attack does not make
 * them late. Arguments: how many clients, requests a second of each. One request in ten is a GET of a task, the others
 * are POSTs of tasks that are due at once. Beside them a probe asks for /livez on a new connection ten times a second.
 *
 * Over IPC: `{aimAt: port}`, where the API listens, starts them. `{measureForMs: n}` is answered with `{measured: Measured}`
 * when every request that was begun in that time has its answer, and every task of them has arrived.
 */
export interface Measured {
  readonly requests: number;
  /** From the moment at which the request was to be sent to the end of its answer. */
  readonly requestP99Ms: number;
  readonly probeP99Ms: number;
  /** Tasks that were answered with 201. */
  readonly acked: number;
  /** From the end of the 201 to the arrival at the receiver. */
  readonly latenessP99Ms: number;
  /** Tasks that were answered with 201 and did not arrive within SETTLE_LIMIT_MS. */
  readonly missing: number;
  /** Arrivals beyond the first of each task. */
  readonly duplicates: number;
  /** Each way in which requests failed, such as `POST ECONNRESET` or `GET 503 redis_unavailable`, with its number. */
  readonly failures: Readonly<Record<string, number>>;
}

export type ToInnocents = { readonly aimAt: number } | { readonly measureForMs: number };

/** How long answers and arrivals are waited for after the measured time. */
const SETTLE_LIMIT_MS = 10_000;
const TICK_MS = 5;
const PROBES_PER_SECOND = 10;
/** Time limit of one request. */
const PATIENCE_MS = 10_000;
/** A client with so many requests without an answer begins no more: it is late enough, and the next run shall not begin with them. */
const MOST_OPEN = 50;

const [clients = 0, perSecond = 0] = process.argv.slice(2).map(Number);
const openOf = new Map<number, number>();
const agents = Array.from({ length: clients }, () => new Agent({ keepAlive: true, maxSockets: 4 }));
const prefix = `innocent-${process.pid}-${Date.now().toString(36)}`;

/** What is being measured. Requests that are begun outside of a measurement are counted nowhere. */
class Measurement {
  open = 0;
  readonly requestsMs: number[] = [];
  readonly probesMs: number[] = [];
  readonly latenessMs: number[] = [];
  readonly ackedAtMs = new Map<string, number>();
  readonly arrivedAtMs = new Map<string, number>();
  readonly failures: Record<string, number> = {};
  duplicates = 0;

  arrive(id: string): void {
    if (this.arrivedAtMs.has(id)) this.duplicates += 1;
    else this.arrivedAtMs.set(id, performance.now());
  }

  fail(how: string): void {
    this.failures[how] = (this.failures[how] ?? 0) + 1;
  }

  get missing(): number {
    return [...this.ackedAtMs.keys()].filter((id) => !this.arrivedAtMs.has(id)).length;
  }

  report(): Measured {
    const latenessMs = [...this.ackedAtMs].map(([id, ackedAtMs]) => Math.max(0, (this.arrivedAtMs.get(id) ?? Infinity) - ackedAtMs));
    return {
      requests: this.requestsMs.length,
      requestP99Ms: percentile(this.requestsMs, 0.99),
      probeP99Ms: percentile(this.probesMs, 0.99),
      acked: this.ackedAtMs.size,
      // Infinity cannot be sent as JSON. What is missing has a number of its own.
      latenessP99Ms: Math.min(percentile(latenessMs, 0.99), SETTLE_LIMIT_MS),
      missing: this.missing,
      duplicates: this.duplicates,
      failures: this.failures,
    };
  }
}

let api = 0;
let numbered = 0;
let newestId = '';
let running: Measurement | undefined;
const measurements = new Set<Measurement>();

const receiver = createServer((message, response) => {
  const id = String(message.headers['x-retry-task-id']);
  for (const measurement of measurements) measurement.arrive(id);
  message.resume();
  message.once('end', () => response.end());
});
receiver.keepAliveTimeout = 60_000;

interface Sent {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly agent: Agent | false;
  readonly body?: string;
  /** Which statuses are good. */
  readonly good: readonly number[];
}

/** @returns the end of the answer, or of the waiting for it; never a rejection */
function send(measurement: Measurement, { method, path, agent, body, good }: Sent): Promise<{ readonly isGood: boolean }> {
  measurement.open += 1;
  return new Promise((resolve) => {
    const settle = (failure?: string): void => {
      if (failure !== undefined) measurement.fail(`${agent === false ? 'probe' : method} ${failure}`);
      measurement.open -= 1;
      resolve({ isGood: failure === undefined });
    };
    const headers = body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const outgoing = request({ host: '127.0.0.1', port: api, method, path, agent, headers, timeout: PATIENCE_MS }, (response: IncomingMessage) => {
      let text = '';
      response.on('data', (chunk: Buffer) => { text += chunk.toString('latin1'); });
      response.on('error', () => { /* an answer that breaks off is seen by `close` */ });
      response.once('close', () => {
        const status = response.statusCode ?? 0;
        if (!response.complete) settle('answer broken off');
        else settle(good.includes(status) ? undefined : `${status} ${/"code":"(\w+)"/.exec(text)?.[1] ?? ''}`);
      });
      outgoing.off('error', onError);
      outgoing.on('error', () => { /* the same */ });
    });
    const onError = (error: NodeJS.ErrnoException): void => settle(error.code ?? error.message);
    outgoing.on('error', onError);
    outgoing.once('timeout', () => outgoing.destroy(new Error(`no answer within ${PATIENCE_MS / 1_000} s`)));
    outgoing.end(body);
  });
}

function taskText(id: string): string {
  const { port } = receiver.address() as AddressInfo; // a listening TCP server has no other kind of address
  return JSON.stringify({ id, source: 'innocents', client_id: 'innocents', destination_type: 'http', destination: { url: `http://127.0.0.1:${port}/` }, on_exhausted: 'park', max_retries: 5, base_delay: 1, initial_delay: 0, message_data: `{"order":${numbered},"text":"${'x'.repeat(180)}"}` });
}

async function sendNext(client: number, dueAtMs: number): Promise<void> {
  const open = openOf.get(client) ?? 0;
  if (open >= MOST_OPEN) return;
  openOf.set(client, open + 1);
  const measurement = running ?? new Measurement();
  numbered += 1;
  const agent = agents[client] ?? false;
  if (numbered % 10 === 0 && newestId !== '') {
    await send(measurement, { method: 'GET', path: `/tasks/${newestId}`, agent, good: [200] });
  } else {
    const id = `${prefix}-${numbered}`;
    const { isGood } = await send(measurement, { method: 'POST', path: '/tasks', agent, body: taskText(id), good: [201] });
    if (isGood) {
      newestId = id;
      measurement.ackedAtMs.set(id, performance.now());
    }
  }
  openOf.set(client, (openOf.get(client) ?? 1) - 1);
  measurement.requestsMs.push(performance.now() - dueAtMs);
}

async function probe(dueAtMs: number): Promise<void> {
  const measurement = running ?? new Measurement();
  await send(measurement, { method: 'GET', path: '/livez', agent: false, good: [200] });
  measurement.probesMs.push(performance.now() - dueAtMs);
}

/** Calls `work` so many times a second, also for the time in which this process was late. */
function steadily(timesPerSecond: number, work: (nth: number, dueAtMs: number) => void): void {
  const startedMs = performance.now();
  let nth = 0;
  setInterval(() => {
    for (; startedMs + (nth * 1_000) / timesPerSecond <= performance.now(); nth += 1) work(nth, startedMs + (nth * 1_000) / timesPerSecond);
  }, TICK_MS);
}

function measure(forMs: number): void {
  const measurement = new Measurement();
  running = measurement;
  measurements.add(measurement);
  setTimeout(() => {
    running = undefined;
    const until = performance.now() + SETTLE_LIMIT_MS;
    const look = setInterval(() => {
      if ((measurement.open > 0 || measurement.missing > 0) && performance.now() < until) return;
      clearInterval(look);
      if (measurement.open > 0) measurement.fail('request without an end');
      measurements.delete(measurement);
      process.send?.({ measured: measurement.report() });
    }, 20);
  }, forMs);
}

receiver.listen(0, '127.0.0.1', 4_096, () => process.send?.({ ready: true }));
let isStarted = false;
process.on('message', (message: ToInnocents) => {
  if ('measureForMs' in message) return measure(message.measureForMs);
  api = message.aimAt;
  newestId = '';
  if (isStarted) return;
  isStarted = true;
  steadily(clients * perSecond, (nth, dueAtMs) => void sendNext(nth % clients, dueAtMs));
  steadily(PROBES_PER_SECOND, (_, dueAtMs) => void probe(dueAtMs));
});
process.on('disconnect', () => process.exit(0));

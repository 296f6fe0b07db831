import { randomBytes } from 'node:crypto';
import { request } from 'node:http';

import { expect } from 'chai';

import type { Task, TaskState } from '../../shared/domain/task/task.js';
import type { WireTask as ClientTask } from '../../shared/wire/task.js';
import { expectAsInContract } from './contract.js';
import { eventually, type Patience } from './eventually.js';

/** A task as a client writes it. Its destinations may have any fields, those of another type and wrong ones too. */
export interface WireTask extends Omit<ClientTask, 'destination' | 'dead_destination'> {
  readonly destination: WireDestination;
  readonly dead_destination?: WireDestination;
}

export interface WireDestination {
  readonly url?: string;
  readonly method?: string;
  readonly content_type?: string;
  readonly host?: string;
  readonly port?: number | string;
  readonly topic?: string;
  readonly key?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export function uniqueId(label = 'task'): string {
  return `${label}-${randomBytes(6).toString('hex')}`;
}

/** A task to an HTTP receiver, due at once, no retries; the dead destination is a port where nothing listens. */
export function httpTask(url: string, changes: Partial<WireTask> = {}): WireTask {
  return {
    id: uniqueId(),
    source: 'orders',
    client_id: 'team-a',
    destination_type: 'http',
    destination: { url },
    dead_destination: { url: 'http://127.0.0.1:9/dead' },
    max_retries: 0,
    base_delay: 0.05,
    initial_delay: 0,
    message_data: '{"order":1}',
    ...changes,
  };
}

/** A task in our own form. */
export function domainTask(changes: Partial<Task> = {}): Task {
  return {
    id: uniqueId(),
    source: 'orders',
    clientId: 'team-a',
    destination: { type: 'http', url: 'http://127.0.0.1:9/hook' },
    deadDestination: { type: 'http', url: 'http://127.0.0.1:9/dead' },
    onExhausted: 'dead_letter',
    retryPolicy: { maxRetries: 2, initialDelayMs: 60_000, baseDelayMs: 60_000, maxDelayMs: 86_400_000, jitter: 'none' },
    isPriority: false,
    flowKey: undefined,
    messageData: '{"order":1}',
    ...changes,
  };
}

/** An answer of the API. `body` holds what the JSON held; a test that reads another field fails on undefined. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Readonly<Record<string, unknown>>;
}

/** GET /tasks/:id, as far as tests look at it. */
export interface ShownTask {
  readonly id: string;
  readonly state: TaskState;
  readonly run: number;
  readonly phase: string;
  readonly attempt: number;
  readonly created_at: string;
  readonly next_attempt_at: string | null;
  readonly finished_at: string | null;
  readonly waiting_for: { readonly code: string; readonly message: string } | null;
  readonly dead_reason: string | null;
  readonly edits: number;
  readonly message_data?: string;
  readonly timeline: readonly ShownEntry[];
}

export interface ShownEntry {
  readonly kind: string;
  readonly run?: number;
  readonly attempt?: number;
  readonly phase?: string;
  readonly started_at?: string;
  readonly duration_ms?: number;
  readonly outcome?: string;
  readonly error_code?: string | null;
  readonly http_status?: number | null;
  readonly error?: string | null;
  readonly next?: string;
  readonly worker?: string;
  readonly redriven_at?: string;
  readonly released_at?: string;
  readonly cancelled_at?: string;
  readonly omitted?: number;
  readonly edit?: number;
  readonly edited_at?: string;
  readonly by?: unknown;
}

/** A request, and an answer that is as docs/openapi.yaml says, or the test fails. */
export async function call(baseUrl: string, path: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(`${baseUrl}${path}`, init);
  const body = parseObject(await response.text());
  expectAsInContract(baseUrl, { method: init.method ?? 'GET', path, status: response.status, body });
  return { status: response.status, headers: response.headers, body };
}

/** POST /tasks. */
export function submit(baseUrl: string, task: WireTask): Promise<Answer> {
  return call(baseUrl, '/tasks', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(task) });
}

/** POST /tasks, and fails the test when the task was not accepted as a new one. */
export async function submitNew(baseUrl: string, task: WireTask): Promise<Answer> {
  const answer = await submit(baseUrl, task);
  expect(answer.status, JSON.stringify(answer.body)).to.equal(201);
  return answer;
}

/** DELETE /tasks/:id. */
export function cancel(baseUrl: string, id: string): Promise<Answer> {
  return call(baseUrl, `/tasks/${encodeURIComponent(id)}`, { method: 'DELETE' });
}

/** POST /tasks/:id/retry. */
export function retryNow(baseUrl: string, id: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
  return call(baseUrl, `/tasks/${encodeURIComponent(id)}/retry`, { method: 'POST', headers });
}

/** GET /tasks/:id, sent as it is: fetch would take `.` and `..` out of the path. */
export async function getTaskAnswer(baseUrl: string, id: string, query = ''): Promise<{ status: number; body: Readonly<Record<string, unknown>> }> {
  const path = `/tasks/${encodeURIComponent(id)}${query}`;
  const answer = await rawGet(baseUrl, path);
  expectAsInContract(baseUrl, { method: 'GET', path, ...answer });
  return answer;
}

export async function getTask(baseUrl: string, id: string, query = ''): Promise<ShownTask> {
  const { status, body } = await getTaskAnswer(baseUrl, id, query);
  expect(status, JSON.stringify(body)).to.equal(200);
  // What a test reads of it, it also compares.
  return body as unknown as ShownTask;
}

export function waitForState(baseUrl: string, id: string, state: TaskState, patience: Patience = { withinMs: 20_000 }): Promise<ShownTask> {
  return eventually(
    async () => {
      const task = await getTask(baseUrl, id);
      expect(task.state, JSON.stringify(task.timeline)).to.equal(state);
      return task;
    },
    { everyMs: 20, ...patience },
  );
}

/** Milliseconds since the epoch, of a time the API has written. */
export function timeOf(text: unknown): number {
  if (typeof text !== 'string') throw new Error(`no time: ${JSON.stringify(text)}`);
  return Date.parse(text);
}

function rawGet(baseUrl: string, path: string): Promise<{ status: number; body: Readonly<Record<string, unknown>> }> {
  const { hostname, port } = new URL(baseUrl);
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, path, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: parseObject(Buffer.concat(chunks).toString()) }));
    });
    sent.on('error', reject);
    sent.end();
  });
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  if (text === '') return {};
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null) throw new Error(`no JSON object: ${text}`);
  return value as Readonly<Record<string, unknown>>;
}

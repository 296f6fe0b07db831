import { expect } from 'chai';

import { eventually, type Patience } from './eventually.js';
import { call, httpTask, uniqueId, waitForState, type Answer, type WireTask } from './tasks.js';

/** GET /bulk-actions/:id, as far as tests look at it. */
export interface ShownBulkAction {
  readonly id: string;
  readonly state: string;
  readonly state_reason: { readonly code: string; readonly message: string } | null;
  readonly rate: number | null;
  readonly matched: number | null;
  readonly not_read: number;
  readonly pending: number;
  readonly started: number;
  readonly in_progress: number;
  readonly delivered: number;
  readonly failed_again: number;
  readonly cancelled: number;
  readonly skipped: { readonly changed: number; readonly gone: number; readonly being_sent: number; readonly over_limit: number; readonly invalid?: number };
  readonly override: Readonly<Record<string, unknown>> | null;
  readonly override_errors?: readonly { readonly code: string; readonly count: number; readonly task_id: string; readonly message: string }[];
  readonly first_sends: { readonly delivered: number; readonly failed: number };
  readonly created_by: { readonly type: string; readonly operator: string | null };
  readonly matched_at: string | null;
  readonly done_at: string | null;
  readonly settled_at: string | null;
}

/** POST /bulk-actions. */
export function askBulkAction(baseUrl: string, body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
  return call(baseUrl, '/bulk-actions', { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) });
}

/**
 * Asks for an action with a wrong number of expected tasks, each time under another id, until it is refused at once: it is answered
 * before its tasks are known when looking for them takes 2 s, as it may on a crowded machine.
 */
export function askUntilRefused(baseUrl: string, body: object, headers: Readonly<Record<string, string>> = {}): Promise<{ readonly id: string; readonly answer: Answer }> {
  return eventually(
    async () => {
      const id = uniqueId('ba');
      const answer = await askBulkAction(baseUrl, { ...body, id }, headers);
      expect([answer.status, answer.body['code']]).to.deep.equal([409, 'count_differs']);
      return { id, answer };
    },
    { withinMs: 20_000 },
  );
}

/** The same, and fails the test when it is not a new action. @returns its id */
export async function startBulkAction(baseUrl: string, body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<string> {
  const answer = await askBulkAction(baseUrl, body, headers);
  expect(answer.status, JSON.stringify(answer.body)).to.equal(201);
  return String(answer.body['id']);
}

/** POST /bulk-actions/:id/pause and the like. */
export function tellBulkAction(baseUrl: string, id: string, verb: 'pause' | 'resume' | 'cancel'): Promise<Answer> {
  return call(baseUrl, `/bulk-actions/${encodeURIComponent(id)}/${verb}`, { method: 'POST' });
}

/** GET /bulk-actions/:id; its sums are right, or the test fails. */
export async function readBulkAction(baseUrl: string, id: string): Promise<ShownBulkAction> {
  const { status, body } = await call(baseUrl, `/bulk-actions/${encodeURIComponent(id)}`);
  expect(status, JSON.stringify(body)).to.equal(200);
  // What a test reads of it, it also compares.
  const shown = body as unknown as ShownBulkAction;
  expectRightSums(shown);
  return shown;
}

/** Polls until it is in the state; its sums are right each time. */
export function waitForBulkAction(baseUrl: string, id: string, state: string, patience: Patience = { withinMs: 30_000 }): Promise<ShownBulkAction> {
  return eventually(
    async () => {
      const shown = await readBulkAction(baseUrl, id);
      expect(shown.state, JSON.stringify(shown)).to.equal(state);
      return shown;
    },
    { everyMs: 20, ...patience },
  );
}

/** The same until no number changes any more. */
export function waitUntilSettled(baseUrl: string, id: string): Promise<ShownBulkAction> {
  return eventually(
    async () => {
      const shown = await readBulkAction(baseUrl, id);
      expect(shown.settled_at, JSON.stringify(shown)).to.be.a('string');
      return shown;
    },
    { withinMs: 30_000, everyMs: 50 },
  );
}

/** matched = pending + started + all skipped, and what was started is in progress or has ended. */
export function expectRightSums({ state, matched, pending, started, skipped, in_progress: inProgress, delivered, failed_again: failedAgain, cancelled, ...shown }: ShownBulkAction): void {
  const { changed, gone, being_sent: beingSent, over_limit: overLimit, invalid = 0 } = skipped;
  const all = JSON.stringify({ state, matched, pending, started, inProgress, delivered, failedAgain, cancelled, skipped });
  if (matched !== null) expect(matched, all).to.equal(pending + started + changed + gone + beingSent + overLimit + invalid);
  if (delivered + failedAgain + cancelled > 0) expect(started, all).to.equal(inProgress + delivered + failedAgain + cancelled);
  if (state === 'done') expect(pending, all).to.equal(0);
  if (shown.settled_at !== null) expect(inProgress, all).to.equal(0);
}

/** Submits tasks and waits until all are parked: their receiver has to refuse them with a 4xx, which opens no circuit. @returns their ids */
export async function parkTasks(baseUrl: string, url: string, count: number, changes: Partial<WireTask> = {}): Promise<readonly string[]> {
  const tasks = Array.from({ length: count }, () => httpTask(url, { on_exhausted: 'park', ...changes }));
  await submitAll(baseUrl, tasks);
  await Promise.all(tasks.map(({ id }) => waitForState(baseUrl, id, 'parked', { withinMs: 30_000, everyMs: 200 })));
  return tasks.map(({ id }) => id);
}

export async function submitAll(baseUrl: string, tasks: readonly WireTask[]): Promise<void> {
  const { status, body } = await call(baseUrl, '/tasks/batch', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(tasks) });
  expect([status, (body['counts'] as { created: number }).created]).to.deep.equal([207, tasks.length]);
}

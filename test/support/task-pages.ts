import { expect } from 'chai';

import { call, type WireTask } from './tasks.js';

/** What a test reads of a summary. */
export interface Summary {
  readonly id: string;
  readonly state: string;
  readonly [field: string]: unknown;
}

export interface TaskPage {
  readonly tasks: readonly Summary[];
  readonly next_cursor: string | null;
  readonly scanned: number;
  readonly not_read: number;
  readonly is_complete: boolean;
}

type Query = Readonly<Record<string, string>>;

/** One page of GET /tasks. */
export async function taskPage(baseUrl: string, query: Query): Promise<TaskPage> {
  const { status, body } = await call(baseUrl, `/tasks?${new URLSearchParams(query).toString()}`);
  expect(status, JSON.stringify(body)).to.equal(200);
  // As in the contract, which call() has checked.
  return body as unknown as TaskPage;
}

/** All pages of GET /tasks, one after the other. @param between is called behind each page */
export async function taskPages(baseUrl: string, query: Query, between: () => Promise<void> = () => Promise.resolve()): Promise<readonly TaskPage[]> {
  const pages: TaskPage[] = [];
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const page = await taskPage(baseUrl, { ...query, ...(cursor === undefined ? {} : { cursor }) });
    pages.push(page);
    cursor = page.next_cursor;
    await between();
  }
  return pages;
}

/** The ids of GET /tasks, page by page to the end, in the order in which they come. */
export async function walkedIds(baseUrl: string, query: Query): Promise<readonly string[]> {
  return (await taskPages(baseUrl, query)).flatMap(({ tasks }) => tasks.map(({ id }) => id));
}

/** So many tasks are submitted by one request: an array may have 10,000. */
const MOST_IN_BATCH = 5_000;

/** Submits new tasks by POST /tasks/batch. */
export async function submitBatch(baseUrl: string, tasks: readonly WireTask[]): Promise<void> {
  for (let from = 0; from < tasks.length; from += MOST_IN_BATCH) {
    const part = tasks.slice(from, from + MOST_IN_BATCH);
    const answer = await fetch(`${baseUrl}/tasks/batch`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(part) });
    // As in the contract.
    const { counts } = (await answer.json()) as { readonly counts: Readonly<Record<string, number>> };
    expect(counts['created'], JSON.stringify(counts)).to.equal(part.length);
  }
}

import type { Answer, Body, Schemas } from './routes.js';

/*
 * What the API takes and answers, under the names that programs use. All of it comes from the contract: api-contract.ts is made of
 * docs/openapi.yaml. Later versions may answer with more fields and codes; states are closed.
 */

export type TaskState = Schemas['State'];

/** States in which a task stays, until a person or a new submission starts it again. */
export const endedStates = ['delivered', 'dead_lettered', 'parked', 'cancelled'] as const satisfies readonly TaskState[];

export type Task = Body<'POST /tasks'>;
export type Accepted = Answer<'POST /tasks'>;
export type Retried = Answer<'POST /tasks/{id}/retry'>;
export type Removed = Answer<'DELETE /tasks/{id}'>;

/** One task of submitMany, in the order in which they came. `index` is its place in what was handed over, from 0. */
export type SubmitResult = Answer<'POST /tasks/batch'>['results'][number];

/** A row of a list. */
export type TaskSummary = Answer<'GET /tasks'>['tasks'][number];
export type TaskView = Answer<'GET /tasks/{id}'>;
export type Submission = Answer<'GET /tasks/{id}/submission'>;
export type TaskPatch = Body<'PATCH /tasks/{id}'>;

/** Its parts added up. */
export type Counts = Omit<Answer<'GET /counts'>, 'next_cursor'>;
export type Failures = Answer<'GET /failures'>;
export type History = Answer<'GET /history'>;
export type Stats = Answer<'GET /stats'>;
export type Status = Answer<'GET /status'>;

export type AuditEntry = Answer<'GET /audit'>['entries'][number];
/** A row of a list. */
export type Destination = Schemas['Destination'];
/** One by its key. It also names the shards whose deferred tasks are not counted. */
export type ShownDestination = Answer<'GET /destinations/{key}'>;
/** What a change of a destination answers. */
export type ChangedDestination = Answer<'PUT /destinations/{key}'>;
export type Limits = Schemas['Limits'];
export type TestSend = Body<'POST /test-sends'>;
/** What came of a test send. */
export type TestSendAttempt = Answer<'POST /test-sends'>;

/** What an access key may do. */
export type NewKey = Body<'POST /keys'>;
export type KeyChange = Body<'PATCH /keys/{id}'>;
export type AccessKey = Schemas['AccessKey'];
/** With its secret, which is shown once. */
export type MadeKey = Answer<'POST /keys'>;

export type BulkActionName = Schemas['BulkActionKind'];
export type BulkActionRequest = Omit<Body<'POST /bulk-actions'>, 'dry_run' | 'cursor'>;
export type BulkAction = Schemas['BulkAction'] & Partial<Schemas['Repeat']>;
/** What a bulk action would do, its parts added up. */
export type DryRun = Omit<Schemas['DryRun'], 'next_cursor'>;

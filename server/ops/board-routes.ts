import { RequestError } from '../../shared/domain/errors.js';
import type { Logger } from '../../shared/logging/logger.js';
import { jobIdOf, taskIdOf } from '../../shared/queue/names.js';
import type { BoardHistory } from '../../shared/queue/tasks/board-jobs.js';
import type { TaskQueue } from '../../shared/queue/tasks/task-queue.js';
import { ANSWERED, jsonAnswer, type Answer } from '../http/answer.js';
import { readAskedChange } from '../http/asked-change.js';
import { performed } from '../http/operator-action.js';
import type { RequestContext } from '../http/request-context.js';
import type { Route } from '../http/route.js';
import { taskNotFound } from '../tasks/action-answers.js';
import { askedJob, type AskedJob } from './asked-job.js';
import { addressOfJob, jobInQuery, jobsAtAddress } from './board-address.js';
import { linesOf } from './board-lines.js';
import { boardListQuery } from './board-query.js';

export const BOARD_PATH = '/admin/queues';
/** The list of jobs, and the only path of the board's own that has a query. */
const LIST_PATH = '/api/queues';
/** The answer to a request for BOARD_PATH by the board itself; `url` is the part after BOARD_PATH. */
export interface BoardServer {
  /** Messages are shown only to a caller with the permission payload. It changes nothing. */
  serve(context: RequestContext, url: string): Promise<void>;
  /** Which of these jobs there are. */
  existing(queue: string, jobIds: readonly string[]): Promise<readonly string[]>;
  /** @returns the first of these jobs that there is, and its queue */
  find(jobIds: readonly string[]): Promise<{ readonly queue: string; readonly jobId: string } | undefined>;
  /** @returns undefined when there is no such job. @throws RequestError not_found for an unknown queue */
  history(queue: string, jobId: string): Promise<BoardHistory | undefined>;
}

export interface BoardParts {
  readonly queue: TaskQueue;
  readonly board: BoardServer;
  readonly logger: Logger;
}

const DOT_SEGMENT = /\/(?:\.|%2e){1,2}(?:\/|$)/i;

const OTHERS_ARE_REFUSED = 'this action would break tasks: only Retry and Retry all of failed jobs are allowed';

const boardRow = { body: 'none', query: 'any', operationId: null, metricLabel: BOARD_PATH } as const;

/** A row that the board answers as it is. @param path below the board */
function plainRow(path: string): Route<BoardParts> {
  return {
    ...boardRow,
    method: 'GET',
    path: `${BOARD_PATH}${path}`,
    role: 'read',
    otherMethodsAreRefusedBecause: OTHERS_ARE_REFUSED,
    handle: async (context, { board }) => {
      await board.serve(context, pathBelow(context));
      return ANSWERED;
    },
  };
}

/**
 * What may be seen and changed through the board: the rows of board-calls.ts. The changes are Retry and Retry all of failed jobs, which are our
 * redrive: Bull Board's own retry would start a dead letter with no attempts left. Everything else that it can do
 * (obliterate, clean, empty, edit, add, promote, pause, ...) goes past our rules and would break tasks.
 */
export const boardRoutes: readonly Route<BoardParts>[] = [
  { ...plainRow(''), isPage: true },
  { ...plainRow('/queue/:queue'), isPage: true },
  {
    ...plainRow('/static/*'),
    handle: async (context, { board }) => {
      const path = pathBelow(context);
      // For a folder the board would answer with a redirect, with headers of its own.
      if (!/\.\w+$/.test(path)) throw nothingAt(context);
      await board.serve(context, path);
      return ANSWERED;
    },
  },
  plainRow('/api/redis/stats'),
  ...['metrics', 'default-job-options', 'workers', 'rate-limit', 'job-data-schema'].map((name) => plainRow(`/api/queues/:queue/${name}`)),
  {
    ...plainRow('/*'),
    isPage: true,
    handle: async (context) => {
      throw nothingAt(context);
    },
  },
  {
    ...plainRow(LIST_PATH),
    handle: async (context, { board }) => {
      await board.serve(context, `${LIST_PATH}?${boardListQuery(context.match.search)}`);
      return ANSWERED;
    },
  },
  {
    ...boardRow,
    method: 'GET',
    path: `${BOARD_PATH}/api/queues/:queue/:job`,
    role: 'read',
    otherMethodsAreRefusedBecause: OTHERS_ARE_REFUSED,
    handle: async (context, { board }) => {
      await board.serve(context, jobPath(context.param('queue'), await jobOf(context, board)));
      return ANSWERED;
    },
  },
  {
    ...boardRow,
    method: 'GET',
    path: `${BOARD_PATH}/api/queues/:queue/:job/flow`,
    role: 'read',
    otherMethodsAreRefusedBecause: OTHERS_ARE_REFUSED,
    // The page of a job asks for this too, by the same id. With another one it would say that the task is not known.
    handle: async (context, { board }) => {
      await board.serve(context, `${jobPath(context.param('queue'), await jobOf(context, board))}/flow`);
      return ANSWERED;
    },
  },
  {
    ...boardRow,
    method: 'GET',
    path: `${BOARD_PATH}/api/queues/:queue/:job/logs`,
    role: 'read',
    otherMethodsAreRefusedBecause: OTHERS_ARE_REFUSED,
    // The board would show what BullMQ keeps as logs, which is nothing, also of a job that is not there.
    handle: async (context, { board }) => {
      const jobId = await jobOf(context, board);
      const history = await board.history(context.param('queue'), jobId);
      if (history === undefined) throw taskNotFound(taskIdOf(jobId) ?? jobId);
      return jsonAnswer(200, linesOf(history.log, history.completion, history.editMarks));
    },
  },
  {
    ...boardRow,
    method: 'GET',
    path: `${BOARD_PATH}/queue/:queue/:job`,
    role: 'read',
    isPage: true,
    otherMethodsAreRefusedBecause: OTHERS_ARE_REFUSED,
    // The page of a job, loaded by its address.
    handle: async (context, { board }) => {
      const { path, search } = context.match;
      const part = path.split('/')[BOARD_PATH.split('/').length + 2] ?? '';
      if (DOT_SEGMENT.test(path)) throw nothingAt(context);
      const found = jobInQuery(part, search) === undefined ? await board.find(jobsAtAddress(part, context.param('job'))) : undefined;
      const address = found === undefined ? undefined : addressOfJob(found.queue, found.jobId, search);
      if (address !== undefined && address.split('?')[0] !== `/queue/${context.param('queue')}/${part}`) return redirect(address);
      await board.serve(context, path.slice(BOARD_PATH.length));
      return ANSWERED;
    },
  },
  {
    ...boardRow,
    query: ['id'],
    method: 'GET',
    path: `${BOARD_PATH}/task`,
    role: 'read',
    isPage: true,
    otherMethodsAreRefusedBecause: OTHERS_ARE_REFUSED,
    // The form on the board's page.
    handle: async (context, { board }) => {
      const id = context.query.get('id') ?? '';
      if (!id.isWellFormed()) throw taskNotFound(id.toWellFormed());
      // An id that is pasted often has a space around it, and no new id begins or ends with one.
      const found = await board.find([...new Set([id, id.trim()])].flatMap((each) => [jobIdOf(each), ...(taskIdOf(each) === undefined ? [] : [each])]));
      if (found === undefined) throw taskNotFound(id);
      return redirect(addressOfJob(found.queue, found.jobId, ''));
    },
  },
  {
    ...boardRow,
    query: ['reason'],
    method: 'PUT',
    path: `${BOARD_PATH}/api/queues/:queue/:job/retry`,
    role: 'operate',
    handle: async (context, parts) => {
      const job = await jobToChange(context, parts.board);
      const id = taskIdOf(job);
      if (id === undefined) throw job.startsWith('t-') ? new RequestError('action_refused', 'this is no task of the service') : taskNotFound(job.toWellFormed());
      const asked = readAskedChange(context);
      return performed(context, parts, { action: 'task.retry', target: { type: 'task', id }, asked }, async () => {
        // Bull Board would answer by itself, before the replicas have the new run (REDIS_MIN_REPLICAS).
        if ((await parts.board.history(context.param('queue'), job)) === undefined) throw taskNotFound(id);
        const redriven = await parts.queue.redrive(id, asked.by);
        if (redriven.kind === 'not_found') throw taskNotFound(id);
        if (redriven.kind === 'not_dead') throw new RequestError('action_refused', 'only dead letters and parked tasks can be started again');
        return { result: { status: 204 } };
      });
    },
  },
  {
    ...boardRow,
    query: ['reason'],
    method: 'PUT',
    path: `${BOARD_PATH}/api/queues/:queue/retry/failed`,
    role: 'operate',
    handle: async (context, parts): Promise<Answer> => {
      // Bull Board would answer 500 in a form of its own.
      await parts.queue.ping();
      const id = context.param('queue');
      // Bull Board reads the newest hundred of the set again and again. Tasks that fail once more would hide the rest.
      const asked = readAskedChange(context);
      return performed(context, parts, { action: 'task.retry', target: { type: 'queue', id }, asked }, async () => {
        const redriven = await parts.queue.redriveAll(id, asked.by);
        return { result: jsonAnswer(200, redriven), count: redriven.retried };
      });
    },
  },
];

/** Which job a request of the board means. @throws RequestError not_found when several could be meant */
async function jobOf(context: RequestContext, board: BoardServer): Promise<string> {
  const asked = askedJob(context.param('job'), context.request.headers.referer);
  const jobIds = asked.kind === 'certain' ? [asked.jobId] : await existingOf(asked, context.param('queue'), board);
  const [jobId = context.param('job'), ...others] = jobIds;
  if (others.length > 0) throw new RequestError('not_found', `several tasks could be meant: see ${jobIds.map((one) => `GET /tasks/${one.slice('t-'.length)}`).join(' and ')}`);
  return jobId;
}

/**
 * Which job a change through the board means. The board names the job that it has read, with its very id, and that one comes first. A person or
 * a program may name the task instead. No other way to read the text is tried: a change must never be made to another task.
 */
async function jobToChange(context: RequestContext, board: BoardServer): Promise<string> {
  const asked = context.param('job');
  const meant = [...(taskIdOf(asked) === undefined ? [] : [asked]), ...(asked.isWellFormed() ? [jobIdOf(asked)] : [])];
  const [jobId = asked] = await board.existing(context.param('queue'), meant);
  return jobId;
}

async function existingOf({ jobIds, orElse }: Extract<AskedJob, { readonly kind: 'one_of' }>, queue: string, board: BoardServer): Promise<readonly string[]> {
  const existing = await board.existing(queue, jobIds);
  return existing.length > 0 ? existing : board.existing(queue, [orElse]);
}

/** @throws RequestError not_found for a path that the board would answer with its page, although parsers of urls take it for another one */
function pathBelow(context: RequestContext): string {
  const [, , , ...below] = context.match.path.split('/');
  const path = `/${below.join('/')}`;
  if (DOT_SEGMENT.test(path)) throw nothingAt(context);
  return path;
}

function nothingAt({ match }: RequestContext): RequestError {
  return new RequestError('not_found', `there is nothing at ${match.path}`);
}

/** @param address below the board */
function redirect(address: string): Answer {
  return { status: 302, headers: { Location: BOARD_PATH + address } };
}

/** The path is written anew, so that the board cannot read a spelling in another way than the route table did. */
function jobPath(queue: string, jobId: string): string {
  return `/api/queues/${encodeURIComponent(queue)}/${encodeURIComponent(jobId)}`;
}

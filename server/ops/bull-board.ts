import type { IncomingMessage, ServerResponse } from 'node:http';
import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { ExpressAdapter } from '@bull-board/express';
import type { Express } from 'express';
import type { PathMask } from '../../shared/domain/destinations/path-mask.js';
import { RequestError } from '../../shared/domain/errors.js';
import type { Logger } from '../../shared/logging/logger.js';
import { taskIdOf } from '../../shared/queue/names.js';
import type { Shard } from '../../shared/queue/engine/shard.js';
import { isBoardStatus, readBoardJob, readBoardPage, type BoardJob } from '../../shared/queue/tasks/board-jobs.js';
import type { TaskQueue } from '../../shared/queue/tasks/task-queue.js';
import { ANSWERED, commonHeaders, jsonAnswer, type Answer } from '../http/answer.js';
import { askedChange } from '../http/asked-change.js';
import { performed } from '../http/operator-action.js';
import type { RequestContext } from '../http/request-context.js';
import type { Route } from '../http/route.js';
import { endBehindUnreadBody } from '../http/unread-body.js';
import { askedJob } from './asked-job.js';
import { refusalOfExpress, refuseInOurForm } from './board-errors.js';
import { toBoardJson } from './board-job.js';
import { boardListQuery } from './board-query.js';
import { Turns } from './turns.js';

const BOARD_PATH = '/admin/queues';
/** The list of jobs, and the only path of the board that has a query. */
const LIST_PATH = '/api/queues';
/** Pages that are read from Redis at the same time: those that arrive in one turn of the event loop make that turn longer. */
const PAGES_AT_ONCE = 1;

/**
 * Bull Board's page loads fonts from another host. It must not be framed, because its buttons change things. Its own
 * requests say which page they come from, since that tells which job they mean: see asked-job.ts.
 */
const PAGE_HEADERS = {
  'Content-Security-Policy':
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; frame-ancestors 'none'; base-uri 'self'",
  'Referrer-Policy': 'same-origin',
};

type ShownJob = NonNullable<Awaited<ReturnType<BullMQAdapter['getJob']>>>;

/** The answer to a request for BOARD_PATH by the board itself; `url` is the part after BOARD_PATH. */
export interface BoardServer {
  serve(context: RequestContext, url: string): Promise<void>;
  /** Which of these jobs there are. */
  existing(queue: string, jobIds: readonly string[]): Promise<readonly string[]>;
}

export interface BoardParts {
  readonly queue: TaskQueue;
  readonly board: BoardServer;
  readonly logger: Logger;
}

const DOT_SEGMENT = /\/(?:\.|%2e){1,2}(?:\/|$)/i;

const OTHERS_ARE_REFUSED = 'this action would break tasks: only Retry and Retry all of failed jobs are allowed';

const boardRow = { body: 'none', query: 'any', operationId: null, metricLabel: BOARD_PATH } as const;

/**
 * What may be seen and changed through the board. The changes are Retry and Retry all of failed jobs, which are our
 * redrive: Bull Board's own retry would start a dead letter with no attempts left. Everything else that it can do
 * (obliterate, clean, empty, edit, add, promote, pause, ...) goes past our rules and would break tasks.
 */
export const boardRoutes: readonly Route<BoardParts>[] = [
  {
    ...boardRow,
    method: 'GET',
    path: `${BOARD_PATH}/*`,
    role: 'read',
    otherMethodsAreRefusedBecause: OTHERS_ARE_REFUSED,
    handle: async (context, { board }) => {
      const [, , , ...below] = context.match.path.split('/');
      const path = `/${below.join('/')}`;
      // The board would answer these with its page, although parsers of urls take them for another path.
      if (DOT_SEGMENT.test(path)) throw new RequestError('not_found', `there is nothing at ${context.match.path}`);
      await board.serve(context, path.replace(/\/$/, '') === LIST_PATH ? `${LIST_PATH}?${boardListQuery(context.match.search)}` : path);
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
      const queue = context.param('queue');
      const asked = askedJob(context.param('job'), context.request.headers.referer);
      const jobIds = asked.kind === 'certain' ? [asked.jobId] : await board.existing(queue, asked.jobIds);
      const [jobId = context.param('job'), ...others] = jobIds;
      if (others.length > 0) throw new RequestError('not_found', `several tasks could be meant: see ${jobIds.map((one) => `GET /tasks/${one.slice('t-'.length)}`).join(' and ')}`);
      await board.serve(context, jobPath(queue, jobId));
      return ANSWERED;
    },
  },
  {
    ...boardRow,
    method: 'PUT',
    path: `${BOARD_PATH}/api/queues/:queue/:job/retry`,
    role: 'operate',
    handle: async (context, { board, logger }) => {
      // The board names the job that it has read, with its very id.
      const job = context.param('job');
      const id = taskIdOf(job);
      if (id === undefined) throw new RequestError('action_refused', 'this is no task of the service');
      return performed(context, logger, { action: 'task.retry', target: { type: 'task', id }, asked: askedChange(context) }, async () => {
        await board.serve(context, `${jobPath(context.param('queue'), job)}/retry`);
        return { result: ANSWERED };
      });
    },
  },
  {
    ...boardRow,
    method: 'PUT',
    path: `${BOARD_PATH}/api/queues/:queue/retry/failed`,
    role: 'operate',
    handle: async (context, { queue, logger }): Promise<Answer> => {
      // Bull Board would answer 500 in a form of its own.
      await queue.ping();
      const id = context.param('queue');
      // Bull Board reads the newest hundred of the set again and again. Tasks that fail once more would hide the rest.
      return performed(context, logger, { action: 'task.retry', target: { type: 'queue', id }, asked: askedChange(context) }, async () => ({ result: jsonAnswer(200, await queue.redriveAll(id)) }));
    },
  },
];

/** The path is written anew, so that the board cannot read a spelling in another way than the route table did. */
function jobPath(queue: string, jobId: string): string {
  return `/api/queues/${encodeURIComponent(queue)}/${encodeURIComponent(jobId)}`;
}

/** An Express app with the third argument that its code takes; its types leave it out. */
type BoardApp = (request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void) => void;

/**
 * Bull Board, which is an Express app. It is made at the first request, because its queues need not exist earlier.
 * @param reads  on a connection of its own: a page of the board must not make tasks wait, or fail with them
 * @param queue  for what the board changes
 * @param mask   what is shown of the paths of urls
 */
export function createBoardServer(reads: TaskQueue, queue: TaskQueue, mask: PathMask): BoardServer {
  let board: Promise<BoardApp> | undefined;
  return {
    async serve({ request, response, requestId, match }, url) {
      // Bull Board would answer 500 in a form of its own. Its queues exist only when Redis has answered.
      await reads.ping();
      const serve = await (board ??= createBoard(reads, queue, mask));
      for (const [name, value] of Object.entries({ ...commonHeaders(requestId), ...PAGE_HEADERS })) response.setHeader(name, value);
      endBehindUnreadBody(request, response);
      // Express does the same for an app below a path: it makes redirects from originalUrl.
      Object.assign(request, { originalUrl: request.url, url });
      return new Promise((resolve, reject) => {
        response.once('close', () => resolve());
        refuseInOurForm(response, reject);
        serve(request, response, (error) => {
          reject(error instanceof Error ? refusalOfExpress(error) : new RequestError('not_found', `there is nothing at ${match.path}`));
        });
      });
    },
    async existing(queueName, jobIds) {
      const shard = (await reads.shards()).find(({ queue: { name } }) => name === queueName);
      if (shard === undefined) return [];
      const states = await Promise.all(jobIds.map(async (jobId) => shard.queue.getJobState(jobId)));
      return jobIds.filter((_, nth) => states[nth] !== 'unknown');
    },
  };
}

async function createBoard(reads: TaskQueue, queue: TaskQueue, mask: PathMask): Promise<BoardApp> {
  const shards = await reads.shards();
  const turns = new Turns(PAGES_AT_ONCE);
  const serverAdapter = new ExpressAdapter();
  serverAdapter.setBasePath(BOARD_PATH);
  createBullBoard({
    queues: shards.map((shard) => new RedrivingAdapter(shard, queue, turns, mask)),
    serverAdapter,
    options: { uiConfig: { boardTitle: 'Kafka Retry Service' } },
  });
  // Errors of its handlers are answered like all others, by error-response.ts.
  serverAdapter.setErrorHandler((error) => {
    throw reads.asRequestError(error);
  });
  // ExpressAdapter types its app as any.
  const app = serverAdapter.getRouter() as Express & BoardApp;
  app.disable('x-powered-by');
  app.disable('etag');
  return app;
}

class RedrivingAdapter extends BullMQAdapter {
  constructor(
    private readonly shard: Shard,
    private readonly tasks: TaskQueue,
    private readonly turns: Turns,
    private readonly mask: PathMask,
  ) {
    super(shard.queue, { description: 'One job = one task. Failed = dead letters and parked tasks; Retry starts them again with all their retries.' });
  }

  override async getJob(id: string): ReturnType<BullMQAdapter['getJob']> {
    const job = await readBoardJob(this.shard, id);
    return job === undefined ? job : this.#shown(job);
  }

  override async getJobs(statuses: readonly string[], first = 0, last = 0): ReturnType<BullMQAdapter['getJobs']> {
    const jobs = await this.turns.take(() => readBoardPage(this.shard, statuses.filter(isBoardStatus), first, last));
    return jobs.map((job) => this.#shown(job));
  }

  // A task is never part of a flow, and BullMQ would read its whole data once more to find that out.
  override async getFlowProducer(): Promise<null> {
    return null;
  }

  /** By our rules, and without the data that BullMQ's own job would hold. */
  #shown(job: BoardJob): ShownJob {
    const { id } = job;
    const json = toBoardJson(job, this.mask);
    const shown = {
      id,
      opts: {},
      toJSON: () => json,
      getState: () => this.shard.queue.getJobState(id),
      retry: async (state: unknown): Promise<void> => {
        const taskId = taskIdOf(id);
        if (taskId === undefined || state !== 'failed') throw new RequestError('action_refused', 'only dead letters and parked tasks can be started again');
        // Bull Board has just seen it in the failed set. If it is gone now, another request was faster.
        await this.tasks.redrive(taskId);
      },
      remove: refuse,
      promote: refuse,
      updateData: refuse,
      changeDelay: refuse,
      changePriority: refuse,
      removeUnprocessedChildren: refuse,
    };
    // The board uses no more of a job than its own interface of one says, and that is all here.
    return shown as unknown as ShownJob;
  }

  // This is a second check behind the list of allowed changes, in case a new version of the board finds another way.
  override clean = refuse;
  override addJob = refuse;
  override empty = refuse;
  override obliterate = refuse;
  override promoteAll = refuse;
  override pause = refuse;
  override resume = refuse;
}

async function refuse(): Promise<never> {
  throw new RequestError('action_refused', 'this action would break tasks and is switched off');
}

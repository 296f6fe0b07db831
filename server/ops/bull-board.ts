import type { IncomingMessage, ServerResponse } from 'node:http';
import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { ExpressAdapter } from '@bull-board/express';
import type { Express } from 'express';
import type { PathMask } from '../../shared/domain/destinations/path-mask.js';
import { RequestError } from '../../shared/domain/errors.js';
import { jobIdOf, taskIdOf } from '../../shared/queue/names.js';
import { decodeTask } from '../../shared/queue/tasks/task-codec.js';
import type { TaskQueue } from '../../shared/queue/tasks/task-queue.js';
import { ANSWERED, commonHeaders, jsonAnswer, type Answer } from '../http/answer.js';
import type { RequestContext } from '../http/request-context.js';
import type { Route } from '../http/route.js';
import { endBehindUnreadBody } from '../http/unread-body.js';
import { toWirePolicy } from '../tasks/view.js';

const BOARD_PATH = '/admin/queues';

const MAX_SHOWN_CHARACTERS = 2_000;

/** Bull Board's page loads fonts from another host. It must not be framed, because its buttons change things. */
const PAGE_HEADERS = {
  'Content-Security-Policy':
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; frame-ancestors 'none'; base-uri 'self'",
  'Referrer-Policy': 'no-referrer',
};

type BoardQueue = ConstructorParameters<typeof BullMQAdapter>[0];
type BoardJob = NonNullable<Awaited<ReturnType<BullMQAdapter['getJob']>>>;

/** Requests that the page of one job makes. */
const LOOK_AT_ONE = /^(\/api\/queues\/[^/]+\/)(t-[^/]+)((?:\/logs)?)$/;
const LEGAL_JOB_ID = /^t-(?:[\w.!~*'()-]|%[0-9A-F]{2})+$/;

/** Answers a request for BOARD_PATH by itself; `url` is the part after BOARD_PATH. */
export type ServeBoard = (context: RequestContext, url: string) => Promise<void>;

export interface BoardParts {
  readonly queue: TaskQueue;
  readonly serveBoard: ServeBoard;
}

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
    otherMethodsAreRefusedBecause: 'this action would break tasks: only Retry and Retry all of failed jobs are allowed',
    handle: async (context, { queue, serveBoard }) => {
      await redisAnswers(queue);
      const [, , , ...below] = context.match.path.split('/');
      const search = context.match.search === '' ? '' : `?${context.match.search}`;
      await serveBoard(context, withJobIdMended(`/${below.join('/')}${search}`));
      return ANSWERED;
    },
  },
  {
    ...boardRow,
    method: 'PUT',
    path: `${BOARD_PATH}/api/queues/:queue/:job/retry`,
    role: 'operate',
    handle: async (context, { queue, serveBoard }) => {
      const job = context.param('job');
      if (taskIdOf(job) === undefined) throw new RequestError('action_refused', 'this is no task of the service');
      await redisAnswers(queue);
      // The path is written anew, so that the board cannot read a spelling in another way than the route table did.
      await serveBoard(context, `/api/queues/${encodeURIComponent(context.param('queue'))}/${encodeURIComponent(job)}/retry`);
      return ANSWERED;
    },
  },
  {
    ...boardRow,
    method: 'PUT',
    path: `${BOARD_PATH}/api/queues/:queue/retry/failed`,
    role: 'operate',
    handle: async (context, { queue }): Promise<Answer> => {
      await redisAnswers(queue);
      // Bull Board reads the newest hundred of the set again and again. Tasks that fail once more would hide the rest.
      return jsonAnswer(200, await queue.redriveAll(context.param('queue')));
    },
  },
];

/** Bull Board would answer 500 in a form of its own. The queues exist only when Redis has answered. */
async function redisAnswers(queue: TaskQueue): Promise<void> {
  await queue.ping();
}

/** An Express app with the third argument that its code takes; its types leave it out. */
type BoardApp = (request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void) => void;

/** Bull Board, which is an Express app. It is made at the first request, because its queues need not exist earlier. */
export function createBoardServer(queue: TaskQueue, mask: PathMask): ServeBoard {
  let board: BoardApp | undefined;
  return ({ request, response, requestId, match }, url) => {
    const serve = (board ??= createBoard(queue, mask));
    for (const [name, value] of Object.entries({ ...commonHeaders(requestId), ...PAGE_HEADERS })) response.setHeader(name, value);
    endBehindUnreadBody(request, response);
    // Express does the same for an app below a path: it makes redirects from originalUrl.
    Object.assign(request, { originalUrl: request.url, url });
    return new Promise((resolve, reject) => {
      response.once('close', () => resolve());
      serve(request, response, (error) => {
        reject(error instanceof Error ? error : new RequestError('not_found', `there is nothing at ${match.path}`));
      });
    });
  };
}

/**
 * The page of a job decodes the id in its own address once too often: for the job `t-a%2Fb` it asks for `t-a/b`. So it
 * found no task with a character that is written with a `%`. No job has such an id, so the task `a/b` is meant. If the
 * text looks like the id of a job (as for the task `50%25`), it is taken as it is.
 */
function withJobIdMended(url: string): string {
  const [path = '', ...query] = url.split('?');
  const [, before, encoded, behind] = LOOK_AT_ONE.exec(path) ?? [];
  if (before === undefined || encoded === undefined || behind === undefined) return url;
  const id = decodeURIComponent(encoded);
  if (LEGAL_JOB_ID.test(id)) return url;
  return [`${before}${encodeURIComponent(jobIdOf(id.slice('t-'.length)))}${behind}`, ...query].join('?');
}

function createBoard(queue: TaskQueue, mask: PathMask): BoardApp {
  const serverAdapter = new ExpressAdapter();
  serverAdapter.setBasePath(BOARD_PATH);
  createBullBoard({
    queues: queue.queues().map((each) => new RedrivingAdapter(each, queue, mask)),
    serverAdapter,
    options: { uiConfig: { boardTitle: 'Kafka Retry Service' } },
  });
  // Errors of its handlers are answered like all others, by error-response.ts.
  serverAdapter.setErrorHandler((error) => {
    throw queue.asRequestError(error);
  });
  // ExpressAdapter types its app as any.
  const app = serverAdapter.getRouter() as Express & BoardApp;
  app.disable('x-powered-by');
  app.disable('etag');
  return app;
}

class RedrivingAdapter extends BullMQAdapter {
  constructor(
    queue: BoardQueue,
    private readonly tasks: TaskQueue,
    mask: PathMask,
  ) {
    super(queue, { description: 'One job = one task. Failed = dead letters and parked tasks; Retry starts them again with all their retries.' });
    this.setFormatter('data', (data: unknown) => showData(data, mask));
    this.setFormatter('returnValue', (value: unknown) => value);
  }

  override async getJob(id: string): ReturnType<BullMQAdapter['getJob']> {
    const job = await super.getJob(id);
    return job === undefined ? job : this.#withOurRules(job);
  }

  override async getJobs(...args: Parameters<BullMQAdapter['getJobs']>): ReturnType<BullMQAdapter['getJobs']> {
    return (await super.getJobs(...args)).map((job) => this.#withOurRules(job));
  }

  #withOurRules(job: BoardJob): BoardJob {
    const retry = async (state: unknown): Promise<void> => {
      const taskId = taskIdOf(String(job.toJSON().id));
      if (taskId === undefined || state !== 'failed') throw new RequestError('action_refused', 'only dead letters and parked tasks can be started again');
      // Bull Board has just seen it in the failed set. If it is gone now, another request was faster.
      await this.tasks.redrive(taskId);
    };
    return Object.assign(job, { retry, remove: refuse, promote: refuse, updateData: refuse, changeDelay: refuse, changePriority: refuse });
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

/** The task in the words that its client used. The message is cut to a length that a person can read. */
function showData(data: unknown, mask: PathMask): unknown {
  try {
    const task = decodeTask(data);
    const { messageData } = task;
    const message = messageData.length <= MAX_SHOWN_CHARACTERS ? messageData : `${messageData.slice(0, MAX_SHOWN_CHARACTERS)}... (${messageData.length} characters)`;
    return { id: task.id, source: task.source, client_id: task.clientId, ...toWirePolicy(task, mask), message_data: message };
  } catch {
    // What of it is a secret is not known here.
    return 'A newer version of the service wrote this task, and this one cannot read it.';
  }
}

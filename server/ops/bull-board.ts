import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { ExpressAdapter } from '@bull-board/express';
import type { Express, NextFunction, Request, Response } from 'express';
import { RequestError } from '../../shared/domain/errors.js';
import { jobIdOf, taskIdOf } from '../../shared/queue/names.js';
import { decodeTask } from '../../shared/queue/tasks/task-codec.js';
import type { TaskQueue } from '../../shared/queue/tasks/task-queue.js';
import { toWirePolicy } from '../tasks/view.js';

export const BOARD_PATH = '/admin/queues';

const MAX_SHOWN_CHARACTERS = 2_000;

/** Bull Board's page asks for fonts of another host, and must not be framed: its buttons change things. */
const PAGE_HEADERS = {
  'Content-Security-Policy':
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; frame-ancestors 'none'; base-uri 'self'",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
};

type BoardQueue = ConstructorParameters<typeof BullMQAdapter>[0];
type BoardJob = NonNullable<Awaited<ReturnType<BullMQAdapter['getJob']>>>;

/**
 * What may be changed through the board: Retry and Retry all of what failed. Everything else that Bull Board can do
 * (obliterate, clean, empty, edit, add, promote, pause, ...) goes past our rules and would break tasks.
 */
const RETRY_ONE = /^\/api\/queues\/[^/]+\/t-[^/]+\/retry$/;
const RETRY_ALL = /^\/api\/queues\/([^/]+)\/retry\/failed$/;
/** What the page of one job asks for. */
const LOOK_AT_ONE = /^(\/api\/queues\/[^/]+\/)(t-[^/]+)((?:\/logs)?)$/;
const LEGAL_JOB_ID = /^t-(?:[\w.!~*'()-]|%[0-9A-F]{2})+$/;

/**
 * Bull Board as an Express handler, for BOARD_PATH. Its Retry is our redrive: Bull Board's own would start a dead
 * letter with no attempts left.
 */
export function bullBoard(queue: TaskQueue): (request: Request, response: Response, next: NextFunction) => Promise<void> {
  let board: Express | undefined;
  return async (request, response, next) => {
    const isChange = request.method !== 'GET' && request.method !== 'HEAD';
    const retryAll = request.method === 'PUT' ? RETRY_ALL.exec(request.path) : null;
    if (isChange && retryAll === null && !(request.method === 'PUT' && RETRY_ONE.test(request.path))) {
      throw new RequestError('action_refused', 'this action would break tasks: only Retry and Retry all of failed jobs are allowed');
    }
    // Bull Board would answer 500 in a form of its own; and the queues exist only once Redis has answered.
    await queue.ping();
    response.set(PAGE_HEADERS);
    if (retryAll !== null) {
      // Bull Board reads the newest hundred of the set again and again: tasks that fail once more would hide the rest.
      response.json(await queue.redriveAll(retryAll[1] ?? ''));
      return;
    }
    if (!isChange) request.url = withJobIdMended(request.url);
    board ??= createBoard(queue);
    board(request, response, next);
  };
}

/**
 * The page of a job takes one encoding too many off the id in its own address, and asks for `t-a/b` where the job is
 * `t-a%2Fb`: it found no task with a character that is written with a `%`. No job has such an id, so the task `a/b` is
 * meant. Where what is left looks like the id of a job (of the task `50%25`) it is taken as it is.
 * @throws URIError for what is no percent-encoding
 */
function withJobIdMended(url: string): string {
  const [path = '', ...query] = url.split('?');
  const [, before, encoded, behind] = LOOK_AT_ONE.exec(path) ?? [];
  if (before === undefined || encoded === undefined || behind === undefined) return url;
  const id = decodeURIComponent(encoded);
  if (LEGAL_JOB_ID.test(id)) return url;
  return [`${before}${encodeURIComponent(jobIdOf(id.slice('t-'.length)))}${behind}`, ...query].join('?');
}

function createBoard(queue: TaskQueue): Express {
  const serverAdapter = new ExpressAdapter();
  serverAdapter.setBasePath(BOARD_PATH);
  createBullBoard({
    queues: queue.queues().map((each) => new RedrivingAdapter(each, queue)),
    serverAdapter,
    options: { uiConfig: { boardTitle: 'Kafka Retry Service' } },
  });
  // What its handlers throw is answered as everywhere else, by error-response.ts.
  serverAdapter.setErrorHandler((error) => {
    throw error;
  });
  // ExpressAdapter types its router as any; it is an app of its own, with settings of its own.
  const router = serverAdapter.getRouter() as Express;
  router.disable('x-powered-by');
  router.disable('etag');
  return router;
}

class RedrivingAdapter extends BullMQAdapter {
  constructor(
    queue: BoardQueue,
    private readonly tasks: TaskQueue,
  ) {
    super(queue, { description: 'One job = one task. Failed = dead letters and parked tasks; Retry starts them again with all their retries.' });
    this.setFormatter('data', showData);
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
      // Bull Board has just seen it in the failed set: if it is not there any more, someone else was faster.
      await this.tasks.redrive(taskId);
    };
    return Object.assign(job, { retry, remove: refuse, promote: refuse, updateData: refuse, changeDelay: refuse, changePriority: refuse });
  }

  // Behind the list of allowed changes above: a second lock, should a new version of the board find another way.
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

/** The task in the words its client used, the message cut to what a person can look at. */
function showData(data: unknown): unknown {
  try {
    const task = decodeTask(data);
    const { messageData } = task;
    const message = messageData.length <= MAX_SHOWN_CHARACTERS ? messageData : `${messageData.slice(0, MAX_SHOWN_CHARACTERS)}... (${messageData.length} characters)`;
    return { id: task.id, source: task.source, client_id: task.clientId, ...toWirePolicy(task), message_data: message };
  } catch {
    return data; // of a newer version: show it as it is
  }
}

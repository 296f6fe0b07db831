import { AsyncLocalStorage } from 'node:async_hooks';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { ExpressAdapter } from '@bull-board/express';
import type { Express } from 'express';
import { hasPermission, type Caller } from '../../shared/domain/access/caller.js';
import { RequestError } from '../../shared/domain/errors.js';
import { shardOf, taskIdOf } from '../../shared/queue/names.js';
import type { ShardHealth } from '../../shared/queue/engine/shard-health.js';
import type { Shard } from '../../shared/queue/engine/shard.js';
import { isBoardStatus, readBoardHistory, readBoardJob, readBoardPage, type BoardJob } from '../../shared/queue/tasks/board-jobs.js';
import type { TaskQueue } from '../../shared/queue/tasks/task-queue.js';
import { REQUEST_LIMIT_MS, withinRequestLimit } from '../../shared/redis/request-limit.js';
import { commonHeaders } from '../http/answer.js';
import { endBehindUnreadBody } from '../http/unread-body.js';
import { refusalOfExpress, refuseInOurForm } from './board-errors.js';
import { toBoardJson } from './board-job.js';
import { BOARD_HEADERS, ownBoardPage } from './board-page.js';
import { BOARD_PATH, type BoardServer } from './board-routes.js';
import { readWaiting, type WaitingByJob, type WaitingParts } from './board-waiting.js';
import { Turns } from './turns.js';

/** Pages that are read from Redis at the same time: those that arrive in one turn of the event loop make that turn longer. */
const PAGES_AT_ONCE = 1;

/** A shard that is away must leave time for what is asked of the others, ms. */
const PING_WITHIN_MS = 300;
const ASK_WITHIN_MS = 500;

/** Who asks for what the board answers now. It hands nothing of that on to the jobs that it shows. */
const current = new AsyncLocalStorage<Caller>();

type ShownJob = NonNullable<Awaited<ReturnType<BullMQAdapter['getJob']>>>;

/** An Express app with the third argument that its code takes; its types leave it out. */
type BoardApp = (request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void) => void;

/**
 * Bull Board, which is an Express app. It is made at the first request, because its queues need not exist earlier.
 * @param reads on a connection of its own: a page of the board must not make tasks wait, or fail with them
 */
export function createBoardServer(reads: TaskQueue, parts: Omit<WaitingParts, 'reads'>): BoardServer {
  let board: Promise<BoardApp> | undefined;
  /** @throws RequestError when Redis does not answer: the queues exist only when it has answered once */
  const ask = async <T>(question: (shards: readonly Shard[]) => Promise<T>): Promise<T> => {
    try {
      await reads.ping(reads.health.isWatching ? PING_WITHIN_MS : undefined);
      return await withinRequestLimit(question(await reads.shards()), reads.health.isWatching ? ASK_WITHIN_MS : REQUEST_LIMIT_MS);
    } catch (error) {
      throw reads.errors.asRequestError(error);
    }
  };
  return {
    async serve({ request, response, requestId, answerHeaders, match, caller }, url) {
      // Bull Board would answer 500 in a form of its own. Its queues exist only when Redis has answered.
      await reads.ping(reads.health.isWatching ? PING_WITHIN_MS : undefined);
      const serve = await (board ??= createBoard(reads, { ...parts, reads }));
      for (const [name, value] of Object.entries({ ...commonHeaders(requestId), ...answerHeaders, ...BOARD_HEADERS })) response.setHeader(name, value);
      endBehindUnreadBody(request, response);
      // Express does the same for an app below a path: it makes redirects from originalUrl.
      Object.assign(request, { originalUrl: request.url, url });
      return new Promise((resolve, reject) => {
        response.once('close', () => resolve());
        refuseInOurForm(response, reject);
        current.run(caller, () =>
          serve(request, response, (error) => {
            reject(error instanceof Error ? refusalOfExpress(error) : new RequestError('not_found', `there is nothing at ${match.path}`));
          }),
        );
      });
    },
    existing: (queueName, jobIds) =>
      ask(async (shards) => {
        const shard = shards.find(({ queue: { name } }) => name === queueName);
        const states = await Promise.all(jobIds.map(async (jobId) => shard?.queue.getJobState(jobId)));
        return jobIds.filter((_, nth) => (states[nth] ?? 'unknown') !== 'unknown');
      }),
    find: (jobIds) =>
      ask(async (shards) => {
        for (const jobId of jobIds) {
          const shard = shards[shardOf(taskIdOf(jobId) ?? '', shards.length)];
          if (shard !== undefined && (await shard.queue.getJobState(jobId)) !== 'unknown') return { queue: shard.queue.name, jobId };
        }
        return undefined;
      }),
    history: (queueName, jobId) =>
      ask(async (shards) => {
        const shard = shards.find(({ queue: { name } }) => name === queueName);
        if (shard === undefined) throw new RequestError('not_found', 'there is no such queue');
        return readBoardHistory(shard, jobId);
      }),
  };
}

async function createBoard(reads: TaskQueue, parts: WaitingParts): Promise<BoardApp> {
  const shards = await reads.shards();
  const turns = new Turns(PAGES_AT_ONCE);
  const serverAdapter = new OwnPageAdapter();
  serverAdapter.setBasePath(BOARD_PATH);
  createBullBoard({
    queues: shards.map((shard) => new ShowingAdapter(shard, turns, parts, reads.health)),
    serverAdapter,
    options: { uiConfig: { boardTitle: 'Kafka Retry Service', hideDocsLink: true } },
  });
  // Errors of its handlers are answered like all others, by error-response.ts.
  serverAdapter.setErrorHandler((error) => {
    throw reads.errors.asRequestError(error);
  });
  // ExpressAdapter types its app as any.
  const app = serverAdapter.getRouter() as Express & BoardApp;
  app.disable('x-powered-by');
  app.disable('etag');
  return app;
}

/** The Express adapter of the board, with the page of this service. */
class OwnPageAdapter extends ExpressAdapter {
  override setEntryRoute(entry: Parameters<ExpressAdapter['setEntryRoute']>[0]): this {
    this.app[entry.method](entry.route, (_request, response, next) => {
      const { name, params } = entry.handler({ basePath: this.basePath, uiConfig: this.uiConfig });
      response.render(name, params, (error: Error | null, html: string) => {
        const caller = current.getStore();
        if (error === null && caller !== undefined) response.send(ownBoardPage(html, caller));
        else next(error ?? new Error('this page was asked for by nobody'));
      });
    });
    return this;
  }
}

class ShowingAdapter extends BullMQAdapter {
  /** Its shard has told no counts the last time. */
  #isAway = false;

  constructor(
    private readonly shard: Shard,
    private readonly turns: Turns,
    private readonly parts: WaitingParts,
    private readonly health: ShardHealth,
  ) {
    super(shard.queue, { description: 'One job = one task. Failed = dead letters and parked tasks; Retry starts them again with all their retries.' });
  }

  /** The board shows all queues on one page, and would show none for the sake of one that is away: its numbers are 0 then, and its description says why. */
  async #orAway<T>(ask: () => Promise<T>, nothing: T): Promise<T> {
    return (await this.health.orNothing(this.shard.queue.name, ask)) ?? nothing;
  }

  override getDescription(): string {
    return this.#isAway ? 'This part of Redis does not answer now: its tasks wait, and are not shown.' : super.getDescription();
  }

  override async getJobCounts(): ReturnType<BullMQAdapter['getJobCounts']> {
    const counts = await this.health.orNothing(this.shard.queue.name, () => super.getJobCounts());
    this.#isAway = counts === undefined;
    return counts ?? Object.fromEntries(this.getJobStatuses().map((status) => [status, 0]));
  }

  override isPaused(): Promise<boolean> {
    return this.#orAway(() => super.isPaused(), false);
  }

  override getGlobalConcurrency(): Promise<number | null> {
    return this.#orAway(async () => super.getGlobalConcurrency(), null);
  }

  override getActiveRateLimitTtl(): Promise<number> {
    return this.#orAway(() => super.getActiveRateLimitTtl(), 0);
  }

  override getJobSchedulersCount(): Promise<number> {
    return this.#orAway(() => super.getJobSchedulersCount(), 0);
  }

  /** Every server is asked for its clients, so that one which is away hides them: null means that it is not known. */
  override getWorkers(): ReturnType<BullMQAdapter['getWorkers']> {
    return this.health.areAllThere ? this.#orAway(() => super.getWorkers(), null) : Promise.resolve(null);
  }

  /** What is delivered is sent again by submitting it again. */
  override readonly allowCompletedRetries = false;

  override async getJob(id: string): ReturnType<BullMQAdapter['getJob']> {
    const job = await readBoardJob(this.shard, id);
    return job === undefined ? job : this.#shown(job, await readWaiting(this.shard, [job], this.parts));
  }

  override async getJobs(statuses: readonly string[], first = 0, last = 0): ReturnType<BullMQAdapter['getJobs']> {
    return this.turns.take(() => this.#orAway(() => this.#page(statuses, first, last), []));
  }

  async #page(statuses: readonly string[], first: number, last: number): Promise<ShownJob[]> {
    const jobs = await readBoardPage(this.shard, statuses.filter(isBoardStatus), first, last);
    const waiting = await readWaiting(this.shard, jobs, this.parts);
    return jobs.map((job) => this.#shown(job, waiting));
  }

  // A task is never part of a flow, and BullMQ would read its whole data once more to find that out.
  override async getFlowProducer(): Promise<null> {
    return null;
  }

  /** By our rules, and without the data that BullMQ's own job would hold. */
  #shown(job: BoardJob, waiting: WaitingByJob): ShownJob {
    const { id } = job;
    const json = toBoardJson(job, this.parts.mask, waiting.get(id), { showsMessage: mayReadMessages() });
    const shown = {
      id,
      opts: {},
      toJSON: () => json,
      getState: () => this.shard.queue.getJobState(id),
      retry: refuse,
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

  // Changes are made by board-routes.ts. This is a second check behind it, in case a new version of the board finds another way.
  override clean = refuse;
  override addJob = refuse;
  override empty = refuse;
  override obliterate = refuse;
  override promoteAll = refuse;
  override pause = refuse;
  override resume = refuse;
}

function mayReadMessages(): boolean {
  const caller = current.getStore();
  return caller !== undefined && hasPermission(caller, 'payload');
}

async function refuse(): Promise<never> {
  throw new RequestError('action_refused', 'this action would break tasks and is switched off');
}

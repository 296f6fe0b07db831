import type { IRedisTransaction } from 'bullmq';
import type { Admission, Submission } from './submission.js';
import type { Shard } from './shard.js';
import { transact } from './transaction.js';

const GATHER_MS = 1;
const MAX_GROUP = 200;
const MAX_GROUP_BYTES = 1_048_576;
/**
 * What may be on its way to Redis at once. All commands share one connection, each with a time limit: whatever is
 * behind a hundred megabytes of messages would run out of its time on a healthy Redis, and be stored all the same.
 */
const MAX_BYTES_IN_FLIGHT = 4 * MAX_GROUP_BYTES;
/** A finished record can be replaced by someone else again and again between our two steps; give up after this. */
const MAX_ROUNDS = 5;

interface Waiting {
  readonly submission: Submission;
  readonly rounds: number;
  readonly resolve: (admission: Admission) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Submissions that arrive within 1 ms share a MULTI: on one connection a round trip for each would be the limit of
 * the API, and autopipelining is slower (engine facts). A group fails as a whole: nobody of it is told "accepted".
 * When a group fails, those that still wait fail with it: they were never sent, and Redis would make them wait as long.
 */
export class SubmissionBatcher {
  #waiting: Waiting[] = [];
  #bytesInFlight = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly shard: Shard) {}

  submit(submission: Submission): Promise<Admission> {
    return new Promise((resolve, reject) => this.#add({ submission, rounds: 1, resolve, reject }));
  }

  #add(waiting: Waiting): void {
    this.#waiting.push(waiting);
    if (this.#waiting.length >= MAX_GROUP) this.#pump();
    else this.#timer ??= setTimeout(() => this.#pump(), GATHER_MS);
  }

  #pump(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    while (this.#waiting.length > 0 && this.#bytesInFlight < MAX_BYTES_IN_FLIGHT) {
      const { length, bytes } = nextGroup(this.#waiting);
      void this.#send(this.#waiting.splice(0, length), bytes);
    }
  }

  async #send(group: readonly Waiting[], bytes: number): Promise<void> {
    this.#bytesInFlight += bytes;
    try {
      const { firsts, repeats } = byFirstOfItsId(group);
      const replies = await transact(this.shard.client, (multi) => {
        this.#queueCommands(multi, firsts);
        for (const repeat of repeats) this.#queueCommands(multi, [repeat]);
      });
      // Our check's reply, which has one for each; behind it those of the adds.
      const answersAt = (index: number): readonly unknown[] => replies[index] as readonly unknown[];
      const answers = answersAt(0);
      firsts.forEach((waiting, index) => this.#settle(waiting, answers[index], true));
      repeats.forEach((waiting, index) => this.#settle(waiting, answersAt(firsts.length + 1 + 2 * index)[0], false));
    } catch (error) {
      for (const { reject } of [...group, ...this.#waiting.splice(0)]) reject(error);
    } finally {
      this.#bytesInFlight -= bytes;
      // Those that arrived meanwhile have waited long enough; a timer that runs is for a group that still gathers.
      if (this.#timer === undefined) this.#pump();
    }
  }

  /** Our check of all of them, then BullMQ's add of each. @param some of different ids */
  #queueCommands(multi: IRedisTransaction, some: readonly Waiting[]): void {
    const { completed, failed, parked } = this.shard.keys;
    const keys = [completed, failed, parked];
    const values: string[] = [];
    for (const { submission } of some) {
      keys.push(submission.admitKey);
      values.push(...submission.admitArguments);
    }
    multi.runCommand('krsAdmit', [keys.length, ...keys, ...values]);
    const backend = this.shard.queue.getBackend();
    for (const { submission } of some) submission.queueAdd(multi, backend);
  }

  #settle(waiting: Waiting, admitReply: unknown, isFirstOfItsId: boolean): void {
    const admission = waiting.submission.readReplies(admitReply, isFirstOfItsId);
    if (admission !== undefined) waiting.resolve(admission);
    else if (waiting.rounds >= MAX_ROUNDS) waiting.reject(new Error('the id was taken again and again by others'));
    else this.#add({ ...waiting, rounds: waiting.rounds + 1 });
  }
}

/**
 * Those that are the first of their id in the group share one check. A later one has to see the job of the first, so
 * it gets a check of its own, behind the first's add.
 */
function byFirstOfItsId(group: readonly Waiting[]): { firsts: readonly Waiting[]; repeats: readonly Waiting[] } {
  const seenIds = new Set<string>();
  const firsts: Waiting[] = [];
  const repeats: Waiting[] = [];
  for (const waiting of group) {
    const { taskId } = waiting.submission;
    (seenIds.has(taskId) ? repeats : firsts).push(waiting);
    seenIds.add(taskId);
  }
  return { firsts, repeats };
}

/** The oldest that fit into one MULTI; at least one, however large. */
function nextGroup(waiting: readonly Waiting[]): { length: number; bytes: number } {
  let length = 0;
  let bytes = 0;
  for (const { submission } of waiting) {
    if (length > 0 && (length === MAX_GROUP || bytes + submission.bytes > MAX_GROUP_BYTES)) break;
    length += 1;
    bytes += submission.bytes;
  }
  return { length, bytes };
}

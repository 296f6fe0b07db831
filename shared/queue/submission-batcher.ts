import type { Admission } from './submission.js';
import { COMMANDS_PER_SUBMISSION, type Submission } from './submission.js';
import type { Shard } from './shard.js';
import { transact } from './transaction.js';

const GATHER_MS = 1;
const MAX_GROUP = 200;
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
 */
export class SubmissionBatcher {
  #group: Waiting[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly shard: Shard) {}

  submit(submission: Submission): Promise<Admission> {
    return new Promise((resolve, reject) => this.#add({ submission, rounds: 1, resolve, reject }));
  }

  #add(waiting: Waiting): void {
    this.#group.push(waiting);
    if (this.#group.length >= MAX_GROUP) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), GATHER_MS);
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const group = this.#group;
    this.#group = [];
    void this.#send(group);
  }

  async #send(group: readonly Waiting[]): Promise<void> {
    try {
      const replies = await transact(this.shard.client, (multi) => {
        for (const { submission } of group) submission.queueCommands(multi);
      });
      group.forEach((waiting, index) => this.#settle(waiting, replies[index * COMMANDS_PER_SUBMISSION]));
    } catch (error) {
      for (const { reject } of group) reject(error);
    }
  }

  #settle(waiting: Waiting, admitReply: unknown): void {
    const admission = waiting.submission.readReplies(admitReply);
    if (admission !== undefined) waiting.resolve(admission);
    else if (waiting.rounds >= MAX_ROUNDS) waiting.reject(new Error('the id was taken again and again by others'));
    else this.#add({ ...waiting, rounds: waiting.rounds + 1 });
  }
}

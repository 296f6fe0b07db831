import { RequestError } from '../../domain/errors.js';
import type { Admission, Submission } from './submission.js';
import type { Shard } from '../engine/shard.js';
import { REQUEST_LIMIT_MS } from '../../redis/request-limit.js';

/** What comes while another group is on its way goes when that has ended, and after this at the latest. */
const GATHER_MS = 1;
/** With so many the first group goes before its turn of the event loop has ended: callers that all wait for one answer would move in one wave, and API and Redis in turns. */
const EARLY_GROUP = 32;
const MAX_GROUP = 200;
const MAX_GROUP_BYTES = 1_048_576;
/**
 * How much may be on its way to Redis at once. All commands share one connection, each with a time limit. A command
 * behind a hundred megabytes of messages would time out on a healthy Redis, and be stored even so.
 */
const MAX_BYTES_IN_FLIGHT = 4 * MAX_GROUP_BYTES;
/** Another submission can replace a finished record again and again between our two steps; give up after this. */
const MAX_ROUNDS = 5;
/**
 * Submissions of one group share the time limit of the oldest one. One that has waited for a slow Redis already must not
 * shorten the time of new ones.
 */
const MAX_AGE_APART_MS = 100;

/**
 * Where calls wait for replicas, what has waited this long is refused unsent, ms. Slow replicas would let it wait for ever, and one that
 * is sent with little time left is stored, and refused even so.
 */
const WAITS_AT_MOST_MS = REQUEST_LIMIT_MS / 2;

interface Waiting {
  readonly submission: Submission;
  readonly rounds: number;
  /**
   * When its time began, monotonic milliseconds: when it was sent for the first time. The time that it waits for others to be sent is
   * not Redis': many large messages at once take as long as they take. Where calls wait for replicas it is, and begins when it comes.
   */
  since: number | undefined;
  readonly resolve: (admission: Admission) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Submissions that arrive in one turn of the event loop, or while others are on their way, share a call: on one connection a round trip
 * for each would be the limit of the API, and autopipelining is slower (engine facts). A group fails as a whole: none of its callers is told "accepted".
 * When a group fails, the waiting submissions fail with it. They were never sent, and would wait as long for Redis.
 */
export class SubmissionBatcher {
  #waiting: Waiting[] = [];
  #bytesInFlight = 0;
  #groupsInFlight = 0;
  #timer: NodeJS.Timeout | undefined;
  #endOfTurn: NodeJS.Immediate | undefined;
  /** The oldest that waits will have waited too long. */
  #lateTimer: NodeJS.Timeout | undefined;

  /** Where a call waits for replicas, and for a connection: what comes meanwhile goes together. */
  readonly #mostGroups: number;

  constructor(private readonly shard: Shard) {
    this.#mostGroups = shard.submitScript.callsAtOnce ?? Infinity;
  }

  submit(submission: Submission): Promise<Admission> {
    const since = this.#mostGroups === Infinity ? undefined : performance.now();
    return new Promise((resolve, reject) => this.#add({ submission, rounds: 1, since, resolve, reject }));
  }

  #add(waiting: Waiting): void {
    this.#waiting.push(waiting);
    const isIdle = this.#groupsInFlight === 0;
    if (this.#waiting.length >= (isIdle ? EARLY_GROUP : MAX_GROUP)) this.#pump();
    else if (isIdle) this.#endOfTurn ??= setImmediate(() => this.#pump());
    else this.#timer ??= setTimeout(() => this.#pump(), GATHER_MS);
  }

  #pump(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    clearImmediate(this.#endOfTurn);
    this.#endOfTurn = undefined;
    if (this.#mostGroups !== Infinity) this.#refuseLate();
    while (this.#waiting.length > 0 && this.#bytesInFlight < MAX_BYTES_IN_FLIGHT && this.#groupsInFlight < this.#mostGroups) {
      const { length, bytes } = nextGroup(this.#waiting, performance.now());
      void this.#send(this.#waiting.splice(0, length), bytes);
    }
  }

  /** They stand in the order in which they came, but for those that Redis has answered once, which stand behind. */
  #refuseLate(): void {
    const since = (): number => this.#waiting[0]?.since ?? Infinity;
    const now = performance.now();
    while (since() + WAITS_AT_MOST_MS <= now) this.#waiting.shift()?.reject(new RequestError('redis_unavailable', 'the replicas are too slow for so many tasks'));
    if (this.#waiting.length === 0) return;
    this.#lateTimer ??= setTimeout(() => {
      this.#lateTimer = undefined;
      this.#pump();
    }, since() + WAITS_AT_MOST_MS - now);
  }

  async #send(group: readonly Waiting[], bytes: number): Promise<void> {
    this.#bytesInFlight += bytes;
    this.#groupsInFlight += 1;
    const now = performance.now();
    let oldestAt = now;
    for (const waiting of group) oldestAt = Math.min(oldestAt, (waiting.since ??= now));
    try {
      const { answers, now: addedAt } = await this.shard.submitScript.run(group.map(({ submission }) => submission.toJob()), REQUEST_LIMIT_MS - (now - oldestAt));
      group.forEach((waiting, index) => this.#settle(waiting, answers[index], addedAt));
    } catch (error) {
      // A group of old ones had less time than the waiting ones have.
      const others = now - oldestAt > MAX_AGE_APART_MS ? [] : this.#waiting.splice(0);
      for (const { reject } of [...group, ...others]) reject(error);
    } finally {
      this.#bytesInFlight -= bytes;
      this.#groupsInFlight -= 1;
      // Submissions that arrived meanwhile have waited long enough. Beside other groups a running timer belongs to one that is still
      // being collected.
      if (this.#timer === undefined || this.#groupsInFlight === 0) this.#pump();
    }
  }

  #settle(waiting: Waiting, answer: unknown, addedAt: number): void {
    if (answer instanceof Error) {
      waiting.reject(answer);
      return;
    }
    const admission = waiting.submission.readAnswer(answer, addedAt);
    if (admission !== undefined) waiting.resolve(admission);
    else if (waiting.rounds >= MAX_ROUNDS) waiting.reject(new RequestError('redis_unavailable', 'the id was taken again and again by others'));
    else this.#add({ ...waiting, rounds: waiting.rounds + 1 });
  }
}

/** The oldest that fit into one call. At least one is taken, whatever its size. */
function nextGroup(waiting: readonly Waiting[], now: number): { length: number; bytes: number } {
  let length = 0;
  let bytes = 0;
  const first = waiting[0]?.since ?? now;
  for (const { submission, since = now } of waiting) {
    if (length > 0 && (length === MAX_GROUP || bytes + submission.bytes > MAX_GROUP_BYTES || Math.abs(since - first) > MAX_AGE_APART_MS)) break;
    length += 1;
    bytes += submission.bytes;
  }
  return { length, bytes };
}

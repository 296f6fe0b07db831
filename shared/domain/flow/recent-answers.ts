import type { DeliveryErrorCode } from '../errors.js';

/**
 * The answers of one destination within the last 5 to 10 s, as one process saw them, and how many of them were refusals: 429
 * or 503. The rule is the client-side throttling of Google's SRE book: a destination is sent less only when it answers more
 * than K times as many sends as it accepts. So single refusals among many answers change nothing.
 */
const ANSWERS_PER_ACCEPTED = 1.25;
/** Fewer tasks that were refused may be chance. A task counts once, because its own policy spreads its retries already. */
const FEWEST_REFUSED_TASKS = 3;
const HALF_WINDOW_MS = 5_000;

/**
 * How much an answer counts as a refusal, 0..1. For 429 alone K is 1.25: more than a fifth of the answers. A 503 counts a
 * quarter, so that K is 2: a service with one of four backends down answers 503 to a quarter of its sends, however few
 * they are.
 */
export function refusalWeight(code: DeliveryErrorCode, httpStatus: number | undefined): number {
  if (code !== 'http_busy') return 0;
  return httpStatus === 429 ? 1 : 0.25;
}

interface Answers {
  accepted: number;
  refused: number;
  /** Sum of the weights of those refused. */
  weight: number;
  /** Tasks that were refused; not more of them are remembered than the rule asks for. */
  readonly refusedTasks: string[];
}

/** Times are milliseconds of any one clock. */
export class RecentAnswers {
  /** Counts of the half window that runs now, and of the one before it. */
  #now = none();
  #before = none();
  #halfSince = 0;
  #beforeSince: number | undefined;
  /** Sends that began earlier do not count. */
  #countsFrom = 0;

  /** @param weight as refusalWeight says; 0: accepted. @param startedAt when the send began. @param at when it was answered */
  note(weight: number, taskId: string, startedAt: number, at: number): void {
    if (at - this.#halfSince >= HALF_WINDOW_MS) this.#turn(at);
    if (startedAt < this.#countsFrom) return;
    if (weight === 0) {
      this.#now.accepted += 1;
      return;
    }
    const { refusedTasks } = this.#now;
    this.#now.refused += 1;
    this.#now.weight += weight;
    if (refusedTasks.length < FEWEST_REFUSED_TASKS && !refusedTasks.includes(taskId)) refusedTasks.push(taskId);
  }

  /**
   * true: the share of refusals is so large that less should be sent. It is false where nothing at all is accepted: that is
   * what the circuit is for, and a lowered rate would only delay the first sends after it has closed.
   */
  get isTooMuchRefused(): boolean {
    const accepted = this.#now.accepted + this.#before.accepted;
    const weight = this.#now.weight + this.#before.weight;
    const refusedTasks = new Set([...this.#now.refusedTasks, ...this.#before.refusedTasks]);
    return refusedTasks.size >= FEWEST_REFUSED_TASKS && accepted > 0 && accepted + weight > accepted * ANSWERS_PER_ACCEPTED;
  }

  /** Answers per second. Less than a second is taken for a whole one. */
  perSecond(at: number): number {
    const sinceMs = at - (this.#beforeSince ?? this.#halfSince);
    const answers = this.#now.accepted + this.#now.refused + this.#before.accepted + this.#before.refused;
    return (answers * 1_000) / Math.max(1_000, sinceMs);
  }

  /** The rate was changed: only the answers to sends that begin from now on tell whether it is right. */
  restart(at: number): void {
    this.#countsFrom = at;
    this.#halfSince = at;
    this.#beforeSince = undefined;
    this.#now = none();
    this.#before = none();
  }

  #turn(at: number): void {
    const isBeforeRecent = at - this.#halfSince < 2 * HALF_WINDOW_MS;
    this.#before = isBeforeRecent ? this.#now : none();
    this.#beforeSince = isBeforeRecent ? this.#halfSince : undefined;
    this.#now = none();
    this.#halfSince = at;
  }
}

function none(): Answers {
  return { accepted: 0, refused: 0, weight: 0, refusedTasks: [] };
}

import type { DeliveryErrorCode } from '../errors.js';
import { refusalOf, type Refusal } from './refused-row.js';

/**
 * The answers of one destination within the last 5 to 10 s, as one process saw them, and how many of them were refusals: 429
 * or 503. The rule is the client-side throttling of Google's SRE book: a destination is sent less only when it answers more
 * than K times as many sends as it accepts. So single refusals among many answers change nothing.
 */
const ANSWERS_PER_ACCEPTED = 1.25;
/** Fewer tasks that were refused may be chance. A task counts once, because its own policy spreads its retries already. */
const FEWEST_REFUSED_TASKS = 3;
/**
 * Few answers may be bad ones by chance, so the refusals must be beyond their limit by so many standard deviations. Of 12 answers 6 have
 * to be 429, of 100 answers 28, of 1,000 answers 226.
 */
const DEVIATIONS_BEYOND = 2;
const HALF_WINDOW_MS = 5_000;

/**
 * How much an answer counts as a refusal, 0..1. For 429 alone K is 1.25: more than a fifth of the answers. A 503 counts a
 * quarter, so that K is 2: a service with one of four backends down answers 503 to a quarter of its sends, however few
 * they are.
 */
export function refusalWeight(code: DeliveryErrorCode, httpStatus: number | undefined): number {
  const refusal = refusalOf(code, httpStatus);
  return refusal === undefined ? 0 : weights[refusal];
}

const weights: Readonly<Record<Refusal, number>> = { limit: 1, maybe_limit: 0.25 };

/** Sum of the weights of refusals that are borne beside so many accepted sends. */
function allowedWeight(accepted: number): number {
  return accepted * (ANSWERS_PER_ACCEPTED - 1);
}

/** The refusals as a part of those that are borne. @param weight sum of refusalWeight. @returns 0 where there are none, 1 at the limit */
export function fullnessOf(accepted: number, weight: number): number {
  return weight === 0 ? 0 : weight / allowedWeight(accepted);
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
    const { accepted, refused, weight } = this.#sum();
    const refusedTasks = new Set([...this.#now.refusedTasks, ...this.#before.refusedTasks]);
    if (refusedTasks.size < FEWEST_REFUSED_TASKS || accepted === 0) return false;
    // At the limit an answer deviates by the root of a quarter of what a refusal counts: by 1/2 where all are 429, by 1/4 where all are 503.
    const deviation = Math.sqrt((accepted + refused) * (weight / refused)) / 2;
    return weight - allowedWeight(accepted) >= DEVIATIONS_BEYOND * deviation;
  }

  /** The refusals as a part of those that are borne: 1 is the limit, Infinity where nothing is accepted. */
  fullness(at: number): number {
    if (at - this.#halfSince >= HALF_WINDOW_MS) this.#turn(at);
    const { accepted, weight } = this.#sum();
    return fullnessOf(accepted, weight);
  }

  /** Answers per second. Less than a second is taken for a whole one. */
  perSecond(at: number): number {
    const { accepted, refused } = this.#sum();
    return this.#perSecond(accepted + refused, at);
  }

  /** Those of them that were no refusals. */
  acceptedPerSecond(at: number): number {
    return this.#perSecond(this.#sum().accepted, at);
  }

  /** The rate was changed: only the answers to sends that begin from now on tell whether it is right. */
  restart(at: number): void {
    this.#countsFrom = at;
    this.#halfSince = at;
    this.#beforeSince = undefined;
    this.#now = none();
    this.#before = none();
  }

  #sum(): { readonly accepted: number; readonly refused: number; readonly weight: number } {
    const [now, before] = [this.#now, this.#before];
    return { accepted: now.accepted + before.accepted, refused: now.refused + before.refused, weight: now.weight + before.weight };
  }

  #perSecond(answers: number, at: number): number {
    return (answers * 1_000) / Math.max(1_000, at - (this.#beforeSince ?? this.#halfSince));
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

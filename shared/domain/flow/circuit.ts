import { flowOfId } from '../destinations/flow.js';
import { countsForCircuit, deliveryError, saysNothing, type DeliveryErrorCode } from '../errors.js';
import type { DeliveryResult } from '../ports.js';
import { refusalOf, RefusedRow, type Refusal } from './refused-row.js';

/**
 * Circuit breaker of an endpoint at its host, or of a host. While the circuit is open the tasks are put back, uncounted,
 * instead of using up their attempts on a receiver that is down; single probes find out whether it is back.
 */
export interface CircuitRules {
  readonly isOn: boolean;
  /**
   * Failures in a row that open it, no two neighbours of one task and none later than `rowGapMs` after the one before.
   * Each counts by its weight: see `weightOf`.
   */
  readonly failuresInARow: number;
  readonly rowGapMs: number;
  /** This share of failures opens it, too: among the results of the last `shareWithinMs`, if there are at least `shareOf`. */
  readonly failureShare: number;
  readonly shareOf: number;
  readonly shareWithinMs: number;
  /** First wait until a probe; doubles with each probe that fails, up to `maxCoolMs`. */
  readonly baseCoolMs: number;
  readonly maxCoolMs: number;
  /** After being open for so long, tasks are sent again and their attempts count: a dead receiver must lead to dead letters. */
  readonly maxOpenMs: number;
}

export const defaultCircuitRules = {
  isOn: true,
  failuresInARow: 30,
  rowGapMs: 60_000,
  failureShare: 0.75,
  shareOf: 40,
  shareWithinMs: 10_000,
  baseCoolMs: 2_000,
  maxCoolMs: 30_000,
  maxOpenMs: 900_000,
} as const satisfies CircuitRules;

/** A send that was to find out whether the destination is back, and failed. */
export interface LastProbe {
  /** Its id. */
  readonly task: string;
  /** When it failed, milliseconds since the epoch. */
  readonly at: number;
  readonly code: DeliveryErrorCode;
}

/** An open circuit; the whole fleet shares it. Times are milliseconds since the epoch. */
export interface Circuit {
  readonly openedAt: number;
  /** The time from which on one probe may be sent. */
  readonly until: number;
  readonly coolMs: number;
  /**
   * failures: it failed too often. endpoint_failures: that of a host, which is reached, but whose endpoints fail; older
   * versions take it for `failures`. retry_after: it asked to be left alone.
   */
  readonly reason: 'failures' | 'endpoint_failures' | 'retry_after';
  /** Absent until a probe has failed. */
  readonly lastProbe?: LastProbe;
}

/**
 * The circuit that says most of where tasks go, of several: one that holds deliveries before one that has been given up, and both before
 * those of dead letters. Where two say as much, the first.
 * @param names of circuits
 * @returns undefined when all are closed
 */
export function worstCircuit(names: Iterable<string>, stateOf: (name: string) => CircuitState): string | undefined {
  let worst: string | undefined;
  let most = 0;
  for (const name of names) {
    const state = stateOf(name);
    const weight = state === 'closed' ? 0 : (flowOfId(name).isDead ? 1 : 3) + (state === 'given_up' ? 0 : 1);
    if (weight > most) [worst, most] = [name, weight];
  }
  return worst;
}

/**
 * closed: send. given_up: it has been open for `maxOpenMs`, so send, and let the attempts count.
 * probe: send one, if no other worker does. open: put back.
 */
export type CircuitState = 'closed' | 'given_up' | 'probe' | 'open';

export function stateOfCircuit(circuit: Circuit | undefined, now: number, rules: CircuitRules): CircuitState {
  if (circuit === undefined || !rules.isOn) return 'closed';
  if (now - circuit.openedAt >= rules.maxOpenMs) return 'given_up';
  return now < circuit.until ? 'open' : 'probe';
}

/** A missing topic is created in a moment, by a person who then waits for its tasks. A probe of it is a question about metadata, so it may come often. */
const MISSING_TOPIC_COOL_MS = 4_000;

/**
 * The circuit after a failure that opens it.
 * @param before undefined: it was closed
 * @param probe  undefined: the failure was no probe's
 */
export function openedBy(reason: Circuit['reason'], code: DeliveryErrorCode, before: Circuit | undefined, now: number, rules: CircuitRules, probe?: LastProbe): Circuit {
  const growingMs = before === undefined ? rules.baseCoolMs : Math.min(before.coolMs * 2, rules.maxCoolMs);
  const coolMs = code === 'topic_unknown' ? Math.min(growingMs, MISSING_TOPIC_COOL_MS) : growingMs;
  return { openedAt: before?.openedAt ?? now, until: now + coolMs, coolMs, reason, ...withProbe(probe, before) };
}

/**
 * The circuit after a 429 or 503 that says when to come again: until then no task is sent there. It cools down for at most
 * `maxCoolMs`, and for no longer than the task that got the answer would wait by its own policy. Then a probe is sent.
 * @param longestWaitMs cap of that policy
 */
export function openedByRetryAfter(retryAfterMs: number, longestWaitMs: number, before: Circuit | undefined, now: number, rules: CircuitRules, probe?: LastProbe): Circuit {
  const until = now + Math.min(retryAfterMs, longestWaitMs, rules.maxCoolMs);
  return { openedAt: before?.openedAt ?? now, until: Math.max(until, before?.until ?? 0), coolMs: before?.coolMs ?? rules.baseCoolMs, reason: 'retry_after', ...withProbe(probe, before) };
}

function withProbe(probe: LastProbe | undefined, before: Circuit | undefined): Pick<Circuit, 'lastProbe'> {
  const lastProbe = probe ?? before?.lastProbe;
  return lastProbe === undefined ? {} : { lastProbe };
}

/** What an ended send says of its endpoint and its host. `nothing`: see saysNothing. */
export type SendVerdict =
  | { readonly kind: 'answered' }
  | { readonly kind: 'nothing' }
  | {
      readonly kind: 'failed';
      readonly of: 'host' | 'endpoint';
      /** 0..1 */
      readonly weight: number;
      /** Another part of the host has answered meanwhile. */
      readonly isHostWell: boolean;
      /** The receiver may only have got too much. */
      readonly refusal: Refusal | undefined;
    };

const ANSWERED: SendVerdict = { kind: 'answered' };
const NOTHING: SendVerdict = { kind: 'nothing' };

/** @param result undefined: the send never came to an end, by a bug of ours */
export function verdictOn(result: DeliveryResult | undefined): SendVerdict {
  if (result === undefined) return NOTHING;
  if (result.kind === 'delivered') return ANSWERED;
  const { code, httpStatus } = result;
  const isHostWell = result.isHostWell === true;
  if (saysNothing(code)) return NOTHING;
  const { failureOf } = deliveryError(code);
  const weight = weightOf(code, httpStatus);
  // While the other brokers of a cluster answer, a failure stops one partition, and other keys of the topic go on. A topic fails
  // as a whole when it does not exist, and when none of its partitions can be sent to.
  if (weight === 0 || (isHostWell && code !== 'topic_unknown' && result.isOfWholeEndpoint !== true)) return ANSWERED;
  return { kind: 'failed', of: failureOf === 'host' && !isHostWell ? 'host' : 'endpoint', weight, isHostWell, refusal: refusalOf(code, httpStatus) };
}

/** A shorter row is chance, however many workers there are. */
const SHORTEST_ROW = 5;

/** How many failures in a row one worker of a fleet has to see, of a destination that answers no send: its share of them. */
function rowOfOne({ failuresInARow }: CircuitRules, workers: number): number {
  return Math.min(failuresInARow, Math.max(SHORTEST_ROW, Math.ceil(failuresInARow / workers)));
}

/**
 * How much one failure says of the destination, 0..1. A handler that cannot bear this one message answers 500 as often as
 * a service that is down does, so a 500 counts a quarter: it takes 120 in a row. 0: the failure says nothing about the
 * destination, or it answers well.
 */
export function weightOf(code: DeliveryErrorCode, httpStatus: number | undefined): number {
  if (!countsForCircuit(code)) return 0;
  return code === 'http_server_error' && !STATUSES_OF_GATEWAYS.has(httpStatus ?? 0) ? 0.25 : 1;
}

/** A gateway says by these that the service behind it is gone. (503 has an error code of its own.) */
const STATUSES_OF_GATEWAYS: ReadonlySet<number> = new Set([502, 504]);

/** Results of one endpoint, or of one host, as one process saw them lately. Times are whole milliseconds of any one clock. */
export class Health {
  /** Sum of weights. */
  #row = 0;
  #failures = 0;
  #lastFailedAt = 0;
  #lastFailedTask = '';
  /** Counts of the half window that runs now, and of the one before it. */
  #halfSince = 0;
  #now = nothing();
  #before = nothing();
  /** undefined for nearly all: nothing was refused since this process knows it. */
  #refusedRow: RefusedRow | undefined;

  get failuresInARow(): number {
    return this.#failures;
  }

  /** Has it failed since it was last well, and not longer ago than a row may last? */
  isFailing(at: number, { rowGapMs }: CircuitRules): boolean {
    return this.#failures > 0 && at - this.#lastFailedAt <= rowGapMs;
  }

  /** The weight of a row that opens the circuit. Where nothing is answered at all, each worker needs only its share. */
  rowNeeded(at: number, rules: CircuitRules, workers: number): number {
    return this.#isWellSometimes(at, rules) ? rules.failuresInARow : rowOfOne(rules, workers);
  }

  /**
   * Whether failures open the circuit. A row of refusals may only be a limit: see RefusedRow. To be told of each failure.
   * @param isTooMuch by their number
   */
  opens(isTooMuch: boolean, refusal: Refusal | undefined, at: number, rules: CircuitRules): boolean {
    if (refusal !== undefined) {
      this.#refusedRow ??= new RefusedRow();
      if (this.#refusedRow.refused(refusal, at) && this.#isWellSometimes(at, rules)) return false;
    }
    if (isTooMuch) this.#refusedRow?.opened(at);
    return isTooMuch;
  }

  /**
   * @param weight  how much the failure counts; 0: the destination answered
   * @param workers number of workers in the fleet: each sees its part of the failures
   * @returns true when the failures so far have to open the circuit
   */
  note(weight: number, taskId: string, at: number, rules: CircuitRules, workers = 1, refusal?: Refusal): boolean {
    this.#turn(at, rules.shareWithinMs / 2);
    if (weight === 0) {
      this.#row = 0;
      this.#failures = 0;
      this.#now.ok += 1;
      this.#now.sends += 1;
      this.#refusedRow?.answered(at);
      return false;
    }
    if (at - this.#lastFailedAt > rules.rowGapMs) {
      this.#row = 0;
      this.#failures = 0;
    }
    // Failures of one task alone do not count further: its own policy spreads its retries already.
    if (this.#row === 0 || taskId !== this.#lastFailedTask) {
      this.#row += weight;
      this.#failures += 1;
      this.#now.failed += weight;
      this.#now.sends += 1;
    }
    this.#lastFailedAt = at;
    this.#lastFailedTask = taskId;
    return this.opens(this.#row >= this.rowNeeded(at, rules, workers) || this.#isMostlyFailing(rules), refusal, at, rules);
  }

  forget(): void {
    this.#row = 0;
    this.#failures = 0;
    this.#now = nothing();
    this.#before = nothing();
  }

  #isWellSometimes(at: number, { shareWithinMs }: CircuitRules): boolean {
    this.#turn(at, shareWithinMs / 2);
    return this.#now.ok + this.#before.ok > 0;
  }

  #isMostlyFailing({ shareOf, failureShare }: CircuitRules): boolean {
    const failed = this.#now.failed + this.#before.failed;
    const all = this.#now.sends + this.#before.sends;
    return all >= shareOf && failed >= all * failureShare;
  }

  #turn(at: number, halfMs: number): void {
    const passedMs = at - this.#halfSince;
    if (passedMs < halfMs) return;
    this.#before = passedMs < 2 * halfMs ? this.#now : nothing();
    this.#now = nothing();
    this.#halfSince = at;
  }
}

interface Results {
  ok: number;
  /** Sum of weights. */
  failed: number;
  sends: number;
}

function nothing(): Results {
  return { ok: 0, failed: 0, sends: 0 };
}

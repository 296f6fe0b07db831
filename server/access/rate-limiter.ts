import { randomUUID } from 'node:crypto';
import { KeyAllowance, type RateLimit } from '../../shared/domain/access/rate-limit.js';
import { RequestError } from '../../shared/domain/errors.js';
import { withinLimit } from '../../shared/lifecycle/time-limit.js';
import type { FleetStores } from '../../shared/queue/tasks/fleet-stores.js';
import type { AnswerHeaders } from '../http/answer.js';

/** How often Redis is told what was let pass, ms. */
const SETTLE_EVERY_MS = 200;
/** A key that was not used for so long is not told of any more, and its next request asks Redis first, ms. */
const IN_USE_FOR_MS = 1_000;
/** A request that waits for Redis waits no longer than this, ms. */
const FIRST_ANSWER_MS = 100;
/** Below this limit, in a second, each request that may pass asks Redis: one for each process in a settlement would be much more than the limit. */
const SLOW_BELOW = 10;
const POLICY_NAME = '"key"';

interface UsedKey {
  readonly allowance: KeyAllowance;
  readonly limit: RateLimit;
  /** The header RateLimit-Policy. */
  readonly policy: string;
  usedAt: number;
  /** When Redis last answered, or was last asked in vain; monotonic ms. */
  settledAt: number;
  settling: Promise<void> | undefined;
}

/**
 * Lets a key do as much as its rate limit says, over all processes together. Requests are counted here, and settled with Redis five times a
 * second. Only the first request of a key after a second of rest waits for Redis, and every one that may pass of a key with a limit below 10 a second.
 *
 * While Redis is away each process goes on with its last part of the limit, and what it lets pass counts in no other: all of them together
 * keep the limit as long as as many of them are used as before, and nobody is refused for it.
 */
export class RateLimiter {
  readonly #keys = new Map<string, UsedKey>();
  readonly #process = randomUUID();
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly fleet: Pick<FleetStores, 'withRates'>) {}

  /** @returns undefined when `take` can be asked at once; else a promise that never rejects */
  ready(limit: RateLimit): undefined | Promise<void> {
    const now = performance.now();
    const used = this.#use(limit, now);
    const isSlow = limit.perSecond < SLOW_BELOW;
    // Calls that are refused anyhow cost Redis nothing more.
    const mayPass = isSlow && used.allowance.left(now) > 0;
    if (!mayPass && used.settledAt + (isSlow ? SETTLE_EVERY_MS : IN_USE_FOR_MS) > now) return undefined;
    return withinLimit(this.#settle(used), FIRST_ANSWER_MS, () => new Error('redis has not answered in time')).catch(() => {
      used.settledAt = performance.now();
    });
  }

  /** Takes one. @throws RequestError rate_limited */
  take(limit: RateLimit): void {
    const now = performance.now();
    const used = this.#use(limit, now);
    const { allowance } = used;
    if (!allowance.take(now)) throw refusalBy(limit, allowance, now);
    if (limit.perSecond < SLOW_BELOW) void this.#tellOthers(used);
  }

  /** The fields of draft-ietf-httpapi-ratelimit-headers. `t`: until the whole second's worth is there again. */
  headers(limit: RateLimit): AnswerHeaders {
    const { perSecond } = limit;
    const now = performance.now();
    const { allowance, policy } = this.#use(limit, now);
    const most = wholeSecondsWorth(perSecond);
    const left = Math.min(most, allowance.left(now));
    const resetS = Math.ceil((most - left) / perSecond);
    return { 'RateLimit-Policy': policy, RateLimit: `${POLICY_NAME};r=${left};t=${resetS}` };
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #use(limit: RateLimit, now: number): UsedKey {
    let used = this.#keys.get(limit.keyId);
    // Another limit is another bucket here; the one in Redis goes on.
    if (used === undefined || used.limit.perSecond !== limit.perSecond) {
      used = { allowance: new KeyAllowance(limit.perSecond, now), limit, policy: policyOf(limit), usedAt: now, settledAt: -Infinity, settling: undefined };
      this.#keys.set(limit.keyId, used);
    }
    used.usedAt = now;
    this.#timer ??= setInterval(() => this.#settleAll(), SETTLE_EVERY_MS).unref();
    return used;
  }

  #settleAll(): void {
    const now = performance.now();
    for (const [keyId, used] of this.#keys) {
      // What it has taken was told in the time in which it still counted as used.
      if (used.usedAt + IN_USE_FOR_MS < now) this.#keys.delete(keyId);
      else void this.#settle(used);
    }
    if (this.#keys.size === 0) this.stop();
  }

  /** A settlement that is under way may have been told of less. */
  async #tellOthers(used: UsedKey): Promise<void> {
    await used.settling;
    await this.#settle(used);
  }

  #settle(used: UsedKey): Promise<void> {
    return (used.settling ??= this.#settleOnce(used).finally(() => (used.settling = undefined)));
  }

  /** It never rejects. */
  async #settleOnce(used: UsedKey): Promise<void> {
    const { allowance, limit } = used;
    try {
      const { level, processes } = await this.fleet.withRates((store) => store.settle(limit, allowance.tell(), this.#process));
      allowance.learn(level, processes, performance.now());
    } catch {
      // Redis is away or full: what was told may be lost, and is not told again. See the class.
    }
    used.settledAt = performance.now();
  }
}

function wholeSecondsWorth(perSecond: number): number {
  return Math.max(1, Math.floor(perSecond));
}

function policyOf({ perSecond }: RateLimit): string {
  return `${POLICY_NAME};q=${wholeSecondsWorth(perSecond)};w=${Math.max(1, Math.ceil(1 / perSecond))}`;
}

function refusalBy({ perSecond }: RateLimit, allowance: KeyAllowance, now: number): RequestError {
  const retryAfterS = Math.max(1, Math.ceil(allowance.waitMs(now) / 1_000));
  return new RequestError('rate_limited', `this key may send ${perSecond} tasks a second, or make as many other calls`, undefined, { retryAfterS, notes: { reason: 'rate_limit', limit: 'rate_limit of the key' } });
}

import type { DeliveryErrorCode } from '../../../../shared/domain/errors.js';

/** What the fleet knows of the token of a client. Times are in ms since the epoch. */
export type TokenRecord =
  | {
      readonly kind: 'token';
      readonly token: string;
      readonly madeAt: number;
      /** From then on another one is asked for, while this one is still used. */
      readonly refreshAt: number;
      readonly expiresAt: number;
      /** It was asked for because a receiver had refused the one before. */
      readonly isAfterRefusal: boolean;
    }
  /** There is none, and until then nobody asks again. `failures`: how often in a row it was asked in vain. */
  | { readonly kind: 'failure'; readonly failure: TokenFailure; readonly until: number; readonly failures: number };

/** It says nothing of the token server, and uses no attempt. */
const ownTrouble = ['proxy_unavailable', 'local_resources'] as const satisfies readonly DeliveryErrorCode[];
type OwnTrouble = (typeof ownTrouble)[number];

export function isOwnTrouble(code: DeliveryErrorCode): code is OwnTrouble {
  return ownTrouble.some((each) => each === code);
}

export interface TokenFailure {
  readonly code: Extract<DeliveryErrorCode, 'token_refused' | 'token_unavailable' | 'address_forbidden' | OwnTrouble>;
  /** For people. It has nothing of what the token server said but its code. */
  readonly detail: string;
}

export type Token = Extract<TokenRecord, { kind: 'token' }>;

/** A token of which the server does not say how long it is good (RFC 6749, 5.1). */
const UNKNOWN_LIFE_MS = 300_000;
const EARLIEST_MS = 60_000;
const FIRST_PAUSE_MS = 2_000;
const LONGEST_PAUSE_MS = 60_000;

/**
 * Another one is asked for when a fifth of its life is left, or a minute of a long one.
 * @param lifeMs as the server says; undefined: it does not
 */
export function tokenFrom(token: string, lifeMs: number | undefined, now: number, isAfterRefusal: boolean): Token {
  const life = lifeMs ?? UNKNOWN_LIFE_MS;
  return { kind: 'token', token, madeAt: now, refreshAt: now + life - Math.min(life / 5, EARLIEST_MS), expiresAt: now + life, isAfterRefusal };
}

/** Each failure in a row doubles the pause, from 2 s to a minute. @param before how often in a row it was asked in vain until now */
export function failureFrom(failure: TokenFailure, before: number, now: number): TokenRecord {
  // The token server was not asked, so it is not left alone for longer.
  if (isOwnTrouble(failure.code)) return { kind: 'failure', failure, failures: before, until: now + FIRST_PAUSE_MS };
  const failures = before + 1;
  return { kind: 'failure', failure, failures, until: now + Math.min(FIRST_PAUSE_MS * 2 ** Math.min(failures - 1, 10), LONGEST_PAUSE_MS) };
}

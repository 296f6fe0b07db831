import type { Logger } from '../../../shared/logging/logger.js';
import type { ProxyUnavailable } from './proxy-errors.js';

/** A proxy that could not be reached is tried again after this time, ms. */
const AWAY_FOR_MS = 1_000;
/** Between two lines of the log about it, ms. */
const LOG_EVERY_MS = 60_000;

/** What a process has seen of its proxy. Every time is monotonic, in ms. */
export class ProxyState {
  #away: { until: number; readonly error: ProxyUnavailable } | undefined;
  #hasLetUsIn = false;
  #logAgainAt = 0;
  #isLogged = false;

  /** @param probeMs how long one caller may take to try a proxy that is away */
  constructor(
    private readonly probeMs: number,
    private readonly logger: Pick<Logger, 'error' | 'info'> | undefined,
  ) {}

  /** It has made a tunnel since this process began, so it takes our login. */
  get hasLetUsIn(): boolean {
    return this.#hasLetUsIn;
  }

  /**
   * Asked before a connection to the proxy. While it is away one caller at a time tries it, and the slots of the others are not held up.
   * @returns why not
   */
  refusal(): ProxyUnavailable | undefined {
    const away = this.#away;
    if (away === undefined) return undefined;
    const now = performance.now();
    if (now < away.until) return away.error;
    away.until = now + this.probeMs;
    return undefined;
  }

  /** It has taken a connection. */
  reached(): void {
    this.#away = undefined;
  }

  /** The caller that was to try it has ended for another reason, so the next one does. */
  untried(): void {
    if (this.#away !== undefined) this.#away.until = Math.min(this.#away.until, performance.now() + AWAY_FOR_MS);
  }

  unreachable(error: ProxyUnavailable): void {
    this.#away = { until: performance.now() + AWAY_FOR_MS, error };
    this.unusable(error);
  }

  /** It cannot be reached, is none, or asks for another login. Its texts hold no secret. */
  unusable({ message }: ProxyUnavailable): void {
    const now = performance.now();
    if (now < this.#logAgainAt) return;
    this.#logAgainAt = now + LOG_EVERY_MS;
    this.#isLogged = true;
    this.logger?.error('the proxy cannot be used', { code: 'proxy_unavailable', error: message });
  }

  /** It has answered as a proxy does. @param hasMadeTunnel a connection to the receiver */
  worked(hasMadeTunnel: boolean): void {
    if (hasMadeTunnel) this.#hasLetUsIn = true;
    if (!this.#isLogged) return;
    this.#isLogged = false;
    this.logger?.info('the proxy can be used again');
  }
}

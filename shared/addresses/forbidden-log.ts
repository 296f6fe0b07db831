import { Burst } from '../logging/burst.js';
import type { Logger } from '../logging/logger.js';
import type { AddressForbidden } from './address-guard.js';

/** Tells the operator which rule has forbidden an address: at most five lines a second, and then the number of the others. */
export class ForbiddenLog {
  readonly #logger: Pick<Logger, 'warn'>;
  readonly #burst: Burst;
  #others = 0;
  #count = 0;

  constructor(logger: Pick<Logger, 'warn'>) {
    this.#logger = logger;
    this.#burst = new Burst({ spanMs: 1_000, mostLines: 5, isQuietWhileBusy: false, summarize: () => this.#summarize() });
  }

  /** Since the start of the process: at submission and at connections. */
  get count(): number {
    return this.#count;
  }

  readonly add = ({ message, reason }: AddressForbidden): void => {
    this.#count += 1;
    if (this.#burst.admits()) this.#logger.warn('an address was refused', { error: message, reason });
    else this.#others += 1;
  };

  /** Writes what is counted and not yet said. */
  flush(): void {
    this.#burst.flush();
  }

  #summarize(): void {
    const count = this.#others;
    this.#others = 0;
    this.#logger.warn('more addresses were refused', { count });
  }
}

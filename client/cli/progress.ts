import type { Writable } from 'node:stream';

/** As far as it is a terminal. */
export type Screen = Writable & { readonly isTTY?: boolean; readonly columns?: number };

const BAR_CHARACTERS = 20;
const LEAST_COLUMNS = 20;

/**
 * One line on standard error that is written anew, and only where that is a terminal which can go back to the beginning of a line.
 * Nothing is written anywhere else. The cursor is never hidden, so there is nothing to put back after Ctrl-C.
 */
export class Progress {
  #isShown = false;

  constructor(
    private readonly screen: Screen,
    /** TERM */
    private readonly terminal: string | undefined,
  ) {}

  /** @param share 0 to 1; undefined: the end is not known */
  show(text: string, share?: number): void {
    if (this.screen.isTTY !== true || this.terminal === 'dumb') return;
    const columns = Math.max(LEAST_COLUMNS, this.screen.columns ?? 80);
    const bar = share === undefined ? '' : `[${'#'.repeat(Math.floor(Math.min(1, share) * BAR_CHARACTERS)).padEnd(BAR_CHARACTERS, '.')}] `;
    // The last column stays free: some terminals go to the next line behind it.
    this.screen.write(`\r\x1b[2K${(bar + text).slice(0, columns - 1)}`);
    this.#isShown = true;
  }

  clear(): void {
    if (this.#isShown) this.screen.write('\r\x1b[2K');
    this.#isShown = false;
  }
}

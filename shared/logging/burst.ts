export interface BurstOptions {
  /** Whole milliseconds. */
  readonly spanMs: number;
  /** Lines that are shown within one span. */
  readonly mostLines: number;
  /** After a span with more of them nothing is shown until a span has no more than `mostLines`. */
  readonly isQuietWhileBusy: boolean;
  /** Called at the end of a span in which something was not shown. */
  readonly summarize: () => void;
}

/** Keeps a log readable: it lets some lines of each span of time through, and asks for a summary of the others. */
export class Burst {
  #shown = 0;
  #hidden = 0;
  #isQuiet = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly options: BurstOptions) {}

  /** @returns whether this line is shown; the caller counts the others for the summary */
  admits(): boolean {
    this.#timer ??= this.#begin();
    if (!this.#isQuiet && this.#shown < this.options.mostLines) {
      this.#shown += 1;
      return true;
    }
    this.#hidden += 1;
    return false;
  }

  /** A line that its caller does not show, and counts: the summary follows all the same. */
  hides(): void {
    this.#timer ??= this.#begin();
    this.#hidden += 1;
  }

  /** Ends the span now. */
  flush(): void {
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#end();
  }

  #end(): void {
    const { mostLines, isQuietWhileBusy, summarize } = this.options;
    this.#timer = undefined;
    const hasHidden = this.#hidden > 0;
    this.#isQuiet = isQuietWhileBusy && this.#shown + this.#hidden > mostLines;
    this.#shown = 0;
    this.#hidden = 0;
    // A span without any line has to end the quiet time.
    if (this.#isQuiet) this.#timer = this.#begin();
    if (hasHidden) summarize();
  }

  #begin(): NodeJS.Timeout {
    return setTimeout(() => this.#end(), this.options.spanMs).unref();
  }
}

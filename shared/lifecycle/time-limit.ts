/** A timer that fires later than this was held up by a long turn of our own event loop, ms. */
const LATE_MS = 50;
/** After such a turn the other side gets this much time again: what we had to write may have left only now. */
const EXTENSION_MS = 100;
/** How often one limit is extended. A process that is always late must still find out that the other side is gone. */
const MOST_EXTENSIONS = 2;

/** What a limit does once its timer has fired. */
export interface LimitVerdict {
  /** Whether what the limit is for is still missing. It is asked after the sockets have been read once more. */
  readonly isStillMissing: () => boolean;
  /** Sets the timer again. @param ms whole milliseconds @param extensions how often the limit has been extended then */
  readonly extend: (ms: number, extensions: number) => void;
  readonly onOver: () => void;
}

/**
 * Judges a time limit whose timer has fired. Node runs timers before it reads sockets. So after a long turn of ours every
 * limit would be over, although the answers have been in their sockets for seconds: a stall of our own would look like an
 * outage of the other side. Therefore the sockets are read once more before the limit is judged, and a limit whose timer
 * was late is extended.
 *
 * @param dueAt      when the timer should have fired, by performance.now
 * @param extensions how often this limit was extended before
 */
export function judgeTimeLimit(dueAt: number, extensions: number, { isStillMissing, extend, onOver }: LimitVerdict): void {
  const isLate = performance.now() - dueAt > LATE_MS;
  // An immediate runs after the sockets have been read, in the same round of the event loop, and before a socket that has
  // ended then tells so (`close`). So an end is heard only by the immediate behind it.
  setImmediate(() => setImmediate(() => {
    if (!isStillMissing()) return;
    if (isLate && extensions < MOST_EXTENSIONS) extend(EXTENSION_MS, extensions + 1);
    else onOver();
  }));
}

/** One time limit that does not take a stall of our own for silence of the other side. */
export class TimeLimit {
  #timer: NodeJS.Timeout | undefined;
  #isCalledOff = false;

  /** @param ms whole milliseconds @param onOver is called once, unless the limit was called off before */
  constructor(
    ms: number,
    private readonly onOver: () => void,
  ) {
    this.#start(ms, 0);
  }

  /** It may be called at any time, and twice. */
  callOff(): void {
    this.#isCalledOff = true;
    clearTimeout(this.#timer);
  }

  #start(ms: number, extensions: number): void {
    const dueAt = performance.now() + ms;
    this.#timer = setTimeout(() => {
      judgeTimeLimit(dueAt, extensions, {
        isStillMissing: () => !this.#isCalledOff,
        extend: (extensionMs, extended) => this.#start(extensionMs, extended),
        onOver: this.onOver,
      });
    }, ms);
  }
}

/**
 * The promise's own outcome, or `createError()` if it has none within the limit. The work itself is not stopped: the
 * caller that started it ends it.
 *
 * @param limitMs whole milliseconds
 * @param moreMs  asked when the limit is reached: whole milliseconds to wait on; 0 or less: the limit holds
 */
export async function withinLimit<T>(work: Promise<T>, limitMs: number, createError: () => Error, moreMs: () => number = () => 0): Promise<T> {
  let limit: TimeLimit | undefined;
  const over = new Promise<never>((_, reject) => {
    const wait = (ms: number): void => {
      limit = new TimeLimit(ms, () => {
        const more = moreMs();
        if (more > 0) wait(more);
        else reject(createError());
      });
    };
    wait(limitMs);
  });
  try {
    return await Promise.race([work, over]);
  } finally {
    limit?.callOff();
  }
}

/** A signal that aborts with another one, or when a time is over. */
export interface LinkedSignal {
  readonly signal: AbortSignal;
  /** It aborted because the time was over. */
  readonly isOver: boolean;
  /** Ends the timer, and lets go of the other signal. */
  release(): void;
}

/**
 * AbortSignal.any keeps its sources' listeners as long as they live, and one signal of an application may live through millions of
 * calls. So this one lets go of it by hand.
 * @param limitMs undefined: no limit
 */
export function linkedSignal(outer: AbortSignal | undefined, limitMs: number | undefined): LinkedSignal {
  const controller = new AbortController();
  let isOver = false;
  const follow = (): void => controller.abort(outer?.reason);
  const timer =
    limitMs === undefined
      ? undefined
      : setTimeout(() => {
          isOver = true;
          controller.abort(new DOMException('the time limit was reached', 'TimeoutError'));
        }, Math.max(0, limitMs));
  if (outer?.aborted === true) follow();
  else outer?.addEventListener('abort', follow, { once: true });
  return {
    signal: controller.signal,
    get isOver() {
      return isOver;
    },
    release: () => {
      clearTimeout(timer);
      outer?.removeEventListener('abort', follow);
    },
  };
}

/** Waits. @throws the reason of the signal when it aborts before the time is over */
export async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(reasonOf(signal));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal?.addEventListener('abort', stop, { once: true });
  });
}

function reasonOf(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new DOMException('the call was aborted', 'AbortError');
}

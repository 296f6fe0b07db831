export interface Patience {
  /** How long the assertion may go on failing, in whole milliseconds. Default 15,000: more than a crowded machine takes. */
  readonly withinMs?: number;
  /** Pause between two tries, in whole milliseconds. Default 10. */
  readonly everyMs?: number;
}

/**
 * Repeats an assertion until it passes.
 *
 * @returns what the assertion returned when it passed
 * @throws the last failure, unchanged in class, with the time taken at the end of its message; after `withinMs`
 *         also when a single try never settles
 */
export async function eventually<T>(
  assertion: () => T | Promise<T>,
  { withinMs = 15_000, everyMs = 10 }: Patience = {},
): Promise<T> {
  const startedAt = performance.now();
  const elapsedMs = (): number => Math.round(performance.now() - startedAt);
  let lastFailure: unknown = new Error('the first try of the assertion never settled');
  let tries = 0;

  while (tries === 0 || elapsedMs() < withinMs) {
    tries += 1;
    const verdict = await settleWithin(assertion, Math.max(withinMs - elapsedMs(), 1));
    if (verdict.kind === 'passed') return verdict.value;
    if (verdict.kind === 'unsettled') break;
    lastFailure = verdict.failure;
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
  throw withTimeTaken(lastFailure, `still failing after ${elapsedMs()} ms and ${tries} tries`);
}

type Verdict<T> = { kind: 'passed'; value: T } | { kind: 'failed'; failure: unknown } | { kind: 'unsettled' };

async function settleWithin<T>(assertion: () => T | Promise<T>, limitMs: number): Promise<Verdict<T>> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<Verdict<T>>((resolve) => {
    timer = setTimeout(() => { resolve({ kind: 'unsettled' }); }, limitMs);
  });
  const attempt = (async (): Promise<Verdict<T>> => {
    try {
      return { kind: 'passed', value: await assertion() };
    } catch (failure) {
      return { kind: 'failed', failure };
    }
  })();
  try {
    return await Promise.race([attempt, limit]);
  } finally {
    clearTimeout(timer);
  }
}

/** The same error object, so that Mocha still prints Chai's diff of actual and expected. */
function withTimeTaken(failure: unknown, note: string): Error {
  if (!(failure instanceof Error)) return new Error(`${String(failure)} (${note})`);
  failure.message = `${failure.message} (${note})`;
  return failure;
}

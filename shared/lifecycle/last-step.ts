import type { ShutdownStep } from './shutdown.js';

/** What is left for the last step when the others have used up their time, ms. */
const LEAST_MS = 100;
/** More would only make a stop slow that could be fast. */
const MOST_MS = 3_000;

/**
 * Adds a step whose failure is no failure of the stop. It gets the time that the steps before it have left.
 * @param totalMs the time of all steps together
 * @param run     must end by itself within the time it is given, and never fail
 */
export function withLastStep(steps: readonly ShutdownStep[], name: string, totalMs: number, run: (limitMs: number) => Promise<void>): readonly ShutdownStep[] {
  let beganAt: number | undefined;
  const timed = steps.map((step) => ({
    ...step,
    run: () => {
      beganAt ??= performance.now();
      return step.run();
    },
  }));
  const left = (): number => totalMs - (performance.now() - (beganAt ?? performance.now())) - LEAST_MS;
  return [...timed, { name, limitMs: MOST_MS + LEAST_MS, run: () => run(Math.min(MOST_MS, Math.max(LEAST_MS, left()))) }];
}

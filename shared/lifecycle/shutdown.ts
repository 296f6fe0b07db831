import { printError } from '../logging/print-error.js';
import type { Logger } from '../logging/logger.js';
import { withinLimit } from './time-limit.js';

/** One part to end. Steps run in order, each within its limit; a step that fails or takes too long is counted. */
export interface ShutdownStep {
  readonly name: string;
  readonly limitMs: number;
  run(): Promise<void>;
}

/** How a run of steps is watched. */
export interface ShutdownWatch {
  /** Called when a step failed, before the next one begins. */
  readonly onFailure?: () => void;
  /** Asked before each step: whether the rest of the steps is not wanted any more. */
  readonly isAbandoned?: () => boolean;
}

/**
 * Runs all steps one after the other, even if some of them fail.
 * @returns names of the steps that failed or ran out of time; empty = clean
 */
export async function runShutdown(steps: readonly ShutdownStep[], logger: Logger, { onFailure, isAbandoned }: ShutdownWatch = {}): Promise<string[]> {
  const failed: string[] = [];
  for (const step of steps) {
    if (isAbandoned?.() === true) break;
    try {
      await withinLimit(step.run(), step.limitMs, () => new Error(`not done within ${step.limitMs} ms`));
    } catch (error) {
      failed.push(step.name);
      logger.error('shutdown step failed', { step: step.name, error: printError(error) });
      onFailure?.();
    }
  }
  return failed;
}

/** A fault may come again and again until the process has ended. */
const MOST_FAULTS_LOGGED = 10;

export interface ExitOptions {
  /** What the process waits for when it is told to stop, such as `12 sends in flight, up to 10 s`; the default says nothing. */
  readonly whatIsInFlight?: () => string;
  /** The tasks that the process still holds; logged when it ends without having given them back. */
  readonly whatIsLeft?: () => object;
  /**
   * Called once, before anything else is done, when the process is going to end by a fault. From then on it must give
   * nothing back: a task that has caused the fault would be given back free, and would end the next process, too.
   */
  readonly onFault?: () => void;
  /** Run after a fault instead of the other steps; those that are under way are abandoned. Default: the same steps. */
  readonly faultSteps?: readonly ShutdownStep[];
}

/**
 * Ends the process on SIGTERM or SIGINT: exit code 0 when every step succeeded, 1 otherwise. A second signal ends it at
 * once with 1.
 *
 * Three things are a fault: an error that was not caught, a rejection that was not handled, a step that failed. A fault
 * makes the exit code 1, whatever comes before or after it. The process never goes on after one.
 *
 * @returns `isStopping`: whether a start that is still under way has to stop. `end`: ends the process in order, with 1
 */
export function exitOnSignal(steps: readonly ShutdownStep[], logger: Logger, { whatIsInFlight = () => '', whatIsLeft = () => ({}), onFault, faultSteps }: ExitOptions = {}): { readonly isStopping: boolean; end(why: string): void } {
  let hasFault = false;
  let faults = 0;
  /** The exit code of an orderly end. */
  let code = 0;
  /** The steps that will end the process; undefined while it is not told to end. */
  let current: readonly ShutdownStep[] | undefined;

  const stopping = (): string => {
    const inFlight = whatIsInFlight();
    return inFlight === '' ? 'stopping' : `stopping, ${inFlight}`;
  };
  const noteFault = (): void => {
    if (hasFault) return;
    hasFault = true;
    onFault?.();
  };
  const end = async (by: readonly ShutdownStep[]): Promise<void> => {
    current = by;
    const isAbandoned = (): boolean => current !== by;
    const failed = await runShutdown(by, logger, { onFailure: noteFault, isAbandoned });
    if (isAbandoned()) return;
    if (hasFault) logger.error('stopped with failures', { failed_steps: failed.length === 0 ? undefined : failed.join(', '), ...whatIsLeft() });
    else logger.info('stopped');
    logger.flush();
    process.exit(hasFault ? 1 : code);
  };
  const onSignal = (signal: NodeJS.Signals): void => {
    if (current !== undefined) {
      logger.error('told to stop again: exiting at once', { why: signal, ...whatIsLeft() });
      logger.flush();
      process.exit(1);
    }
    // Only a terminal sends SIGINT: a person is there, and may not want to wait.
    logger.info(`${stopping()}${signal === 'SIGINT' ? '; press Ctrl-C again to end at once' : ''}`, { why: signal });
    void end(steps);
  };
  const onUncaught = (error: unknown): void => {
    noteFault();
    faults += 1;
    if (faults <= MOST_FAULTS_LOGGED) logger.error('uncaught error: stopping', describe(error));
    if (current === undefined) void end(faultSteps ?? steps);
    // Without steps of its own a fault does not cut short what is being stopped already. The limits of the steps end it.
    else if (faultSteps !== undefined && current !== faultSteps) void end(faultSteps);
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  process.on('uncaughtException', onUncaught);
  process.on('unhandledRejection', onUncaught);
  return {
    get isStopping() {
      return current !== undefined;
    },
    end: (why) => {
      if (current !== undefined) return;
      code = 1;
      logger.info(stopping(), { why });
      void end(steps);
    },
  };
}

/** Anything can be thrown, also an object that throws when it is looked at. Then Node would end the process at once. */
function describe(error: unknown): { readonly error: string; readonly stack?: string | undefined } {
  const printed = printError(error);
  try {
    return { error: printed, stack: error instanceof Error ? error.stack : undefined };
  } catch {
    return { error: printed };
  }
}

import { printError } from '../logging/print-error.js';
import type { Logger } from '../logging/logger.js';

/** One part to end. Steps run in order, each within its limit; a step that fails or takes too long is counted. */
export interface ShutdownStep {
  readonly name: string;
  readonly limitMs: number;
  run(): Promise<void>;
}

/**
 * Runs all steps one after the other, even if some of them fail.
 * @returns names of the steps that failed or ran out of time; empty = clean
 */
export async function runShutdown(steps: readonly ShutdownStep[], logger: Logger): Promise<string[]> {
  const failed: string[] = [];
  for (const step of steps) {
    try {
      await withLimit(step.run(), step.limitMs);
    } catch (error) {
      failed.push(step.name);
      logger.error('shutdown step failed', { step: step.name, error: printError(error) });
    }
  }
  return failed;
}

/**
 * Ends the process on SIGTERM or SIGINT: exit code 0 when every step succeeded, 1 otherwise. A second signal ends it at
 * once with 1. An uncaught error is logged and ends the process in the same way, with 1: the process never goes on after
 * it.
 *
 * @param whatIsLeft the tasks that the process still holds; logged when it ends without having given them back
 * @returns `isStopping`: whether a start that is still under way has to stop. `end`: ends the process in order, with 1
 */
export function exitOnSignal(steps: readonly ShutdownStep[], logger: Logger, whatIsLeft: () => object = () => ({})): { readonly isStopping: boolean; end(why: string): void } {
  let stopping = false;
  const stop = async (why: string, code: number): Promise<void> => {
    if (stopping) {
      logger.error('told to stop again: exiting at once', { why, ...whatIsLeft() });
      logger.flush();
      process.exit(1);
    }
    stopping = true;
    logger.info('stopping', { why });
    const failed = await runShutdown(steps, logger);
    if (failed.length === 0) logger.info('stopped');
    else logger.error('stopped with failures', { failed_steps: failed.join(', '), ...whatIsLeft() });
    logger.flush();
    process.exit(failed.length === 0 ? code : 1);
  };
  process.on('SIGTERM', () => void stop('SIGTERM', 0));
  process.on('SIGINT', () => void stop('SIGINT', 0));
  const onFatal = (error: unknown): void => {
    logger.error('uncaught error: stopping', { error: printError(error), stack: error instanceof Error ? error.stack : undefined });
    // A bug while stopping must not cut the stopping short. The limits of the steps end it.
    if (!stopping) void stop('uncaught error', 1);
  };
  process.on('uncaughtException', onFatal);
  process.on('unhandledRejection', onFatal);
  return {
    get isStopping() {
      return stopping;
    },
    end: (why) => {
      if (!stopping) void stop(why, 1);
    },
  };
}

async function withLimit(work: Promise<void>, limitMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done within ${limitMs} ms`)), limitMs);
  });
  try {
    await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}

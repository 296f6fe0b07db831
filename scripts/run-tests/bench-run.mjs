import path from 'node:path';
import { parseArgs } from 'node:util';

import { runToEnd } from '../processes/child-run.mjs';
import { cloneDir } from '../install/clone-paths.mjs';
import { watchForInterruption } from '../processes/interruption.mjs';
import { readyClone } from '../install/ready-clone.mjs';
import { reportFailure } from '../processes/setup-error.mjs';
import { BENCH_REDIS_SETTINGS, startTestServers } from './test-servers.mjs';

/**
 * @param {readonly string[]} args for test/bench/run.ts
 * @returns {Promise<number>} exit code
 */
export async function runBenchmarks(args) {
  const { signal } = watchForInterruption();
  try {
    await readyClone({ signal });
    const servers = await startTestServers({ needed: serversFor(args), redisSettings: BENCH_REDIS_SETTINGS, signal });
    try {
      const { code } = await runToEnd(['--import=tsx', path.join('test', 'bench', 'run.ts'), ...args], {
        cwd: cloneDir,
        env: { ...process.env, ...servers.env },
        onSpawn: (ref) => servers.endWithUs({ stopGroup: ref }),
        signal,
      });
      signal.throwIfAborted();
      return code;
    } finally {
      await servers.stop();
    }
  } catch (error) {
    return reportFailure(error);
  }
}

/**
 * A broker takes seconds to start and some of a core's attention: only where one is measured.
 * @param {readonly string[]} args
 */
function serversFor(args) {
  // What the options mean, and whether there are such, is for test/bench/run.ts to say.
  // Every option with a value is listed, because a value of any other one would be taken for a name.
  const withValue = Object.fromEntries(['only', 'rounds', 'scenario', 'tasks', 'rate', 'size', 'latency', 'waiting', 'profile', 'results'].map((option) => [option, /** @type {const} */ ({ type: 'string' })]));
  const { values, positionals } = parseArgs({ args: [...args], strict: false, allowPositionals: true, options: withValue });
  if (values.report || values.list || values.help) return new Set();
  const names = [...positionals, ...[values.only, values.profile].flatMap((text) => (typeof text === 'string' ? text.split(',') : []))];
  return new Set(names.length === 0 || names.includes('kafka') ? ['redis', 'kafka'] : ['redis']);
}

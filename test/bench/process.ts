import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** Child processes of a benchmark. Baselines are TypeScript and run through tsx; the product runs as built. */

const root = new URL('../../', import.meta.url);

/** Forks a file of test/bench; it reports over IPC. */
export function forkBench(file: string, args: readonly (string | number)[]): ChildProcess {
  return fork(fileURLToPath(new URL(`test/bench/${file}`, root)), args.map(String), { execArgv: ['--import=tsx'], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
}

/** Starts a built process of the product; its log goes to the given descriptor ('ignore' or a file). */
export function spawnProduct(role: 'server' | 'workers', env: Readonly<Record<string, string>>, stdout: 'ignore' | 'pipe' | number): ChildProcess {
  return spawn(process.execPath, [fileURLToPath(new URL(`dist/${role}/main.js`, root))], { env: { ...process.env, ...env }, stdio: ['ignore', stdout, 'inherit'] });
}

/** Next IPC message that has the key. */
export function message<T>(child: ChildProcess, key: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const onMessage = (value: unknown): void => {
      if (typeof value !== 'object' || value === null || !(key in value)) return;
      child.off('message', onMessage);
      child.off('exit', onExit);
      // The children of this folder are the only senders.
      resolve((value as Record<string, T>)[key] as T);
    };
    const onExit = (code: number | null): void => reject(new Error(`a bench process ended with ${code}`));
    child.on('message', onMessage);
    child.once('exit', onExit);
  });
}

/** SIGTERM and wait. */
export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  if (child.connected) child.disconnect();
  child.kill('SIGTERM');
  await exited;
}

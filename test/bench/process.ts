import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodeFlags } from '../../scripts/launch/node-flags.mjs';
import { variables } from '../../shared/config/schema.js';

/** Child processes of a benchmark. Baselines are TypeScript and run through tsx; the product runs as built. */

const root = new URL('../../', import.meta.url);


/** Longest silence of a child: above it something hangs, and the next benchmark should have its turn. */
const SILENCE_LIMIT_MS = 120_000;
/** More than the product's SHUTDOWN_TIMEOUT. */
const END_LIMIT_MS = 15_000;

const running = new Set<ChildProcess>();

/** Forks a file of test/bench; it reports over IPC. */
export function forkBench(file: string, args: readonly (string | number)[], nodeArgs: readonly string[] = []): ChildProcess {
  return keep(fork(fileURLToPath(new URL(`test/bench/${file}`, root)), args.map(String), { execArgv: ['--import=tsx', ...nodeArgs], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }));
}

export interface ProductSpawn {
  /** Options for Node, before the file. */
  readonly nodeArgs?: readonly string[];
  /** With a channel, for what `nodeArgs` loads into the process. */
  readonly hasIpc?: boolean;
  /** Of a built version; default: this one. It starts with the flags of this one. */
  readonly folder?: string;
}

/** Starts a built process of the product; its log goes to the given descriptor ('ignore' or a file). */
export function spawnProduct(
  role: 'server' | 'workers',
  env: Readonly<Record<string, string>>,
  stdout: 'ignore' | 'pipe' | number,
  { nodeArgs = [], hasIpc = false, folder = fileURLToPath(root) }: ProductSpawn = {},
): ChildProcess {
  const main = join(folder, 'dist', role, 'main.js');
  const flags = role === 'workers' ? nodeFlags.worker : nodeFlags.server;
  return keep(spawn(process.execPath, [...flags, ...nodeArgs, main], { env: { ...outerEnv(), ...env }, stdio: ['ignore', stdout, 'inherit', ...(hasIpc ? ['ipc' as const] : [])] }));
}

/** What is measured is the default of every setting that the benchmark does not name, whatever the shell has set. */
function outerEnv(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !(name in variables)));
}

function keep(child: ChildProcess): ChildProcess {
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

/** Next IPC message that has the key. */
export function message<T>(child: ChildProcess, key: string, withinMs = SILENCE_LIMIT_MS): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(limit);
      child.off('message', onMessage);
      child.off('exit', onExit);
    };
    const onMessage = (value: unknown): void => {
      if (typeof value !== 'object' || value === null || !(key in value)) return;
      stop();
      // The children of this folder are the only senders.
      resolve((value as Record<string, T>)[key] as T);
    };
    const onExit = (code: number | null): void => {
      stop();
      reject(new Error(`a bench process ended with ${code}`));
    };
    const limit = setTimeout(() => {
      stop();
      reject(new Error(`no "${key}" from a bench process within ${withinMs / 1_000} s`));
    }, withinMs);
    child.on('message', onMessage);
    child.once('exit', onExit);
    if (hasEnded(child)) onExit(child.exitCode);
  });
}

/** What the work resolves to, or an error as soon as one of those fails that it depends on. */
export async function whileRunning<T>(children: readonly ChildProcess[], work: Promise<T>): Promise<T> {
  const failing = new AbortController();
  const fail = (code: number | null, signal: NodeJS.Signals | null): void => {
    if (code !== 0) failing.abort(new Error(`a process that is measured ended with ${code ?? signal}`));
  };
  const failed = new Promise<never>((_, reject) => {
    failing.signal.addEventListener('abort', () => reject(failing.signal.reason as Error));
  });
  for (const child of children) child.once('exit', fail);
  try {
    return await Promise.race([work, failed]);
  } finally {
    for (const child of children) child.off('exit', fail);
    // When another child has failed first, nothing waits for this one any more.
    work.catch(() => undefined);
  }
}

/** SIGTERM and wait; SIGKILL for one that does not end in time. */
export async function end(child: ChildProcess, withinMs = END_LIMIT_MS): Promise<void> {
  if (hasEnded(child)) return;
  const exited = once(child, 'exit');
  if (child.connected) child.disconnect();
  child.kill('SIGTERM');
  const limit = setTimeout(() => child.kill('SIGKILL'), withinMs);
  await exited;
  clearTimeout(limit);
}

/** Whatever a benchmark that failed has left running. */
export async function endAll(): Promise<void> {
  await Promise.all([...running].map((child) => end(child)));
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

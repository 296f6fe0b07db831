import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { eventually } from '../support/eventually.js';
import { freePort } from '../../scripts/servers/free-port.mjs';

const CLONE_ROOT = path.resolve(import.meta.dirname, '..', '..');
/** What `npm start` needs of a clone that is installed and built. */
const COPIED = ['package.json', 'package-lock.json', 'tsconfig.json', 'scripts', 'server', 'workers', 'shared', 'client', 'dist', 'docs'];

/** How long a start or an orderly end may take on a slow machine with everything installed. */
const START_WITHIN_MS = 40_000;
const END_WITHIN_MS = 30_000;

interface RunningProcess {
  readonly name: string;
  readonly pid: number;
}

/** One `npm start`. */
export interface LauncherRun {
  readonly pid: number;
  /** Everything it and its processes have printed so far. */
  output(): string;
  /** Until it has printed that the service is running. */
  ready(): Promise<void>;
  signal(name: NodeJS.Signals): void;
  /** Until it has ended: its exit code, null when it was killed. */
  ended(): Promise<number | null>;
}

/** A clone of its own in a temporary folder: own data, own port, the dependencies of this one. */
export interface LauncherClone {
  readonly dir: string;
  readonly httpPort: number;
  readonly baseUrl: string;
  start(env?: NodeJS.ProcessEnv): LauncherRun;
  /** What the lock names now, the Redis as 'redis'; empty without a lock. */
  processes(): readonly RunningProcess[];
  /** Pid of one of them. @throws when it is not there */
  pidOf(name: string): number;
  readonly lockFile: string;
  /** Stops what still runs and removes the folder. @throws when an orderly stop left something running */
  close(): Promise<void>;
}

export async function createLauncherClone(): Promise<LauncherClone> {
  const dir = mkdtempSync(path.join(tmpdir(), 'kafka-retry-launcher-'));
  for (const name of COPIED) {
    if (existsSync(path.join(CLONE_ROOT, name))) cpSync(path.join(CLONE_ROOT, name), path.join(dir, name), { recursive: true });
  }
  symlinkSync(path.join(CLONE_ROOT, 'node_modules'), path.join(dir, 'node_modules'));
  mkdirSync(path.join(dir, '.cache'));
  const httpPort = await freePort();
  const lockFile = path.join(dir, '.data', 'redis.lock');
  const runs: LauncherRun[] = [];
  const everSeen = new Map<number, string>();

  const processes = (): RunningProcess[] => {
    if (!existsSync(lockFile)) return [];
    // What the launcher wrote, in the form of scripts/launch/launcher-lock.mjs.
    const record = JSON.parse(readFileSync(lockFile, 'utf8')) as {
      readonly redis?: { readonly pid: number };
      readonly processes?: readonly RunningProcess[];
    };
    const found = [...(record.processes ?? []), ...(record.redis === undefined ? [] : [{ name: 'redis', pid: record.redis.pid }])];
    for (const { name, pid } of found) everSeen.set(pid, name);
    return found;
  };

  return {
    dir,
    httpPort,
    baseUrl: `http://127.0.0.1:${httpPort}`,
    lockFile,
    processes,
    pidOf: (name) => {
      const found = processes().find((process) => process.name === name);
      if (found === undefined) throw new Error(`the lock names no ${name}`);
      return found.pid;
    },
    start: (env = {}) => {
      const run = startLauncher(dir, { HTTP_PORT: String(httpPort), ...env });
      runs.push(run);
      return run;
    },
    close: async () => {
      processes();
      for (const run of runs) if (isRunning(run.pid)) run.signal('SIGTERM');
      await Promise.all(runs.map((run) => run.ended()));
      // Processes whose launcher a test has killed drain by themselves; the Redis it left is the test's to end.
      const redisLeft = processes().find(({ name }) => name === 'redis');
      if (redisLeft !== undefined && isRunning(redisLeft.pid)) process.kill(redisLeft.pid, 'SIGTERM');
      try {
        await eventually(() => {
          const left = [...everSeen].filter(([pid]) => isRunning(pid));
          if (left.length > 0) throw new Error(`left running: ${left.map(([pid, name]) => `${name} (pid ${pid})`).join(', ')}`);
        }, { withinMs: END_WITHIN_MS, everyMs: 100 });
      } finally {
        for (const pid of everSeen.keys()) if (isRunning(pid)) process.kill(pid, 'SIGKILL');
        rmSync(dir, { recursive: true, force: true });
      }
    },
  };
}

function startLauncher(dir: string, env: NodeJS.ProcessEnv): LauncherRun {
  const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(REDIS_|HTTP_|WORKERS$|NODE_OPTIONS$)/.test(name)));
  const child: ChildProcess = spawn(process.execPath, [path.join(dir, 'scripts', 'start.mjs')], {
    cwd: dir,
    env: { ...inherited, SHUTDOWN_TIMEOUT: '5s', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8');
    stream?.on('data', (text: string) => {
      output += text;
    });
  }
  const closed = once(child, 'close');
  const exit = once(child, 'exit').then(async ([first]) => {
    const code = first as number | null; // the event's first argument
    // All that it and its processes have written is read only then. Behind a kill they live on, and keep the pipe open.
    if (code !== null) await closed;
    return code;
  });
  const { pid } = child;
  if (pid === undefined) throw new Error('the launcher could not be started');
  return {
    pid,
    output: () => output,
    ready: () => eventually(() => {
      if (child.exitCode !== null) throw new Error(`the launcher has ended (exit code ${child.exitCode}):\n${output}`);
      if (!output.includes('The service is running.')) throw new Error(`not running yet:\n${output}`);
    }, { withinMs: START_WITHIN_MS, everyMs: 50 }),
    signal: (name) => { child.kill(name); },
    ended: () => Promise.race([exit, rejectAfter(END_WITHIN_MS)]),
  };

  function rejectAfter(limitMs: number): Promise<never> {
    return new Promise((_, reject) => {
      const timer = setTimeout(() => {
        child.kill('SIGKILL');
        reject(new Error(`the launcher (pid ${pid}) did not end within ${limitMs} ms:\n${output}`));
      }, limitMs);
      void exit.then(() => { clearTimeout(timer); });
    });
  }
}

/** A zombie has ended; in some containers no process collects it. */
export function isRunning(pid: number): boolean {
  try {
    const state = execFileSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' }).trim();
    return state !== '' && !state.startsWith('Z');
  } catch {
    // ps fails for a pid that does not exist.
    return false;
  }
}

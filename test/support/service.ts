import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';

import { isOfOtherVersion } from './contract.js';
import { eventually } from './eventually.js';
import { killWithUs } from './kill-with-us.js';
import { uniquePrefix } from './namespace.js';
import { printAddress, testRedisAddress, type RedisAddress } from './redis.js';

const root = path.resolve(import.meta.dirname, '../..');

/** How a process ended: its exit code, or the signal that ended it. */
export type Ending = number | NodeJS.Signals;

/** Settings of a process as it reads them: names of environment variables. */
export type Settings = Readonly<Record<string, string>>;

/** One process of the built service. */
export class ServiceProcess {
  readonly #child: ChildProcess;
  readonly #ended: Promise<Ending>;
  #output = '';
  #hasEnded = false;

  /**
   * @param entry  below dist/, such as `server/main.js`
   * @param folder that has the dist/: another one than ours is another version's
   */
  constructor(entry: string, settings: Settings, folder = root) {
    const file = path.join(folder, 'dist', entry);
    if (!existsSync(file)) throw new Error(`${entry} is not built: run \`npm run build\` (\`npm test\` does)`);
    // Nothing of the surroundings but what a program needs to run: another Redis must not slip in.
    const { PATH = '', HOME = '' } = process.env;
    // Receivers of tests listen on loopback, which production does not send to, and most tests need no key.
    this.#child = spawn(process.execPath, [file], { env: { PATH, HOME, DESTINATION_POLICY: 'any', AUTH: 'off', ...settings }, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child.stdout?.on('data', (chunk: Buffer) => { this.#output += chunk.toString(); });
    this.#child.stderr?.on('data', (chunk: Buffer) => { this.#output += chunk.toString(); });
    killWithUs(this.#child);
    this.#ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      // `close`, not `exit`: only then is all output read.
      this.#child.once('close', (code, signal) => {
        this.#hasEnded = true;
        resolve(signal ?? code ?? -1);
      });
    });
  }

  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) throw new Error('the process did not start');
    return pid;
  }

  /** Everything it has written so far. */
  get output(): string {
    return this.#output;
  }

  get lines(): string[] {
    return this.#output.split('\n').filter((line) => line !== '');
  }

  get isRunning(): boolean {
    return !this.#hasEnded;
  }

  /** Resolves when it has ended by itself, or by what a test did to it. */
  ended(): Promise<Ending> {
    return this.#ended;
  }

  /** Waits until it has written this. @returns the match. @throws at once when it ended before */
  async hasWritten(pattern: RegExp, withinMs = 30_000): Promise<RegExpExecArray> {
    return eventually(
      () => {
        const match = pattern.exec(this.#output);
        if (match !== null) return match;
        throw new Error(`it has not written ${String(pattern)}${this.#hasEnded ? ' and has ended' : ''}; its output:\n${this.#output}`);
      },
      { withinMs: this.#hasEnded ? 1 : withinMs },
    );
  }

  /** SIGTERM, as a container's end does it. @returns how it ended */
  async stop(): Promise<Ending> {
    this.#child.kill('SIGTERM');
    return this.#ended;
  }

  /** SIGKILL, as the kernel does it when memory is short. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }
}

export interface ServiceOptions {
  /** Default 1. */
  readonly workers?: number;
  /** For the API and the workers. */
  readonly settings?: Settings;
  /** Default: the one all tests share. */
  readonly redis?: RedisAddress;
  /** Default: one that no other test has. */
  readonly prefix?: string;
}

/** The built API and its workers, as processes, in a namespace of their own. */
export class Service {
  readonly #processes: ServiceProcess[] = [];
  #baseUrl = '';

  private constructor(private readonly settings: Settings) {}

  /** @returns one whose API answers and whose workers take tasks */
  static async start({ workers = 1, settings = {}, redis = testRedisAddress(), prefix = uniquePrefix() }: ServiceOptions = {}): Promise<Service> {
    const service = new Service({
      REDIS_ADDR: printAddress(redis),
      QUEUE_PREFIX: prefix,
      HTTP_HOST: '127.0.0.1',
      HTTP_PORT: '0',
      LOG_LEVEL: 'info',
      ...settings,
    });
    try {
      await Promise.all([service.startServer(), ...Array.from({ length: workers }, () => service.startWorker())]);
    } catch (error) {
      await Promise.all(service.#processes.map((each) => each.kill()));
      throw error;
    }
    return service;
  }

  /** The API's address, without a slash at the end. */
  get baseUrl(): string {
    return this.#baseUrl;
  }

  get prefix(): string {
    return this.settings['QUEUE_PREFIX'] ?? '';
  }

  /**
   * An API that is ready for requests: right after it listens it may not have heard of Redis yet, and would answer 503.
   * @param folder see ServiceProcess
   */
  async startServer(settings: Settings = {}, folder?: string): Promise<ServiceProcess> {
    const server = this.#spawn('server/main.js', settings, folder);
    const [, url = ''] = await server.hasWritten(/the API is up.*?(http:\/\/127\.0\.0\.1:\d+)/);
    if (folder !== undefined) isOfOtherVersion(url);
    await isReady(url);
    this.#baseUrl = url;
    return server;
  }

  /** @param folder see ServiceProcess */
  async startWorker(settings: Settings = {}, folder?: string): Promise<ServiceProcess> {
    const worker = this.#spawn('workers/main.js', settings, folder);
    await worker.hasWritten(/worker is up/);
    return worker;
  }

  /** The process of the API that was started first. */
  get server(): ServiceProcess {
    const [server] = this.#processes;
    if (server === undefined) throw new Error('no process was started');
    return server;
  }

  /** The output of all its processes, in the order in which they were started. */
  get output(): string {
    return this.#processes.map((each) => each.output).join('');
  }

  /**
   * Ends what still runs with SIGTERM, workers and API together.
   * @throws when one of them does not end in time, or not with exit code 0: whatever a test did, this has to work. Safe twice
   */
  async close(): Promise<void> {
    await Promise.all(this.#processes.filter((each) => each.isRunning).map(endCleanly));
  }

  #spawn(entry: string, settings: Settings, folder?: string): ServiceProcess {
    const started = new ServiceProcess(entry, { ...this.settings, ...settings }, folder);
    this.#processes.push(started);
    return started;
  }
}

async function isReady(baseUrl: string): Promise<void> {
  await eventually(async () => {
    const { status } = await fetch(`${baseUrl}/readyz`);
    if (status !== 200) throw new Error(`/readyz says ${status}`);
  }, { withinMs: 20_000 });
}

/** SHUTDOWN_TIMEOUT is 10 s unless a test says otherwise. */
const END_WITHIN_MS = 15_000;

async function endCleanly(running: ServiceProcess): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<'limit'>((resolve) => {
    timer = setTimeout(() => resolve('limit'), END_WITHIN_MS);
  });
  const ending = await Promise.race([running.stop(), limit]);
  clearTimeout(timer);
  if (ending === 'limit') await running.kill();
  if (ending !== 0) throw new Error(`process ${running.pid} ended with ${ending === 'limit' ? 'a kill: it ignored SIGTERM' : ending}; its output:\n${running.output}`);
}

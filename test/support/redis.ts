import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { eventually } from './eventually.js';
import { freePort } from '../../scripts/servers/free-port.mjs';
import { freezeProcess } from './freeze-process.js';
import { killWithUs } from './kill-with-us.js';

export interface RedisAddress {
  readonly host: string;
  readonly port: number;
}

/** The real Redis that all tests share, each under a prefix of its own; from TEST_REDIS_ADDR. */
export function testRedisAddress(): RedisAddress {
  const match = /^(.+):(\d+)$/.exec(process.env['TEST_REDIS_ADDR'] ?? '');
  if (match?.[1] === undefined) {
    throw new Error(
      'These tests need a real Redis, and TEST_REDIS_ADDR does not name one. ' +
        'Run `npm test`, which starts one, or set TEST_REDIS_ADDR=host:port.',
    );
  }
  return { host: match[1], port: Number(match[2]) };
}

export function printAddress({ host, port }: RedisAddress): string {
  return `${host}:${port}`;
}

/** A redis-server of the test's own, that may be killed, frozen and started again. It keeps its port and its data. */
export class PrivateRedis {
  readonly address: RedisAddress;
  #process: ChildProcess | undefined;

  private constructor(
    port: number,
    private readonly folder: string,
    private readonly settings: readonly string[],
  ) {
    this.address = { host: '127.0.0.1', port };
  }

  /**
   * @param settings beside `--port`, `--bind`, `--dir`; by default what `npm start` uses for its own server
   * @returns one that answers
   */
  static async start(settings: readonly string[] = ['--appendonly', 'yes', '--appendfsync', 'everysec', '--maxmemory-policy', 'noeviction']): Promise<PrivateRedis> {
    const redis = await PrivateRedis.stopped(settings);
    await redis.restart();
    return redis;
  }

  /** One that does not run yet: `restart` starts it. */
  static async stopped(settings: readonly string[] = []): Promise<PrivateRedis> {
    return new PrivateRedis(await freePort(), await mkdtemp(path.join(tmpdir(), 'redis-test-')), settings);
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Starts it again after kill() or shutDown(), and returns when it answers. */
  async restart(): Promise<void> {
    const { port, host } = this.address;
    const binary = process.env['TEST_REDIS_BIN'] ?? 'redis-server';
    const server = spawn(binary, ['--port', String(port), '--bind', host, '--dir', this.folder, '--hz', '100', '--save', '', ...this.settings], { stdio: 'ignore' });
    killWithUs(server);
    const failed = new Promise<never>((_, reject) => {
      server.once('error', (cause) => reject(new Error(`cannot start ${binary}: install redis-server, or set TEST_REDIS_BIN`, { cause })));
      server.once('exit', (code, signal) => reject(new Error(`redis-server ended with ${String(code ?? signal)}`)));
    });
    // It is ended on purpose later on: that must not be an unhandled rejection.
    failed.catch(() => undefined);
    this.#process = server;
    await Promise.race([failed, eventually(() => ping(this.address), { withinMs: 10_000 })]);
  }

  /** SIGKILL, and waits for the end. */
  kill(): Promise<void> {
    return this.#end('SIGKILL');
  }

  /** SIGTERM, as a service manager does it, and waits for the end. */
  shutDown(): Promise<void> {
    return this.#end('SIGTERM');
  }

  /** SIGSTOP: it keeps its connections and answers none. */
  freeze(): Promise<void> {
    return freezeProcess(this.#process?.pid);
  }

  thaw(): void {
    this.#process?.kill('SIGCONT');
  }

  /** Ends it and removes its data. Safe twice. */
  async close(): Promise<void> {
    await this.kill();
    await rm(this.folder, { recursive: true, force: true });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const running = this.#process;
    this.#process = undefined;
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    const ended = once(running, 'exit');
    running.kill(signal);
    await ended;
  }
}

async function ping({ host, port }: RedisAddress): Promise<void> {
  const socket = connect(port, host);
  try {
    socket.write('PING\r\n');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    if (!answer.toString().startsWith('+PONG')) throw new Error(`Redis answered ${answer.toString()}`);
  } finally {
    socket.destroy();
  }
}

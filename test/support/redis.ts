import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { tmpdir } from 'node:os';
import path from 'node:path';

import type { IssuedCertificate } from './certificates.js';
import { Redis } from 'ioredis';

import { eventually } from './eventually.js';
import { freePort } from '../../scripts/servers/free-port.mjs';
import { freezeProcess } from './freeze-process.js';
import { killWithUs } from './kill-with-us.js';

export interface RedisAddress {
  readonly host: string;
  readonly port: number;
}

/** What a server of a test needs to speak TLS. */
export interface ServerTls {
  readonly certificate: IssuedCertificate;
  /** Who has signed the certificates of its clients. */
  readonly ca: string;
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

const CONFIG_FILE = 'redis.conf';

/** How a server differs from that of the other tests. */
export interface OwnServer {
  /** One of another version: see redis62. */
  readonly binary?: string;
  /** Lines of a file of settings, which Redis and Sentinel rewrite: a node that is started again is what it was. */
  readonly config?: string;
}

/** redis-server 6.2, the oldest that the service works with. The runner of the tests fetches it. */
export function redis62(): string {
  const binary = process.env['TEST_REDIS_6_2_BIN'];
  if (binary === undefined) throw new Error('TEST_REDIS_6_2_BIN names no redis-server 6.2: run the tests through npm test');
  return binary;
}

/** A redis-server of the test's own, that may be killed, frozen and started again. It keeps its port and its data. */
export class PrivateRedis {
  readonly address: RedisAddress;
  #process: ChildProcess | undefined;

  private constructor(
    port: number,
    private readonly folder: string,
    private readonly settings: readonly string[],
    private readonly tls: ServerTls | undefined,
    private readonly server: OwnServer,
  ) {
    this.address = { host: '127.0.0.1', port };
  }

  /**
   * @param settings beside `--port`, `--bind`, `--dir`; by default what `npm start` uses for its own server
   * @param tls its certificate: then it speaks TLS alone
   * @returns one that answers
   */
  static async start(settings: readonly string[] = ['--appendonly', 'yes', '--appendfsync', 'everysec', '--maxmemory-policy', 'noeviction'], tls?: ServerTls, server?: OwnServer): Promise<PrivateRedis> {
    const redis = await PrivateRedis.stopped(settings, tls, server);
    await redis.restart();
    return redis;
  }

  /** One that does not run yet: `restart` starts it. */
  static async stopped(settings: readonly string[] = [], tls?: ServerTls, server: OwnServer = {}): Promise<PrivateRedis> {
    const folder = await mkdtemp(path.join(tmpdir(), 'redis-test-'));
    if (server.config !== undefined) await writeFile(path.join(folder, CONFIG_FILE), server.config);
    return new PrivateRedis(await freePort(), folder, settings, tls, server);
  }

  /** How a test reaches it, past every check. */
  get clientOptions(): RedisAddress & { readonly tls?: ConnectionOptions } {
    return { ...this.address, ...(this.tls !== undefined && { tls: uncheckedTls(this.tls) }) };
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Starts it again after kill() or shutDown(), and returns when it answers. */
  async restart(): Promise<void> {
    const { port, host } = this.address;
    const { binary = process.env['TEST_REDIS_BIN'] ?? 'redis-server', config } = this.server;
    const server = spawn(binary, [...(config === undefined ? [] : [path.join(this.folder, CONFIG_FILE)]), ...(this.tls === undefined ? ['--port', String(port)] : ['--port', '0', ...tlsSettings(port, this.tls).flatMap(([name, value]) => [`--${name}`, value])]), '--bind', host, '--dir', this.folder, '--hz', '100', '--save', '', ...this.settings], { stdio: 'ignore' });
    killWithUs(server);
    const failed = new Promise<never>((_, reject) => {
      server.once('error', (cause) => reject(new Error(`cannot start ${binary}: install redis-server, or set TEST_REDIS_BIN`, { cause })));
      server.once('exit', (code, signal) => reject(new Error(`redis-server ended with ${String(code ?? signal)}`)));
    });
    // It is ended on purpose later on: that must not be an unhandled rejection.
    failed.catch(() => undefined);
    this.#process = server;
    await Promise.race([failed, eventually(() => ping(this.address, this.tls), { withinMs: 10_000 })]);
  }

  /** Has it show another certificate from now on, as after a renewal. */
  async renew({ cert, key }: IssuedCertificate): Promise<void> {
    const client = new Redis({ ...this.clientOptions, retryStrategy: () => null });
    try {
      await client.call('CONFIG', 'SET', 'tls-cert-file', cert, 'tls-key-file', key);
    } finally {
      client.disconnect();
    }
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

/** The settings of a server or a sentinel that speaks TLS on this port. */
export function tlsSettings(port: number, { certificate: { cert, key }, ca }: ServerTls): readonly (readonly [name: string, value: string])[] {
  return [['tls-port', String(port)], ['tls-cert-file', cert], ['tls-key-file', key], ['tls-ca-cert-file', ca]];
}

export function uncheckedTls({ certificate: { cert, key } }: ServerTls): ConnectionOptions {
  return { rejectUnauthorized: false, cert: readFileSync(cert), key: readFileSync(key) };
}

async function ping({ host, port }: RedisAddress, tls: ServerTls | undefined): Promise<void> {
  const socket = tls === undefined ? connect(port, host) : connectTls({ port, host, ...uncheckedTls(tls) });
  try {
    socket.write('PING\r\n');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    // It asks for a password, so it is there.
    if (!/^\+PONG|^-NOAUTH/.test(answer.toString())) throw new Error(`Redis answered ${answer.toString()}`);
  } finally {
    socket.destroy();
  }
}

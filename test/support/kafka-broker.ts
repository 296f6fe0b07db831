import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

import { freePort } from './free-port.js';
import { freezeProcess } from './freeze-process.js';
import { KafkaProbe } from './kafka.js';
import { killWithUs } from './kill-with-us.js';

export interface PrivateBrokerOptions {
  /** Only this user gets in, by SASL: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512. Undefined: everybody does. */
  readonly login?: { readonly username: string; readonly password: string };
}

/** How long a broker may take until it answers: 4 s on a quiet machine. */
const startLimitMs = 60_000;

/**
 * A real Kafka broker (KRaft, one node) of the test's own, on ports of its own, which may be killed, frozen and started
 * again. Its jars come from the directory in TEST_KAFKA_JARS.
 */
export class PrivateBroker {
  readonly host = '127.0.0.1';
  readonly port: number;
  readonly probe: KafkaProbe;
  readonly #jars: string;
  readonly #folder: string;
  #process: ChildProcess | undefined;

  private constructor(port: number, jars: string, folder: string, probe: KafkaProbe) {
    this.port = port;
    this.#jars = jars;
    this.#folder = folder;
    this.probe = probe;
  }

  static async start({ login }: PrivateBrokerOptions = {}): Promise<PrivateBroker> {
    const jars = jarsFolder();
    const folder = await mkdtemp(path.join(os.tmpdir(), 'kafka-test-'));
    const port = await freePort();
    const probe = new KafkaProbe(
      { host: '127.0.0.1', port },
      login === undefined ? {} : { sasl: { mechanism: 'plain', ...login } },
    );
    const broker = new PrivateBroker(port, jars, folder, probe);
    await broker.#format(await freePort(), login);
    await broker.restart();
    return broker;
  }

  get address(): string {
    return `${this.host}:${this.port}`;
  }

  /** Starts it again after kill(), with the data it had, and returns when it answers. */
  async restart(): Promise<void> {
    const output = await open(this.#outputFile, 'a');
    const started = spawn('java', ['-Xmx512m', '-cp', path.join(this.#jars, '*'), 'kafka.Kafka', this.#propertiesFile], {
      // A process group of its own: Ctrl-C in the terminal is for the test run, which then ends it.
      detached: true,
      stdio: ['ignore', output.fd, output.fd],
    });
    await output.close();
    killWithUs(started);
    this.#process = started;
    let failed: Error | undefined;
    started.once('error', (error) => { failed = error; });
    started.once('exit', (code, signal) => { failed ??= new Error(`broker ended with ${code ?? signal}`); });
    const died = new Promise<never>((_, reject) => {
      started.once('error', reject);
      started.once('exit', (code, signal) => { reject(new Error(`broker ended with ${String(code ?? signal)}`)); });
    });
    try {
      await Promise.race([this.probe.ready(startLimitMs), died]);
    } catch (error) {
      const said = (await readFile(this.#outputFile, 'utf8')).slice(-2_000);
      await this.kill();
      throw new Error(`Kafka did not start: ${(failed ?? error) as Error}\n${said}`, { cause: error });
    } finally {
      // The broker is killed on purpose later on: that must not be an unhandled rejection.
      died.catch(() => undefined);
    }
  }

  /** SIGSTOP: it keeps its connections, takes new ones, and answers nobody. */
  freeze(): Promise<void> {
    return freezeProcess(this.#process?.pid);
  }

  thaw(): void {
    this.#process?.kill('SIGCONT');
  }

  /** SIGKILL, and waits for the end. */
  async kill(): Promise<void> {
    const running = this.#process;
    this.#process = undefined;
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    const ended = once(running, 'exit');
    running.kill('SIGKILL');
    await ended;
  }

  /** Ends it and removes its data. Safe twice. */
  async stop(): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }

  get #propertiesFile(): string {
    return path.join(this.#folder, 'server.properties');
  }

  get #outputFile(): string {
    return path.join(this.#folder, 'output.log');
  }

  async #format(controllerPort: number, login: PrivateBrokerOptions['login']): Promise<void> {
    const properties = {
      'process.roles': 'broker,controller',
      'node.id': '1',
      'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
      'controller.listener.names': 'CONTROLLER',
      'inter.broker.listener.name': 'CLIENT',
      'listeners': `CLIENT://127.0.0.1:${this.port},CONTROLLER://127.0.0.1:${controllerPort}`,
      'advertised.listeners': `CLIENT://127.0.0.1:${this.port}`,
      'listener.security.protocol.map': `CONTROLLER:PLAINTEXT,CLIENT:${login === undefined ? 'PLAINTEXT' : 'SASL_PLAINTEXT'}`,
      'log.dirs': path.join(this.#folder, 'logs'),
      'offsets.topic.replication.factor': '1',
      'transaction.state.log.replication.factor': '1',
      'transaction.state.log.min.isr': '1',
      'auto.create.topics.enable': 'false',
      // A killed broker may come back only when its old session has run out, by default after 9 s.
      'broker.session.timeout.ms': '1000',
      'broker.heartbeat.interval.ms': '200',
      'group.initial.rebalance.delay.ms': '0',
      ...(login !== undefined && saslProperties(login)),
    };
    await writeFile(this.#propertiesFile, Object.entries(properties).map(([name, value]) => `${name}=${value}\n`).join(''));
    const scram = login === undefined ? [] : ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
      '--add-scram',
      `${mechanism}=[name=${login.username},password=${login.password}]`,
    ]);
    const arguments_ = ['format', '-t', 'MkU3OEVBNTcwNTJENDM2Qg', '-c', this.#propertiesFile, ...scram];
    const output = await open(this.#outputFile, 'a');
    const formatting = spawn('java', ['-cp', path.join(this.#jars, '*'), 'kafka.tools.StorageTool', ...arguments_], {
      stdio: ['ignore', output.fd, output.fd],
    });
    await output.close();
    const [code] = (await once(formatting, 'exit')) as [number | null];
    if (code !== 0) throw new Error(`kafka.tools.StorageTool failed:\n${await readFile(this.#outputFile, 'utf8')}`);
  }
}

function saslProperties({ username, password }: { username: string; password: string }): Record<string, string> {
  const plain = 'org.apache.kafka.common.security.plain.PlainLoginModule';
  const scram = 'org.apache.kafka.common.security.scram.ScramLoginModule';
  return {
    'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    'sasl.mechanism.inter.broker.protocol': 'PLAIN',
    'listener.name.client.plain.sasl.jaas.config':
      `${plain} required username="${username}" password="${password}" user_${username}="${password}";`,
    'listener.name.client.scram-sha-256.sasl.jaas.config': `${scram} required;`,
    'listener.name.client.scram-sha-512.sasl.jaas.config': `${scram} required;`,
  };
}

function jarsFolder(): string {
  const folder = process.env['TEST_KAFKA_JARS'];
  if (folder === undefined || folder === '') {
    throw new Error(
      'These tests start Kafka brokers of their own, and TEST_KAFKA_JARS does not name a directory with the jars of ' +
        'org.apache.kafka:kafka_2.13. Run `npm test`, which fetches them and sets it.',
    );
  }
  return folder;
}

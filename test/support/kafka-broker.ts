import { execFile, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

import { formatKafkaNode, runKafkaNode, type KafkaNode } from '../../scripts/servers/kafka-broker.mjs';
import { freezeProcess } from './freeze-process.js';
import { KafkaProbe } from './kafka.js';
import { killWithUs } from './kill-with-us.js';

export interface PrivateBrokerOptions {
  /** Only this user gets in, by SASL: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512. Undefined: every client does. */
  readonly login?: { readonly username: string; readonly password: string };
}

/** How long a broker that has started may take until it answers a client. */
const READY_WITHIN_MS = 30_000;

/**
 * A real Kafka broker (KRaft, one node) of the test's own, on ports of its own, which may be killed, frozen and started
 * again. It is started by what starts the broker that all tests share; its jars come from the directory in TEST_KAFKA_JARS.
 */
export class PrivateBroker {
  readonly host = '127.0.0.1';
  readonly port: number;
  readonly probe: KafkaProbe;
  #process: ChildProcess | undefined;

  private constructor(private readonly node: KafkaNode, login: PrivateBrokerOptions['login']) {
    this.port = node.port;
    this.probe = new KafkaProbe({ host: this.host, port: this.port }, login === undefined ? {} : { sasl: { mechanism: 'plain', ...login } });
  }

  static async start({ login }: PrivateBrokerOptions = {}): Promise<PrivateBroker> {
    const dir = await mkdtemp(path.join(os.tmpdir(), 'kafka-test-'));
    const java = process.env['TEST_JAVA'] ?? 'java';
    const node = await formatKafkaNode({ java, jarsDir: jarsFolder(), dir, ...(login !== undefined && withLogin(login)) });
    const broker = new PrivateBroker(node, login);
    await broker.restart();
    return broker;
  }

  get address(): string {
    return `${this.host}:${this.port}`;
  }

  /** Starts it again after kill(), with the data it had, and returns when it answers. */
  async restart(): Promise<void> {
    try {
      await runKafkaNode(this.node, {
        onSpawn: (child) => {
          killWithUs(child);
          this.#process = child;
        },
      });
      await this.probe.ready(READY_WITHIN_MS);
    } catch (error) {
      await this.kill();
      throw error;
    }
  }

  /** Gives clients of this id a quota, in bytes a second: what they produce beyond it is throttled. */
  async limitProducer(clientId: string, bytesPerSecond: number): Promise<void> {
    const change = ['--alter', '--entity-type', 'clients', '--entity-name', clientId, '--add-config', `producer_byte_rate=${bytesPerSecond}`];
    await promisify(execFile)(this.node.java, ['-cp', this.node.classPath, 'kafka.admin.ConfigCommand', '--bootstrap-server', this.address, ...change]);
  }

  /** SIGSTOP: it keeps its connections, takes new ones, and answers none. */
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
    await rm(this.node.dir, { recursive: true, force: true });
  }
}

/** What a node needs to let in one user only. */
function withLogin({ username, password }: { username: string; password: string }): { settings: Record<string, string>; formatArgs: string[] } {
  const plain = 'org.apache.kafka.common.security.plain.PlainLoginModule';
  const scram = 'org.apache.kafka.common.security.scram.ScramLoginModule';
  return {
    settings: {
      'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,CLIENT:SASL_PLAINTEXT',
      'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
      'sasl.mechanism.inter.broker.protocol': 'PLAIN',
      'listener.name.client.plain.sasl.jaas.config':
        `${plain} required username="${username}" password="${password}" user_${username}="${password}";`,
      'listener.name.client.scram-sha-256.sasl.jaas.config': `${scram} required;`,
      'listener.name.client.scram-sha-512.sasl.jaas.config': `${scram} required;`,
    },
    formatArgs: ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => ['--add-scram', `${mechanism}=[name=${username},password=${password}]`]),
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

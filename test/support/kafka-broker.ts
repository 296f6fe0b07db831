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

/** How long a broker that has started may take until it answers a client. */
const READY_WITHIN_MS = 30_000;
/** A killed broker may come back only when its old session has run out, by default after 9 s. */
const SESSION_MS = 1_000;

/**
 * A real Kafka broker (KRaft, one node) of the test's own, on ports of its own, which may be killed, frozen and started
 * again. It is started by what starts the broker that all tests share; its jars come from the directory in TEST_KAFKA_JARS.
 */
export class PrivateBroker {
  readonly host = '127.0.0.1';
  readonly port: number;
  readonly probe: KafkaProbe;
  #process: ChildProcess | undefined;

  private constructor(private readonly node: KafkaNode) {
    this.port = node.port;
    this.probe = new KafkaProbe({ host: this.host, port: this.port });
  }

  static async start(): Promise<PrivateBroker> {
    const dir = await mkdtemp(path.join(os.tmpdir(), 'kafka-test-'));
    const java = process.env['TEST_JAVA'] ?? 'java';
    const node = await formatKafkaNode({ java, jarsDir: jarsFolder(), dir, settings: { 'broker.session.timeout.ms': String(SESSION_MS), 'broker.heartbeat.interval.ms': '200' } });
    const broker = new PrivateBroker(node);
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
      await this.probe.keepsLeaders(0, READY_WITHIN_MS);
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

  /**
   * Returns when each partition has had its leader for as long as a session lasts. A broker that was frozen answers at
   * once, but its controller may find a moment later that the session is over, and takes the leaders away until the
   * next heartbeat.
   */
  thawed(): Promise<void> {
    return this.probe.keepsLeaders(SESSION_MS, READY_WITHIN_MS);
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

export function jarsFolder(): string {
  const folder = process.env['TEST_KAFKA_JARS'];
  if (folder === undefined || folder === '') {
    throw new Error(
      'These tests start Kafka brokers of their own, and TEST_KAFKA_JARS does not name a directory with the jars of ' +
        'org.apache.kafka:kafka_2.13. Run `npm test`, which fetches them and sets it.',
    );
  }
  return folder;
}

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

import { expect } from 'chai';
import kafkajs from 'kafkajs';

import { freePort } from '../../scripts/servers/free-port.mjs';
import { formatKafkaNode, runKafkaNode } from '../../scripts/servers/kafka-broker.mjs';
import { TestAuthority, type IssuedCertificate } from './certificates.js';
import { eventually } from './eventually.js';
import { jarsFolder } from './kafka-broker.js';
import { KafkaProbe } from './kafka.js';
import { killWithUs } from './kill-with-us.js';

/** Its users by name, with their passwords. `writer` and `nobody` have no right until a test gives them one. */
export const users = { writer: 'secret-of-writer', nobody: 'secret-of-nobody' } as const;

/**
 * - `CLIENT`: in clear, without a login, with every right: for the probe
 * - `PLAIN_LOGIN`: in clear, with a login
 * - `LOGIN`: TLS, with a login by PLAIN or SCRAM-SHA-256
 * - `SHORT_LOGIN`: as LOGIN, by SCRAM-SHA-512, to be renewed every second
 * - `MUTUAL`: TLS, which asks for a certificate of the client
 * - `EXPIRED`, `OTHER_NAME`: TLS, with such a certificate
 */
const listeners = ['PLAIN_LOGIN', 'LOGIN', 'SHORT_LOGIN', 'MUTUAL', 'EXPIRED', 'OTHER_NAME'] as const;
export type Listener = 'CLIENT' | (typeof listeners)[number];
type Ports = Readonly<Record<Exclude<Listener, 'CLIENT'>, number>>;

const plainModule = 'org.apache.kafka.common.security.plain.PlainLoginModule';
const scramModule = 'org.apache.kafka.common.security.scram.ScramLoginModule';

/** A real broker with TLS, logins and ACLs, each kind on a port of its own. Its certificates are made for it. */
export class SecureKafka {
  private constructor(
    readonly authority: TestAuthority,
    readonly probe: KafkaProbe,
    private readonly ports: Readonly<Record<Listener, number>>,
    private readonly end: () => Promise<void>,
  ) {}

  static async start(): Promise<SecureKafka> {
    const authority = await TestAuthority.create();
    const [good, expired, other] = await Promise.all([authority.issue(), authority.issue({ hasExpired: true }), authority.issue({ names: ['DNS:kafka.example'] })]);
    const ports = await portsOf();
    const dir = await mkdtemp(path.join(os.tmpdir(), 'kafka-test-'));
    const node = await formatKafkaNode({
      java: process.env['TEST_JAVA'] ?? 'java',
      jarsDir: jarsFolder(),
      dir,
      listeners: listeners.map((listener) => `${listener}://127.0.0.1:${ports[listener]}`),
      settings: settingsOf(authority.ca, { good, expired, other }),
      formatArgs: scramUsers(),
    });
    let broker: ChildProcess | undefined;
    const end = async (): Promise<void> => {
      if (broker !== undefined && broker.exitCode === null && broker.signalCode === null) {
        const ended = once(broker, 'exit');
        broker.kill('SIGKILL');
        await ended;
      }
      await Promise.all([rm(dir, { recursive: true, force: true }), authority.close()]);
    };
    try {
      await runKafkaNode(node, {
        onSpawn: (child) => {
          killWithUs(child);
          broker = child;
        },
      });
      const probe = new KafkaProbe({ host: '127.0.0.1', port: node.port });
      await probe.ready(30_000);
      return new SecureKafka(authority, probe, { ...ports, CLIENT: node.port }, end);
    } catch (error) {
      await end();
      throw error;
    }
  }

  at(listener: Listener): { readonly host: string; readonly port: number } {
    return { host: '127.0.0.1', port: this.ports[listener] };
  }

  /** Gives a user the right to write to a topic, and no other. */
  async allowWrite(user: string, topic: string): Promise<void> {
    const { host, port } = this.at('CLIENT');
    const admin = new kafkajs.Kafka({ brokers: [`${host}:${port}`], logLevel: kafkajs.logLevel.NOTHING }).admin();
    await admin.connect();
    try {
      const { AclResourceTypes: type, ResourcePatternTypes: pattern, AclOperationTypes: operation, AclPermissionTypes: permission } = kafkajs;
      const right = { resourceType: type.TOPIC, resourceName: topic, resourcePatternType: pattern.LITERAL, principal: `User:${user}`, host: '*', operation: operation.WRITE, permissionType: permission.ALLOW };
      await admin.createAcls({ acl: [right] });
      // The controller has it. The broker that asks hears of it a moment later.
      await eventually(async () => { expect((await admin.describeAcls(right)).resources).to.have.lengthOf(1); });
    } finally {
      await admin.disconnect();
    }
  }

  stop(): Promise<void> {
    return this.end();
  }
}

async function portsOf(): Promise<Ports> {
  const found: [string, number][] = [];
  for (const listener of listeners) found.push([listener, await freePort()]);
  return Object.fromEntries(found) as Ports; // each of them has got one
}

function settingsOf(ca: string, { good, expired, other }: Record<'good' | 'expired' | 'other', IssuedCertificate>): Record<string, string> {
  const protocols: Record<Listener, string> = { CLIENT: 'PLAINTEXT', PLAIN_LOGIN: 'SASL_PLAINTEXT', LOGIN: 'SASL_SSL', SHORT_LOGIN: 'SASL_SSL', MUTUAL: 'SSL', EXPIRED: 'SSL', OTHER_NAME: 'SSL' };
  const keystores: Partial<Record<Listener, IssuedCertificate>> = { LOGIN: good, SHORT_LOGIN: good, MUTUAL: good, EXPIRED: expired, OTHER_NAME: other };
  const settings: Record<string, string> = {
    'listener.security.protocol.map': ['CONTROLLER:PLAINTEXT', ...Object.entries(protocols).map(([listener, protocol]) => `${listener}:${protocol}`)].join(),
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users': 'User:ANONYMOUS',
    'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256',
    'listener.name.short_login.sasl.enabled.mechanisms': 'SCRAM-SHA-512',
    'listener.name.short_login.scram-sha-512.connections.max.reauth.ms': '1000',
    'listener.name.short_login.scram-sha-512.sasl.jaas.config': `${scramModule} required;`,
    'listener.name.mutual.ssl.client.auth': 'required',
    // CN=writer in a certificate is the user `writer`.
    'listener.name.mutual.ssl.principal.mapping.rules': 'RULE:^CN=([^,]+).*$/$1/',
    // The broker does not wait for clients that were refused to find it out.
    'connection.failed.authentication.delay.ms': '10',
  };
  for (const [listener, { both }] of Object.entries(keystores)) {
    const name = `listener.name.${listener.toLowerCase()}.ssl`;
    Object.assign(settings, { [`${name}.keystore.type`]: 'PEM', [`${name}.keystore.location`]: both, [`${name}.truststore.type`]: 'PEM', [`${name}.truststore.location`]: ca });
  }
  for (const listener of ['plain_login', 'login']) {
    const passwords = Object.entries(users).map(([name, password]) => `user_${name}="${password}"`).join(' ');
    settings[`listener.name.${listener}.plain.sasl.jaas.config`] = `${plainModule} required ${passwords};`;
    settings[`listener.name.${listener}.scram-sha-256.sasl.jaas.config`] = `${scramModule} required;`;
  }
  return settings;
}

function scramUsers(): string[] {
  return ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) =>
    Object.entries(users).flatMap(([name, password]) => ['--add-scram', `${mechanism}=[name=${name},password=${password}]`]));
}

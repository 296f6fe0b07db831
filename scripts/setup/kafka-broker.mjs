import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';

import { freePort } from './free-port.mjs';
import { processRef } from './process-identity.mjs';
import { runCommand } from './run-command.mjs';
import { SetupError } from './setup-error.mjs';
import { waitUntil } from './wait-until.mjs';

/** Any UUID in base64 will do; one broker talks to nobody else. */
const CLUSTER_ID = 'dGVzdC1jbHVzdGVyLTAwMQ';

/** Small and quick to start rather than fast later. */
const JVM = ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Dlog4j2.level=INFO'];

/**
 * Starts one Kafka node (KRaft: broker and controller in one) on loopback, empty.
 *
 * @param {object} options
 * @param {string} options.java
 * @param {string} options.jarsDir
 * @param {string} options.dir      for its settings, data and log; removed by the caller
 * @param {(ref: import('./process-identity.mjs').ProcessRef) => void} options.onSpawn
 * @param {AbortSignal} options.signal
 * @returns {Promise<{port: number}>} once it answers in Kafka's protocol
 */
export async function startKafkaBroker({ java, jarsDir, dir, onSpawn, signal }) {
  mkdirSync(dir, { recursive: true });
  const port = await freePort();
  const controllerPort = await freePort();
  const settingsFile = path.join(dir, 'server.properties');
  writeFileSync(settingsFile, settingsText({ port, controllerPort, dataDir: path.join(dir, 'data') }));
  const logFile = path.join(dir, 'kafka.log');
  const classPath = ['-cp', path.join(jarsDir, '*')];
  await runCommand(java, [...classPath, '-Dlog4j2.level=ERROR', 'kafka.tools.StorageTool', 'format', '-t', CLUSTER_ID, '-c', settingsFile], {
    signal,
    isQuiet: true,
  });

  const log = openSync(logFile, 'a');
  const child = spawn(java, [...classPath, ...JVM, 'kafka.Kafka', settingsFile], {
    cwd: dir,
    // A group of its own: Ctrl-C is for the tests first.
    detached: true,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  let isGone = false;
  child.once('exit', () => (isGone = true));
  child.unref();
  const ref = processRef(child.pid);
  if (ref !== null) onSpawn(ref);

  const isReady = await waitUntil(async () => isGone || (await answersKafka(port)), { withinMs: 60_000, everyMs: 200, signal });
  if (isReady === null || isGone) {
    const tail = readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-20).join('\n  ');
    throw new SetupError(`Kafka did not ${isGone ? 'start' : 'answer within 60 s'} (${java}). The end of its log:\n  ${tail}`);
  }
  return { port };
}

/** @param {{port: number, controllerPort: number, dataDir: string}} options */
function settingsText({ port, controllerPort, dataDir }) {
  return [
    'process.roles=broker,controller',
    'node.id=1',
    `controller.quorum.voters=1@127.0.0.1:${controllerPort}`,
    `listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    `advertised.listeners=PLAINTEXT://127.0.0.1:${port}`,
    'controller.listener.names=CONTROLLER',
    `log.dirs=${dataDir}`,
    // A test that misspells a topic should fail, not make one.
    'auto.create.topics.enable=false',
    'offsets.topic.replication.factor=1',
    'offsets.topic.num.partitions=3',
    'transaction.state.log.replication.factor=1',
    'transaction.state.log.min.isr=1',
    'group.initial.rebalance.delay.ms=0',
    '',
  ].join('\n');
}

/**
 * Asks ApiVersions, the one question every broker answers to everybody. An open port is not enough: it opens early.
 * @param {number} port
 * @returns {Promise<boolean>}
 */
function answersKafka(port) {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, timeout: 2_000 });
    let received = Buffer.alloc(0);
    /** @param {boolean} answers */
    const finish = (answers) => {
      socket.destroy();
      resolve(answers);
    };
    socket.once('error', () => finish(false));
    socket.once('timeout', () => finish(false));
    socket.once('close', () => finish(false));
    socket.once('connect', () => {
      // Size 10; api key 18, version 0, correlation id 7, no client id.
      socket.write(Buffer.from([0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff]));
    });
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      // Size, our correlation id, error code 0.
      if (received.length >= 10) finish(received.readInt32BE(4) === 7 && received.readInt16BE(8) === 0);
    });
  });
}

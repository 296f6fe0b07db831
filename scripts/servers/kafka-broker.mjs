import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { freePort } from './free-port.mjs';
import { runCommand } from '../processes/run-command.mjs';
import { SetupError } from '../processes/setup-error.mjs';
import { waitUntil } from '../processes/wait-until.mjs';

/** Any UUID in base64 will do: the cluster has one node. */
const CLUSTER_ID = 'dGVzdC1jbHVzdGVyLTAwMQ';

/** For a quick start; throughput does not matter. */
const JVM = ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Dlog4j2.level=INFO'];

const START_WITHIN_MS = 60_000;

/**
 * A Kafka node (KRaft: broker and controller in one) on a loopback port, formatted and not running yet.
 *
 * @typedef {object} KafkaNode
 * @property {string} java
 * @property {string} classPath
 * @property {string} dir
 * @property {number} port
 */

/**
 * @param {object} options
 * @param {string} options.java
 * @param {string} options.jarsDir
 * @param {string} options.dir      for its settings, data and log; removed by the caller
 * @param {readonly string[]} [options.listeners]      beside the usual one, e.g. ['LOGIN://127.0.0.1:9093']; `settings` says what they speak
 * @param {Record<string, string>} [options.settings]  lines of server.properties beside the usual ones, or instead of them
 * @param {readonly string[]} [options.formatArgs]     for StorageTool, e.g. ['--add-scram', '…']
 * @param {AbortSignal} [options.signal]
 * @returns {Promise<KafkaNode>}
 */
export async function formatKafkaNode({ java, jarsDir, dir, listeners = [], settings = {}, formatArgs = [], signal }) {
  mkdirSync(dir, { recursive: true });
  const port = await freePort();
  const classPath = path.join(jarsDir, '*');
  const lines = { ...usualSettings({ port, controllerPort: await freePort(), dataDir: path.join(dir, 'data'), listeners }), ...settings };
  writeFileSync(settingsFileOf(dir), Object.entries(lines).map(([name, value]) => `${name}=${value}\n`).join(''));
  const format = ['kafka.tools.StorageTool', 'format', '-t', CLUSTER_ID, '-c', settingsFileOf(dir), ...formatArgs];
  await runCommand(java, ['-cp', classPath, '-Dlog4j2.level=ERROR', ...format], { signal, isQuiet: true });
  return { java, classPath, dir, port };
}

/**
 * Starts it, also again with the data it had.
 *
 * @param {KafkaNode} node
 * @param {object} options
 * @param {(child: import('node:child_process').ChildProcess) => void} options.onSpawn called before the first wait
 * @param {AbortSignal} [options.signal]
 * @returns {Promise<void>} when it takes requests
 * @throws {SetupError} with the end of its log when it does not start; it may still be running then
 */
export async function runKafkaNode({ java, classPath, dir }, { onSpawn, signal }) {
  const logFile = path.join(dir, 'kafka.log');
  const log = openSync(logFile, 'w');
  // A process group of its own: Ctrl-C in the terminal is for the test run, which then ends the broker.
  const child = spawn(java, ['-cp', classPath, ...JVM, 'kafka.Kafka', settingsFileOf(dir)], { cwd: dir, detached: true, stdio: ['ignore', log, log] });
  closeSync(log);
  let isGone = false;
  child.once('error', () => (isGone = true));
  child.once('exit', () => (isGone = true));
  onSpawn(child);
  // An open port is not enough: the broker opens it long before it is registered with its controller.
  const isReady = await waitUntil(() => isGone || readFileSync(logFile, 'utf8').includes('Kafka Server started'), { withinMs: START_WITHIN_MS, everyMs: 100, signal });
  if (isReady !== null && !isGone) return;
  const tail = readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-20).join('\n  ');
  throw new SetupError(`Kafka did not start ${isGone ? 'and has ended' : `within ${START_WITHIN_MS / 1_000} s`} (${java}). The end of its log:\n  ${tail}`);
}

/** @param {string} dir */
function settingsFileOf(dir) {
  return path.join(dir, 'server.properties');
}

/** @param {{port: number, controllerPort: number, dataDir: string, listeners: readonly string[]}} options */
function usualSettings({ port, controllerPort, dataDir, listeners }) {
  const forClients = [`CLIENT://127.0.0.1:${port}`, ...listeners].join();
  return {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'CLIENT',
    'listeners': `${forClients},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': forClients,
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,CLIENT:PLAINTEXT',
    'log.dirs': dataDir,
    // A test that misspells a topic should fail, not make one.
    'auto.create.topics.enable': 'false',
    'offsets.topic.replication.factor': '1',
    'offsets.topic.num.partitions': '3',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'group.initial.rebalance.delay.ms': '0',
  };
}

import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { ensureChartTools } from '../install/chart-tools.mjs';
import { ensureChromium } from '../install/chromium.mjs';
import { formatKafkaNode, runKafkaNode } from '../servers/kafka-broker.mjs';
import { ensurePromtool } from '../install/promtool.mjs';
import { ensureKafkaJars } from '../install/kafka-jars.mjs';
import { watchLeftovers } from '../processes/leftover-watch.mjs';
import { processRef } from '../processes/process-identity.mjs';
import { findOrInstallRedis, redisMissing } from '../install/redis-binary.mjs';
import { ensureRedis62 } from '../install/redis-6-2.mjs';
import { startRedisOnFreePort } from '../servers/redis-server.mjs';
import { SetupError } from '../processes/setup-error.mjs';
import { withSetupLock } from '../install/setup-lock.mjs';

/** Nothing a test writes needs to outlive it; hz as in the product, because lateness follows it. */
const TEST_REDIS_SETTINGS = ['--appendonly', 'no', '--save', '', '--hz', '100', '--maxmemory-policy', 'noeviction'];

/**
 * All test files share this server: what would take keys, scripts or settings from the other files is refused. Tests that need these
 * commands start a server of their own. Redis 6 cannot name subcommands in a rule.
 *
 * @param {string} binary
 */
function refusals(binary) {
  const version = Number(/v=(\d+)/.exec(execFileSync(binary, ['--version'], { encoding: 'utf8' }))?.[1]);
  const subcommands = version >= 7 ? ['-script|flush', '-config|set'] : [];
  return ['--user', 'default', 'on', 'nopass', '~*', '&*', '+@all', '-flushall', '-flushdb', ...subcommands];
}

/** What a benchmark measures is the product's Redis, with the file it really writes. */
export const BENCH_REDIS_SETTINGS = [
  ...['--appendonly', 'yes', '--appendfsync', 'everysec', '--save', ''],
  ...['--hz', '100', '--maxmemory-policy', 'noeviction'],
];

/**
 * Servers for one run of tests: free ports, data in a temporary folder, so that runs and a running service never meet.
 *
 * @typedef {object} TestServers
 * @property {string} dir                       temporary, removed by stop
 * @property {NodeJS.ProcessEnv} env            where the tests find them
 * @property {() => Promise<NodeJS.ProcessEnv>} chartTools  where the tests of the chart find theirs, which may be built meanwhile; {} when
 *   they are not needed
 * @property {(leftover: import('../processes/leftover-watch.mjs').Leftover) => void} endWithUs  what must not outlive us either
 * @property {() => Promise<void>} stop
 */

/**
 * @param {object} options
 * @param {Set<string>} options.needed             'redis', 'redis-6.2', 'kafka', 'chromium', 'promtool', 'chart-tools'
 * @param {readonly string[]} [options.redisSettings]
 * @param {AbortSignal} options.signal
 * @returns {Promise<TestServers>}
 * @throws {SetupError} when one cannot be had: a missing server is a failure, never a skip
 */
export async function startTestServers({ needed, redisSettings, signal }) {
  const dir = mkdtempSync(path.join(tmpdir(), 'kafka-retry-'));
  const leftovers = watchLeftovers();
  leftovers.add({ remove: dir });
  /** @type {NodeJS.ProcessEnv} */
  const env = {};
  const stop = leftovers.cleanUp;
  /** @param {import('../processes/process-identity.mjs').ProcessRef} ref */
  const onSpawn = (ref) => leftovers.add({ stop: ref });

  try {
    const chartTools = needed.has('chart-tools') ? chartToolsEnv(signal) : Promise.resolve({});
    // Who asks for them hears of it.
    chartTools.catch(() => undefined);
    if (needed.has('chromium')) env.CHROMIUM_PATH = await withSetupLock(() => ensureChromium({ signal }), { of: 'chromium', signal });
    if (needed.has('promtool')) env.PROMTOOL_PATH = await withSetupLock(() => ensurePromtool({ signal }), { of: 'promtool', signal });
    if (needed.has('redis-6.2')) env.TEST_REDIS_6_2_BIN = await withSetupLock(() => ensureRedis62({ signal }), { of: 'redis-6.2', signal });
    if (needed.has('redis')) {
      const binary = await withSetupLock(() => findOrInstallRedis({ signal }), { of: 'redis', signal });
      // Tests that kill a Redis start their own, so a container would not do.
      if (binary === null) throw redisMissing('The tests start and kill servers of their own, so REDIS_ADDR cannot stand in.');
      const { port } = await startRedisOnFreePort({ binary, dir: path.join(dir, 'redis'), settings: redisSettings ?? [...TEST_REDIS_SETTINGS, ...refusals(binary)], onSpawn, signal });
      env.TEST_REDIS_ADDR = `127.0.0.1:${port}`;
      env.TEST_REDIS_BIN = binary;
    }
    if (needed.has('kafka')) Object.assign(env, await kafkaEnv({ dir: path.join(dir, 'kafka'), onSpawn, signal }));
    return { dir, env, chartTools: () => chartTools, endWithUs: leftovers.add, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * @param {AbortSignal} signal
 * @returns {Promise<NodeJS.ProcessEnv>}
 */
async function chartToolsEnv(signal) {
  const { helm, kubeconform, schemas } = await withSetupLock(() => ensureChartTools({ signal }), { of: 'chart-tools', signal });
  return { HELM_PATH: helm, KUBECONFORM_PATH: kubeconform, KUBERNETES_SCHEMAS: schemas };
}

/**
 * @param {object} options
 * @param {string} options.dir
 * @param {(ref: import('../processes/process-identity.mjs').ProcessRef) => void} options.onSpawn
 * @param {AbortSignal} options.signal
 * @returns {Promise<NodeJS.ProcessEnv>}
 */
async function kafkaEnv({ dir, onSpawn, signal }) {
  if (process.env.KAFKA_TEST_BROKERS) return { KAFKA_TEST_BROKERS: process.env.KAFKA_TEST_BROKERS };
  const jars = await withSetupLock(() => ensureKafkaJars({ signal }), { of: 'kafka', signal });
  if (jars !== null) {
    const node = await formatKafkaNode({ ...jars, dir, signal });
    await runKafkaNode(node, {
      onSpawn: (child) => {
        child.unref();
        const ref = processRef(child.pid);
        if (ref !== null) onSpawn(ref);
      },
      signal,
    });
    return { KAFKA_TEST_BROKERS: `127.0.0.1:${node.port}`, TEST_KAFKA_JARS: jars.jarsDir, TEST_JAVA: jars.java };
  }
  throw new SetupError(
    [
      'The tests need a Kafka broker. They run one with Java 17 or newer and fetch it with Maven, but these were not',
      'found and could not be installed without asking you. Do one of these, then start again:',
      '  Debian, Ubuntu:  sudo apt-get install default-jre-headless maven',
      '  Fedora, RHEL:    sudo dnf install java-latest-openjdk-headless maven',
      '  macOS:           brew install openjdk maven',
      '  a broker of yours (tests create and delete topics there):  KAFKA_TEST_BROKERS=host:9092 npm test',
    ].join('\n'),
  );
}

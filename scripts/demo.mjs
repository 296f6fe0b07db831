// `npm run demo`: the service with a receiver that fails in interesting ways, and a steady flow of tasks of several clients, to Kafka too where a
// broker is found. It has a Redis of its own in a folder that is removed at the end, so nothing of it stays.
import './install/node-version.mjs';

const { mkdtempSync, rmSync } = await import('node:fs');
const { tmpdir } = await import('node:os');
const { default: path } = await import('node:path');
const { endProcess } = await import('./processes/end-process.mjs');
const { findOrInstallRedis, redisMissing } = await import('./install/redis-binary.mjs');
const { freePort } = await import('./servers/free-port.mjs');
const { freePortNear } = await import('./launch/launch-settings.mjs');
const { demoWelcome } = await import('./demo/welcome.mjs');
const { findKafka } = await import('./demo/kafka-topics.mjs');
const { launch } = await import('./launch/launch.mjs');
const { readyClone } = await import('./install/ready-clone.mjs');
const { reportFailure } = await import('./processes/setup-error.mjs');
const { sendTasks } = await import('./demo/task-flow.mjs');
const { startReceiver } = await import('./demo/receivers.mjs');
const { startRedisServer } = await import('./servers/redis-server.mjs');

// In a fresh clone neither what is built nor the libraries are there yet.
await readyClone().catch((error) => process.exit(reportFailure(error)));
const dir = mkdtempSync(path.join(tmpdir(), 'kafka-retry-demo-'));
const ending = new AbortController();
/** @type {(() => unknown)[]} */
const closing = [() => rmSync(dir, { recursive: true, force: true }), () => ending.abort()];
let exitCode = 0;
try {
  const binary = await findOrInstallRedis();
  if (binary === null) throw redisMissing('');
  const redis = await startRedisServer({ binary, dir, port: await freePort(), settings: ['--save', '', '--appendonly', 'no', '--maxmemory-policy', 'noeviction', '--hz', '100'] });
  closing.push(() => endProcess(redis, { graceMs: 5_000 }));
  const receiver = await startReceiver();
  closing.push(() => receiver.close());
  const kafka = await findKafka(process.env.KAFKA_BROKERS ?? 'localhost:9092');
  if (kafka !== undefined) closing.push(() => kafka.close());
  const port = process.env.HTTP_PORT ?? String(await freePortNear('127.0.0.1', 8_080));
  Object.assign(process.env, { REDIS_ADDR: `127.0.0.1:${redis.port}`, HTTP_PORT: port, HTTP_HOST: '127.0.0.1', ENVIRONMENT: 'dev', LOG_LEVEL: process.env.LOG_LEVEL ?? 'error' });
  exitCode = await launch(({ baseUrl }) => {
    void sendTasks({ baseUrl, origin: receiver.origin, topics: kafka?.topics ?? [], signal: ending.signal });
    return demoWelcome({ baseUrl, kafka: kafka?.broker });
  }, 'npm run demo');
} catch (error) {
  exitCode = reportFailure(error);
}
for (const close of closing.reverse()) await close();
process.exit(exitCode);

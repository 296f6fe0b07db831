// Installs what tests run against, side by side and before they ask for it: servers, a browser, checkers. With `chart-tools` only those
// of the Helm chart, which are built. What fails is tried again, and reported, by the tests that need it.
import './install/node-version.mjs';

const { ensureChartTools } = await import('./install/chart-tools.mjs');
const { ensureChromium } = await import('./install/chromium.mjs');
const { ensureKafkaJars } = await import('./install/kafka-jars.mjs');
const { ensurePromtool } = await import('./install/promtool.mjs');
const { findOrInstallRedis } = await import('./install/redis-binary.mjs');
const { ensureRedis62 } = await import('./install/redis-6-2.mjs');
const { ensureSchemathesis } = await import('./install/schemathesis.mjs');
const { withSetupLock } = await import('./install/setup-lock.mjs');

/** @type {Record<string, () => Promise<unknown>>} named as the locks of those who need them */
const tools =
  process.argv[2] === 'chart-tools'
    ? { 'chart-tools': ensureChartTools }
    : { redis: findOrInstallRedis, 'redis-6.2': ensureRedis62, kafka: ensureKafkaJars, chromium: ensureChromium, promtool: ensurePromtool, schemathesis: ensureSchemathesis };

const results = await Promise.allSettled(Object.entries(tools).map(([of, ensure]) => withSetupLock(ensure, { of })));
for (const result of results) if (result.status === 'rejected') console.error(result.reason);

import { createHash } from 'node:crypto';

import { composeImage } from '../install/compose-image.mjs';
import { docker } from './docker-engine.mjs';
import { freePort } from './free-port.mjs';
import { SetupError } from '../processes/setup-error.mjs';
import { waitUntil } from '../processes/wait-until.mjs';

/**
 * For machines where nothing can be installed but docker runs.
 *
 * @param {object} options
 * @param {string} options.realDir        folder of the data on this machine
 * @param {number} options.preferredPort
 * @param {readonly string[]} options.settings
 * @param {AbortSignal} options.signal
 * @returns {Promise<{container: string, port: number} | null>} null when docker could not run it (it said why)
 */
export async function startRedisContainer({ realDir, preferredPort, settings, signal }) {
  // Named after the folder, and docker refuses a second container of one name: two never share the folder.
  const container = `kafka-retry-redis-${createHash('sha256').update(realDir).digest('hex').slice(0, 12)}`;
  const published = await docker('port', container, '6379/tcp');
  const port = published === null ? await freePort(preferredPort) : Number(published.split('\n')[0]?.split(':').at(-1));
  if (published === null) {
    const { image } = composeImage('redis');
    console.log(`No Redis on this machine: running ${image} with docker …`);
    const owner = process.getuid === undefined ? [] : ['--user', `${process.getuid()}:${process.getgid?.() ?? 0}`];
    const started = await docker(
      ...['run', '--detach', '--rm', '--name', container, '--publish', `127.0.0.1:${port}:6379`],
      ...['--volume', `${realDir}:/data`, ...owner, image, 'redis-server', '--dir', '/data', ...settings],
    );
    if (started === null) return null;
  }
  const isReady = await waitUntil(async () => (await docker('exec', container, 'redis-cli', 'ping')) === 'PONG', { withinMs: 60_000, everyMs: 200, signal });
  if (isReady === null) throw new SetupError(`The Redis container ${container} does not answer; see: docker logs ${container}`);
  return { container, port };
}

/** @param {string} container */
export async function isContainerRunning(container) {
  return (await docker('inspect', '--format', '{{.State.Running}}', container)) === 'true';
}

/** @param {string} container */
export async function stopContainer(container) {
  await docker('stop', '--time', '60', container);
}

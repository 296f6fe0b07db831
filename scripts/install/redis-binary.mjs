import { findProgram } from './find-program.mjs';
import { SetupError } from '../processes/setup-error.mjs';
import { installPackages } from './system-packages.mjs';

const NAMES = ['redis-server', 'valkey-server'];

/**
 * @param {{signal?: AbortSignal}} [options]
 * @returns {Promise<string | null>} path of a redis-server or valkey-server, installed if need be and possible
 */
export async function findOrInstallRedis({ signal } = {}) {
  const found = findProgram(...NAMES);
  if (found !== null) return found;
  const isInstalled =
    (await installPackages({ apt: ['redis-server'], apk: ['redis'], dnf: ['redis'], brew: ['redis'] }, { signal })) ||
    // Newer Fedora and RHEL have only Valkey.
    (await installPackages({ dnf: ['valkey'] }, { signal }));
  return isInstalled ? findProgram(...NAMES) : null;
}

/** @param {string} instead how to do without, e.g. "Or set REDIS_ADDR=…" */
export function redisMissing(instead) {
  return new SetupError(
    [
      'No Redis: neither redis-server nor valkey-server was found, and it could not be installed without asking you.',
      'Install it with one of these, then start again:',
      '  Debian, Ubuntu:  sudo apt-get install redis-server',
      '  Fedora, RHEL:    sudo dnf install redis    (or valkey)',
      '  Alpine:          sudo apk add redis',
      '  macOS:           brew install redis',
      instead,
    ].join('\n'),
  );
}

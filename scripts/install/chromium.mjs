import { execFileSync } from 'node:child_process';

import { findProgram, isProgram } from './find-program.mjs';
import { SetupError } from '../processes/setup-error.mjs';
import { installPackages } from './system-packages.mjs';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const MAC_APPS = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
];

/**
 * @param {{signal?: AbortSignal}} [options]
 * @returns {Promise<string>} path of a browser that runs
 */
export async function ensureChromium({ signal } = {}) {
  const chosen = process.env.CHROMIUM_PATH;
  if (chosen) {
    if (runs(chosen)) return chosen;
    throw new SetupError(`CHROMIUM_PATH=${chosen}: that is no browser that runs here.`);
  }
  const found = findBrowser();
  if (found !== null) return found;
  await installPackages({ apt: ['chromium'], apk: ['chromium'], dnf: ['chromium'] }, { signal });
  const installed = findBrowser();
  if (installed !== null) return installed;
  throw new SetupError(
    [
      'The browser tests need Chromium or Chrome: none was found, and it could not be installed without asking you.',
      'Install it with one of these, or set CHROMIUM_PATH to one that you have:',
      '  Debian:   sudo apt-get install chromium',
      '  Ubuntu:   sudo snap install chromium',
      '  Fedora:   sudo dnf install chromium',
      '  macOS:    brew install --cask chromium    (or Google Chrome)',
    ].join('\n'),
  );
}

function findBrowser() {
  const candidates = [...NAMES.map((name) => findProgram(name)), ...MAC_APPS.filter(isProgram)];
  return candidates.find((candidate) => candidate !== null && runs(candidate)) ?? null;
}

/** @param {string} browser Ubuntu has a chromium-browser that only says "install the snap" */
function runs(browser) {
  try {
    execFileSync(browser, ['--version'], { stdio: 'ignore', timeout: 30_000 });
    return true;
  } catch {
    return false;
  }
}

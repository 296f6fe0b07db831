import { chromium, type Browser } from 'playwright-core';

/** It is to look at our pages and at nothing else in the world. */
const quietly = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

/** Without Chromium's own guard of local addresses, which other browsers do not have: a page of any name may ask 127.0.0.1 for something. */
export const TRUSTS_EVERY_PAGE = '--disable-features=LocalNetworkAccessChecks';

/** A real Chromium. @param args more of its arguments */
export function startChromium(...args: readonly string[]): Promise<Browser> {
  return chromium.launch({ executablePath: chromiumPath(), headless: true, args: [...quietly, ...args] });
}

/** Missing is a failure, never a skip. */
function chromiumPath(): string {
  const found = process.env['CHROMIUM_PATH'];
  if (found === undefined || found === '') {
    throw new Error('This test needs a real Chromium, and CHROMIUM_PATH does not name one. Run `npm test`, which finds or installs it.');
  }
  return found;
}

// `npm run docs:screenshots`: runs the demo for some minutes, so that its charts have a shape, and takes the pictures of README.md.
// node scripts/screenshots.mjs [minutes]
import './install/node-version.mjs';

const { spawn } = await import('node:child_process');
const { once } = await import('node:events');
const { statSync } = await import('node:fs');
const { default: path } = await import('node:path');
const { setTimeout: wait } = await import('node:timers/promises');
const { cloneDir } = await import('./install/clone-paths.mjs');
const { ensureChromium } = await import('./install/chromium.mjs');
const { readyClone } = await import('./install/ready-clone.mjs');
const { waitUntil } = await import('./processes/wait-until.mjs');
const { freePort } = await import('./servers/free-port.mjs');

/** Readers of the README load both. */
const MOST_BYTES = 150_000;
/** The first time it builds the service and its servers. */
const READY_WITHIN_MS = 15 * 60_000;
const SIZE = { width: 1_240, height: 740 };
const minutes = Number(process.argv[2] ?? 8);

await readyClone();
const { chromium } = await import('playwright-core');
const executablePath = await ensureChromium({});
const port = await freePort();
const demo = spawn(process.execPath, ['scripts/demo.mjs'], { cwd: cloneDir, env: { ...process.env, HTTP_PORT: String(port) }, stdio: 'inherit' });
const ended = once(demo, 'exit');
try {
  const isAlive = async () => (await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined))?.status === 200;
  const isThere = await waitUntil(() => demo.exitCode !== null || isAlive(), { withinMs: READY_WITHIN_MS, everyMs: 1_000 });
  if (demo.exitCode !== null) throw new Error('the demo ended before its page was there');
  if (isThere === null) throw new Error(`the page of the demo was not there within ${READY_WITHIN_MS / 60_000} minutes`);
  await wait(minutes * 60_000);
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
  for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
    const page = await browser.newPage({ viewport: SIZE, colorScheme });
    await page.goto(`http://127.0.0.1:${port}/admin`);
    // Each part of the page has its own call, and none of them is always the last.
    for (const part of ['.tiles', '.chart canvas >> nth=1', 'table.destinations tbody tr >> nth=0']) await page.locator(part).waitFor();
    await page.getByText('Live', { exact: true }).waitFor();
    const file = path.join(cloneDir, 'docs', `operations-page-${colorScheme}.png`);
    await page.screenshot({ path: file, animations: 'disabled' });
    const { size } = statSync(file);
    console.log(`${path.relative(cloneDir, file)}: ${size} bytes`);
    if (size > MOST_BYTES) throw new Error(`${file} is larger than ${MOST_BYTES} bytes: make SIZE smaller`);
  }
  await browser.close();
} finally {
  demo.kill('SIGINT');
  await ended;
}

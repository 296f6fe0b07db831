import { chromium } from 'playwright-core';
const base = process.argv[2] ?? 'http://127.0.0.1:18480';
const only = process.argv[3];
const b = await chromium.launch({ executablePath: process.env.CHROMIUM_PATH, args: ['--no-sandbox','--disable-gpu'] });
const task = (await (await fetch(base + '/tasks?q=state:parked&limit=1')).json()).tasks[0]?.id ?? '';
const dests = await (await fetch(base + '/destinations?limit=20')).json();
const host = dests.destinations.find((d: any) => d.kind === 'host')?.key ?? '';
const ba = (await (await fetch(base + '/bulk-actions?limit=1')).json()).bulk_actions[0]?.id;
const views: Record<string,string> = { home: '/admin', tasks: '/admin/tasks', parked: '/admin/tasks?q=state:parked', task: '/admin/task?id=' + encodeURIComponent(task), destinations: '/admin/destinations', destination: '/admin/destination?key=' + encodeURIComponent(host), failures: '/admin/failures', bulks: '/admin/bulk-actions', audit: '/admin/audit', ...(ba ? { bulk: '/admin/bulk-action?id=' + ba } : {}) };
const sizes: [string, number, number, 'light'|'dark', number][] = [['light', 1280, 860, 'light',1], ['dark', 1280, 860, 'dark',1], ['360', 360, 740, 'light',1], ['2560', 2560, 1300, 'light',1]];
for (const [name, width, height, colorScheme] of sizes) {
  if (only && !only.split(',').includes(name)) continue;
  const page = await b.newPage({ viewport: { width, height }, colorScheme });
  for (const [view, path] of Object.entries(views)) {
    if (process.argv[4] && !process.argv[4].split(',').includes(view)) continue;
    await page.goto(base + path);
    await page.locator('main h1').first().waitFor({ timeout: 10000 }).catch(() => {});
    await page.waitForTimeout(1500);
    await page.screenshot({ path: `/tmp/pg/${view}-${name}.png`, fullPage: name === '360' });
  }
  await page.close();
}
await b.close();

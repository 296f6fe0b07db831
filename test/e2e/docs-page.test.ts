import { expect } from 'chai';
import type { Browser, Page } from 'playwright-core';

import { routeTable } from '../../server/route-table.js';
import { startChromium } from '../support/chromium.js';
import { Service } from '../support/service.js';

/** `GET /tasks/{id}`, as the viewer heads each of our calls. */
const calls = routeTable.filter(({ operationId }) => operationId !== null).map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`);

describe('e2e: /docs in a browser', function () {
  this.timeout(180_000);

  let service: Service;
  let browser: Browser;
  let page: Page;
  let troubles: string[] = [];

  before(async () => {
    browser = await startChromium();
    service = await Service.start();
  });
  after(async () => {
    await browser.close();
    await service.close();
  });
  beforeEach(async () => {
    page = await browser.newPage();
    page.setDefaultTimeout(60_000);
    troubles = [];
    page.on('request', (request) => {
      const { protocol, origin } = new URL(request.url());
      if (protocol !== 'data:' && origin !== service.baseUrl) troubles.push(`asked ${request.url()}`);
    });
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) troubles.push(message.text());
    });
    page.on('pageerror', (error) => troubles.push(String(error)));
  });
  afterEach(async () => {
    await page.close();
    expect(troubles, 'no request leaves the origin, and the browser complains of nothing').to.deep.equal([]);
  });

  it('is reached from the front page, and shows every call of the route table, and no other', async () => {
    await page.goto(`${service.baseUrl}/`);
    await page.locator('a[href="/docs"]').click();
    await page.locator('.opblock').nth(calls.length - 1).waitFor();
    const shown = await page.locator('.opblock').evaluateAll((blocks) => blocks.map((block) => `${block.querySelector('.opblock-summary-method')?.textContent ?? ''} ${block.querySelector('.opblock-summary-path')?.getAttribute('data-path') ?? ''}`));
    expect(shown).to.have.members(calls);
  });

  it('shows the fields of a call, and makes it of this very service', async () => {
    await page.goto(`${service.baseUrl}/docs`);
    const stats = page.locator('.opblock', { has: page.locator('[data-path="/stats"]') });
    await stats.locator('.opblock-summary-control').click();
    await stats.getByRole('button', { name: 'Try it out' }).click();
    const [answer] = await Promise.all([page.waitForResponse(`${service.baseUrl}/stats`), stats.getByRole('button', { name: 'Execute' }).click()]);
    expect(answer.status()).to.equal(200);
    await stats.locator('.live-responses-table').getByText('"oldest_due_ms"').first().waitFor();

    const bulk = page.locator('.opblock-post', { has: page.locator('[data-path="/bulk-actions"]') });
    await bulk.locator('.opblock-summary-control').click();
    await bulk.getByText('dry_run').first().waitFor();
  });

  for (const [scheme, isDark] of [['light', false], ['dark', true]] as const) {
    it(`has a ${scheme} form, as the browser asks for`, async () => {
      await page.emulateMedia({ colorScheme: scheme });
      await page.goto(`${service.baseUrl}/docs`);
      const summary = page.locator('.opblock-summary-path').first();
      await summary.waitFor();
      const brightness = (what: 'color' | 'backgroundColor', selector: string): Promise<number> =>
        page.locator(selector).first().evaluate((element, name) => (getComputedStyle(element)[name].match(/[\d.]+/g) ?? []).slice(0, 3).reduce((sum, part) => sum + Number(part), 0), what);
      expect((await brightness('color', '.opblock-summary-path')) > 382, 'bright text').to.equal(isDark);
      if (isDark) expect(await brightness('backgroundColor', 'html')).to.be.lessThan(200);
    });
  }
});

import { expect } from 'chai';
import type { Browser, Page } from 'playwright-core';

import { startChromium } from '../support/chromium.js';
import { createReceiver, type Receiver } from '../support/receiver.js';
import { Service } from '../support/service.js';
import { httpTask, submitNew, uniqueId, waitForState, type WireTask } from '../support/tasks.js';

describe('e2e: Bull Board in a browser', function () {
  this.timeout(60_000);

  let service: Service;
  let receiver: Receiver;
  let browser: Browser;
  let page: Page;
  let isDown = true;
  let askedElsewhere: string[] = [];

  before(async () => {
    browser = await startChromium();
    service = await Service.start();
    receiver = await createReceiver();
  });
  after(async () => {
    await browser.close();
    await service.close();
    await receiver.close();
  });
  beforeEach(async () => {
    isDown = true;
    page = await browser.newPage();
    page.setDefaultTimeout(15_000);
    askedElsewhere = [];
    page.on('request', (request) => {
      if (new URL(request.url()).origin !== service.baseUrl) askedElsewhere.push(request.url());
    });
  });
  afterEach(async () => {
    await page.close();
    expect(askedElsewhere.filter((url) => url !== 'about:blank'), 'no request leaves the origin').to.deep.equal([]);
  });

  async function deadLetter(id: string, path: string): Promise<WireTask> {
    receiver.on(path, () => ({ kind: 'answer', status: isDown ? 500 : 200, body: isDown ? 'database down' : '' }));
    const task = httpTask(receiver.url(path), { id, max_retries: 1, dead_destination: { url: receiver.url('/dead') } });
    await submitNew(service.baseUrl, task);
    await waitForState(service.baseUrl, task.id, 'dead_lettered');
    return task;
  }

  it('has a link to the operations page, whose task leads back to its job', async () => {
    const task = httpTask(receiver.url('/later'), { initial_delay: 3_600 });
    await submitNew(service.baseUrl, task);
    await page.goto(`${service.baseUrl}/admin/queues`);
    await page.getByRole('link', { name: 'Operations page' }).click();
    await page.waitForURL(`${service.baseUrl}/admin`);
    await page.goto(`${service.baseUrl}/admin/task?id=${task.id}`);
    await page.getByRole('link', { name: 'its job on the board' }).click();
    await page.getByText(`t-${task.id}`, { exact: true }).first().waitFor();
  });

  it('has both at a phone, too, and no name of a job makes it wider', async () => {
    const task = httpTask(receiver.url(`/${'x'.repeat(180)}`), { initial_delay: 3_600 });
    await submitNew(service.baseUrl, task);
    for (const width of [375, 1_200]) {
      await page.setViewportSize({ width, height: 740 });
      await page.goto(`${service.baseUrl}/admin/queues/queue/deliver-0?status=delayed`);
      await page.getByText(`t-${task.id}`, { exact: true }).first().waitFor();
      expect(await page.evaluate(() => document.documentElement.scrollWidth), `at ${width}`).to.be.at.most(width);
      await page.getByRole('link', { name: 'Operations page' }).waitFor();
      await page.getByLabel('Open a task by its id').fill(task.id);
      await page.getByLabel('Open a task by its id').press('Enter');
      await page.waitForURL(/\/deliver-0\/t-/);
      await page.getByText(`t-${task.id}`, { exact: true }).first().waitFor();
    }
  });

  for (const [id, path] of [[uniqueId('order'), '/orders'], ['a:b/c %🚚', '/invoices']] as const) {
    it(`shows the dead letter ${JSON.stringify(id)} by where it was to go and why it failed, and Retry delivers it`, async () => {
      const task = await deadLetter(id, path);
      const list = `${service.baseUrl}/admin/queues/queue/deliver-0?status=failed`;
      await page.goto(list);
      const name = page.getByRole('heading', { name: `http ${receiver.url(path)}` });
      await name.waitFor();
      const link = page.getByRole('link', { name: `t-${encodeURIComponent(id)}` });
      await link.waitFor();
      await page.getByText('http_server_error').first().waitFor();

      await link.click();
      await page.waitForURL(/\/deliver-0\/t-/); // the page of this one alone
      await page.getByText('http_server_error').first().waitFor();
      await page.goto(list);
      await name.waitFor();

      isDown = false;
      // The buttons of a job have pictures only: two arrows that turn are Retry, and the question they ask proves it.
      const retry = page.getByRole('button').filter({ has: page.locator('svg.lucide-refresh-cw'), hasText: /^$/ });
      await page.locator('div').filter({ has: link }).filter({ has: retry }).last().locator(retry).click();
      await page.getByText('Are you sure that you want to retry this job?').waitFor();
      await page.getByRole('button', { name: 'Confirm' }).click();
      const shown = await waitForState(service.baseUrl, task.id, 'delivered');
      expect(shown.run).to.equal(2);
      expect(receiver.requestsFor(task.id).map((request) => [request.path, request.key])).to.deep.equal([
        [path, `${id}|0`],
        [path, `${id}|1`],
        ['/dead', `${id}|dead|2`],
        [path, `${id}|0`],
      ]);
    });
  }

  it('shows on the page of each task its own, when it is opened from the list and when it is loaded by its address, however alike two ids are', async () => {
    const ids = ['z/b', 'z%2Fb', 'z%252Fb', 'z:b', 'z%3Ab', 'zü b'];
    const prefix = uniqueId('alike');
    for (const id of ids) await submitNew(service.baseUrl, httpTask(receiver.url('/waits'), { id: prefix + id, initial_delay: 3_600 }));
    const shownBy = async (act: () => Promise<unknown>): Promise<unknown> => {
      const asked = page.waitForResponse((response) => new URL(response.url()).pathname.includes('/api/queues/deliver-0/t-')).then((response): Promise<unknown> => response.json());
      const [answer] = await Promise.all([asked, act()]);
      // The board answers so; what is read of it is compared.
      return (answer as { job: { data: { id: string } } }).job.data.id;
    };
    for (const id of ids) {
      await page.goto(`${service.baseUrl}/admin/queues/queue/deliver-0?status=delayed`);
      const link = page.getByRole('link', { name: `t-${encodeURIComponent(prefix + id)}`, exact: true });
      expect(await shownBy(() => link.click()), 'from the list').to.equal(prefix + id);
      const address = page.url();
      await page.goto('about:blank');
      expect(await shownBy(() => page.goto(address)), 'loaded by its address').to.equal(prefix + id);
    }
  });

  it('shows of the actions of jobs and queues only Retry and Retry all, and those only where they are taken', async () => {
    const dead = await deadLetter(uniqueId('dead'), '/hidden');
    const waiting = httpTask(receiver.url('/hidden'), { id: uniqueId('waits'), initial_delay: 0, max_retries: 5, base_delay: 3_600 });
    await submitNew(service.baseUrl, waiting);
    await waitForState(service.baseUrl, waiting.id, 'retrying');
    receiver.on('/fine', { kind: 'answer', status: 200 });
    const delivered = httpTask(receiver.url('/fine'), { id: uniqueId('delivered') });
    await submitNew(service.baseUrl, delivered);
    await waitForState(service.baseUrl, delivered.id, 'delivered');

    /** The pictures of the actions that a person can see. */
    const shownActions = async (): Promise<readonly string[]> => {
      const icons = page.locator('[class*="jobActions-"] svg, [class*="queueActions-"] svg, [role="menuitem"] > svg, button:has(.lucide-ellipsis-vertical) svg');
      const seen: string[] = [];
      for (const icon of await icons.all()) if (await icon.isVisible()) seen.push(/lucide-[a-z-]+/.exec((await icon.getAttribute('class')) ?? '')?.[0] ?? 'unknown');
      return [...new Set(seen)];
    };
    const retry = ['lucide-refresh-cw'];
    const pages: readonly (readonly [address: string, id: string, actions: readonly string[]])[] = [
      ['?status=failed', dead.id, retry],
      ['?status=delayed', waiting.id, []],
      ['?status=completed', delivered.id, []],
      [`/t-${dead.id}`, dead.id, retry],
      [`/t-${waiting.id}`, waiting.id, []],
      [`/t-${delivered.id}`, delivered.id, []],
    ];
    for (const [address, id, actions] of pages) {
      await page.goto(`${service.baseUrl}/admin/queues/queue/deliver-0${address}`);
      await page.getByText(`t-${id}`, { exact: true }).first().waitFor();
      expect(await shownActions(), address).to.deep.equal(actions);
    }
    await page.goto(`${service.baseUrl}/admin/queues`);
    await page.locator('button:has(.lucide-ellipsis-vertical)').filter({ visible: true }).first().click();
    await page.getByRole('menuitem', { name: 'Sort by' }).waitFor();
    expect((await shownActions()).filter((icon) => !['lucide-ellipsis-vertical', 'lucide-arrow-up-down', 'lucide-arrow-down', 'lucide-arrow-up'].includes(icon))).to.deep.equal(retry);
  });

  it('opens a task by its id, and loads its page again whatever the id, and shows its attempts as lines', async () => {
    receiver.on('/percent', { kind: 'answer', status: 500, body: 'database down' });
    for (const id of ['50%', uniqueId('order')]) {
      await submitNew(service.baseUrl, httpTask(receiver.url('/percent'), { id, initial_delay: 0, max_retries: 5, base_delay: 3_600 }));
      await waitForState(service.baseUrl, id, 'retrying');
      await page.goto(`${service.baseUrl}/admin/queues`);
      await page.getByLabel('Open a task by its id').fill(id);
      await page.getByLabel('Open a task by its id').press('Enter');
      for (const load of [undefined, () => page.reload()]) {
        await load?.();
        await page.getByText(`t-${encodeURIComponent(id)}`, { exact: true }).waitFor();
      }
      await page.getByText(/\(backoff: attempt 0 of 5 failed with http_server_error, the next one is at /).waitFor();
      expect(await page.getByText('Will run at').count()).to.equal(0);
      await page.getByRole('tab', { name: 'Logs' }).click();
      await page.getByText(/run 1, attempt 0: failed after \d+ ms, http_server_error: HTTP 500: database down; next: retry/).waitFor();
    }
  });
});

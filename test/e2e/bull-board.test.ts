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
    // The board's page asks for fonts from elsewhere: it has to work where there is no elsewhere.
    await page.route((url) => url.origin !== service.baseUrl, (route) => route.abort());
  });
  afterEach(() => page.close());

  async function deadLetter(id: string, path: string): Promise<WireTask> {
    receiver.on(path, () => ({ kind: 'answer', status: isDown ? 500 : 200, body: isDown ? 'database down' : '' }));
    const task = httpTask(receiver.url(path), { id, max_retries: 1, dead_destination: { url: receiver.url('/dead') } });
    await submitNew(service.baseUrl, task);
    await waitForState(service.baseUrl, task.id, 'dead_lettered');
    return task;
  }

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
});

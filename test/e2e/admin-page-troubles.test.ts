import { expect } from 'chai';
import type { Browser, Page } from 'playwright-core';

import { parkTasks } from '../support/bulk-actions.js';
import { startChromium } from '../support/chromium.js';
import { eventually } from '../support/eventually.js';
import { createReceiver, type Receiver } from '../support/receiver.js';
import { PrivateRedis } from '../support/redis.js';
import { InProcessService } from '../support/service-in-process.js';
import { call, httpTask, submitNew, waitForState } from '../support/tasks.js';
import { openWatchedPage } from '../support/watched-page.js';

const views = ['/admin', '/admin/tasks', '/admin/destinations', '/admin/failures', '/admin/bulk-actions', '/admin/audit'] as const;

/** Each trouble has its sentence, and the page gets over it by itself. */
describe('e2e: the operations page when something is wrong', function () {
  this.timeout(120_000);

  let browser: Browser;
  let redis: PrivateRedis;
  let service: InProcessService;
  let receiver: Receiver;
  let page: Page;
  let troubles: string[];

  before(async () => {
    [browser, redis, receiver] = await Promise.all([startChromium(), PrivateRedis.start(), createReceiver()]);
    service = await InProcessService.ready({ redis: redis.address });
  });
  after(async () => {
    await browser.close();
    await service.close();
    await redis.close();
    await receiver.close();
  });
  beforeEach(async () => { ({ page, troubles } = await openWatchedPage(browser, service.baseUrl)); });
  afterEach(async () => {
    await page.close();
    // The browser logs each answer of 4xx and 5xx, and each call that found nobody.
    expect(troubles.filter((text) => !/^Failed to load resource/.test(text))).to.deep.equal([]);
  });
  const open = (path: string): Promise<unknown> => page.goto(`${service.baseUrl}${path}`);
  const sees = (text: string | RegExp): Promise<void> => page.getByText(text).filter({ visible: true }).first().waitFor();

  it('says what to do where there is nothing yet', async () => {
    for (const [path, sentence] of [['/admin', 'Hand over a task with'], ['/admin/tasks', 'Hand over a task with'], ['/admin/destinations', 'It appears with its first send.'], ['/admin/failures', 'No send has failed in the last 1h.'], ['/admin/bulk-actions', 'then act on all that match'], ['/admin/audit', 'Every change by a person or a program stands here']] as const) {
      await open(path);
      await sees(sentence);
    }
    await open('/admin/task?id=nobody');
    await sees(/is known: it was never submitted/);
    await open('/admin/destination?key=nowhere');
    await page.getByRole('heading', { name: 'nowhere' }).waitFor();
    await open('/admin/bulk-action?id=none');
    await page.getByRole('alert').filter({ visible: true }).first().waitFor();
  });

  it('says on every view that no worker runs, and that all is well when one is back', async () => {
    for (const path of ['/admin', '/admin/tasks'] as const) {
      await open(path);
      await sees(/no worker has reported within 5 s: nothing is sent/i);
      await sees(/Start one: npm run worker/);
    }
    expect(await page.getByRole('link', { name: 'no worker' }).count(), 'no view shows more of it').to.equal(0);
    await open('/admin/destination?key=nowhere');
    await page.locator('.state', { hasText: 'no worker' }).waitFor();
    await service.startWorker();
    await eventually(async () => expect(await page.getByText('no worker has reported').count()).to.equal(0), { withinMs: 30_000 });
    await open('/admin');
    await page.getByRole('heading', { name: 'All is well' }).waitFor();
  });

  it('says that Redis is away, keeps what was typed, and goes on by itself when it is back', async () => {
    receiver.on('/kept', { kind: 'answer', status: 400 });
    const [id = ''] = await parkTasks(service.baseUrl, receiver.url('/kept'), 1);
    await open(`/admin/task?id=${id}`);
    await page.getByRole('button', { name: 'Send again …' }).click();
    await page.locator('dialog[open]').getByLabel('Reason').fill('back');
    await redis.shutDown();
    await sees(/[Rr]edis/);
    await page.locator('dialog[open]').getByRole('button', { name: 'Send again' }).click();
    await page.locator('dialog[open]').getByRole('alert').getByText(/It is not known whether it was done: look before you repeat it/).waitFor();
    const other = await openWatchedPage(browser, service.baseUrl);
    for (const path of views) {
      await other.page.goto(`${service.baseUrl}${path}`);
      await other.page.getByText(/[Rr]edis/).filter({ visible: true }).first().waitFor();
    }
    await other.page.close();
    await redis.restart();
    receiver.on('/kept', { kind: 'answer' });
    await eventually(async () => expect((await call(service.baseUrl, `/tasks/${id}`)).status).to.equal(200), { withinMs: 30_000 });
    expect(await page.locator('dialog[open]').getByLabel('Reason').inputValue()).to.equal('back');
    await page.locator('dialog[open]').getByRole('button', { name: 'Send again' }).click();
    await waitForState(service.baseUrl, id, 'delivered', { withinMs: 30_000 });
    await sees('It was delivered');
  });

  it('says that nobody answers and how old the data is, and goes on when somebody does', async () => {
    await open('/admin');
    await page.locator('.tiles').waitFor();
    await page.context().setOffline(true);
    await sees(/The service cannot be reached. What you see may be old; the page asks again by itself./);
    await sees(/No answer, as of/);
    expect(await page.locator('.tiles').isVisible(), 'the last numbers stay').to.equal(true);
    await page.context().setOffline(false);
    await eventually(async () => expect(await page.getByText('The service cannot be reached').count()).to.equal(0), { withinMs: 30_000 });
  });

  it('shows the other parts of a view when one of its calls fails, or is not there in an older process', async () => {
    await submitNew(service.baseUrl, httpTask(receiver.url('/well')));
    const refused = { '/failures': [500, 'bug', 'this is a bug of the service'], '/history': [404, 'not_found', 'there is nothing at /history'] } as const;
    for (const [path, [status, code, error]] of Object.entries(refused)) {
      // The process that is asked is of another version: what is here takes its place.
      await page.route(`**${path}?*`, (route) => route.fulfill({ status, contentType: 'application/json', body: JSON.stringify({ error, code, request_id: 'x' }) }));
    }
    await open('/admin');
    await sees('This is a bug of the service.');
    await sees('This process is of an older version, which cannot do this yet. Reload the page in a minute.');
    await page.locator('table.destinations tbody tr').first().waitFor();
    await page.locator('.tiles').waitFor();
    await page.unrouteAll();
    await sees(/Nothing has failed|Failed sends/);
  });

  it('still works beside a process that does not tell all of it: fields that are newer are missing', async () => {
    receiver.on('/older', { kind: 'answer', status: 400 });
    await parkTasks(service.baseUrl, receiver.url('/older'), 1);
    await page.route('**/failures?*', async (route) => {
      const answer = await route.fetch();
      const body = (await answer.json()) as { groups: Record<string, unknown>[] };
      for (const group of body.groups) delete group['by_phase'];
      await route.fulfill({ response: answer, json: body });
    });
    await open('/admin/failures');
    await page.getByRole('row', { name: /\/older/ }).getByRole('link', { name: 'Show' }).waitFor();
  });

  it('keeps a view that cannot show an answer from taking the others with it', async () => {
    await page.route('**/bulk-actions?*', (route) => route.fulfill({ json: { bulk_actions: [null], next_cursor: null } }));
    await open('/admin/bulk-actions');
    await sees(/This view cannot show what the service answered/);
    await page.getByRole('link', { name: 'Destinations' }).click();
    await page.getByRole('heading', { name: 'Destinations' }).waitFor();
  });
});

import { expect } from 'chai';
import type { Browser, Locator, Page } from 'playwright-core';

import { parkTasks } from '../support/bulk-actions.js';
import { startChromium } from '../support/chromium.js';
import { eventually } from '../support/eventually.js';
import { createReceiver, type Receiver } from '../support/receiver.js';
import { InProcessService } from '../support/service-in-process.js';
import { call, getTaskAnswer, httpTask, submitNew, uniqueId, waitForState, type WireTask } from '../support/tasks.js';
import { openWatchedPage } from '../support/watched-page.js';

const STEPS = 2;

/** The nine questions of nine-questions.test.ts, asked by a person: from the first screen, each with at most two steps. */
describe('e2e: the nine questions at the operations page', function () {
  this.timeout(60_000);

  let browser: Browser;
  let service: InProcessService;
  let receiver: Receiver;
  let page: Page;
  let troubles: string[];
  let steps = 0;
  let held: WireTask;
  let lost: WireTask;

  before(async () => {
    [browser, service, receiver] = await Promise.all([startChromium(), InProcessService.ready(), createReceiver()]);
    await service.startWorker();
    const paused = await call(service.baseUrl, `/destinations/${encodeURIComponent(receiver.url('/held'))}/pause`, { method: 'POST', headers: { 'content-type': 'application/json', 'x-operator': 'Anna' }, body: '{"reason":"they move"}' });
    expect(paused.status).to.equal(200);
    receiver.on('/orders', { kind: 'answer', status: 400 });
    receiver.on('/invoices', { kind: 'answer', status: 402 });
    receiver.on('/tpyo', { kind: 'answer', status: 404 });
    // Workers learn of a pause within 200 ms, and later on a crowded machine.
    held = httpTask(receiver.url('/held'), { id: uniqueId('held'), initial_delay: 3 });
    lost = httpTask(receiver.url('/orders'), { client_id: 'acme', message_data: '{"order":{"id":123}}', on_exhausted: 'park' });
    const well = httpTask(receiver.url('/well'), { client_id: 'acme' });
    for (const task of [held, lost, well]) await submitNew(service.baseUrl, task);
    await eventually(async () => expect((await getTaskAnswer(service.baseUrl, held.id)).body['waiting_for']).to.include({ code: 'paused' }), { withinMs: 20_000 });
    await waitForState(service.baseUrl, lost.id, 'parked');
    await waitForState(service.baseUrl, well.id, 'delivered');
    await parkTasks(service.baseUrl, receiver.url('/invoices'), 3, { client_id: 'globex' });
    await parkTasks(service.baseUrl, receiver.url('/tpyo'), 1, { client_id: 'globex' });
  });
  after(async () => {
    await browser.close();
    await service.close();
    await receiver.close();
  });
  beforeEach(async () => {
    ({ page, troubles } = await openWatchedPage(browser, service.baseUrl));
    steps = 0;
    await page.goto(`${service.baseUrl}/admin`);
    await page.locator('.tiles').waitFor();
  });
  afterEach(async () => {
    await page.close();
    expect(troubles).to.deep.equal([]);
    expect(steps, 'steps').to.be.at.most(STEPS);
  });

  async function click(what: Locator): Promise<void> {
    steps += 1;
    await what.click();
  }
  async function search(q: string): Promise<void> {
    steps += 1;
    await page.keyboard.press('/');
    await page.locator('#search:focus').waitFor();
    await page.keyboard.type(q);
    await page.keyboard.press('Escape');
    await page.keyboard.press('Enter');
  }
  const dialog = (): Locator => page.locator('dialog[open]');
  const link = (name: string): Locator => page.getByRole('link', { name, exact: true });
  const sees = (text: string | RegExp): Promise<void> => page.getByText(text).filter({ visible: true }).first().waitFor();

  it('1: acme says that order 123 never arrived', async () => {
    await search('client_id:acme data.order.id:123');
    await click(link(lost.id));
    await sees('It waits for a person since');
    await sees('(400)');
  });

  it('2: why is it not being sent', async () => {
    await search(held.id);
    await click(link(held.id));
    await page.locator('.state', { hasText: /paused.*Anna.*they move/ }).waitFor();
  });

  it('3: what failed most in the last hour, by destination and error', async () => {
    await page.getByRole('row', { name: /\/invoices.*402.*3/ }).waitFor();
    const rows = await page.getByRole('region', { name: 'Failing now' }).getByRole('row').allTextContents();
    expect(rows[1]).to.match(/\/invoices.*402/);
  });

  it('5: who paused this, when and why', async () => {
    await click(link('paused'));
    await click(page.getByRole('row', { name: /\/held paused/ }).getByRole('link').first());
    await sees(/since .* by Anna: “they move”/);
  });

  it('6: is it healthy, does the backlog grow, how late are we', async () => {
    await page.getByRole('heading', { name: 'Something needs a look' }).waitFor();
    for (const name of ['Late', 'Due', 'Waiting']) await page.locator('.tile', { has: page.getByText(name, { exact: true }) }).waitFor();
    await page.locator('.tile', { hasText: 'Due' }).getByText(/steady|a second/).waitFor();
  });

  it('7: what is the throughput now', async () => {
    await page.locator('.tile', { hasText: 'Delivered a second' }).getByText(/^\d/).first().waitFor();
    await page.getByRole('img', { name: /Tasks a second: delivered/ }).waitFor();
  });

  it('8: correct a wrong URL in a parked task and send it again', async () => {
    await click(page.getByRole('row', { name: /\/tpyo.*404/ }).getByRole('link', { name: 'Newest' }));
    await click(page.getByRole('button', { name: 'Edit …' }));
    const destination = dialog().getByLabel('Destination', { exact: true });
    await destination.fill((await destination.inputValue()).replace('tpyo', 'typo'));
    await dialog().getByRole('button', { name: 'Save and send again' }).click();
    await sees('It was delivered');
  });

  it('9: all tasks of acme', async () => {
    await search('client_id:acme');
    await page.locator('table.tasks tbody tr').nth(1).waitFor();
    await sees('2 shown');
    await sees('That is all.');
  });

  it('4: the receiver is back: send its dead letters again, and no others', async () => {
    receiver.on('/invoices', { kind: 'answer' });
    await click(page.getByRole('row', { name: /\/invoices.*402/ }).getByRole('button', { name: 'Redrive …' }));
    await dialog().getByText('tasks, counted exactly').waitFor();
    await click(dialog().getByRole('button', { name: 'Redrive 3' }));
    await page.locator('.outcome div', { hasText: 'delivered' }).getByText('3').waitFor();
    expect(receiver.requestsFor(lost.id)).to.have.lengthOf(1);
  });
});

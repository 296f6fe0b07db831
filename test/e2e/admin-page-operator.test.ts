import { expect } from 'chai';
import type { Browser, Page } from 'playwright-core';

import { parkTasks, submitAll, waitUntilSettled } from '../support/bulk-actions.js';
import { startChromium } from '../support/chromium.js';
import { eventually } from '../support/eventually.js';
import { createReceiver, type Receiver } from '../support/receiver.js';
import { InProcessService } from '../support/service-in-process.js';
import { call, getTaskAnswer, httpTask, retryNow, submitNew, uniqueId, waitForState } from '../support/tasks.js';
import { openWatchedPage } from '../support/watched-page.js';

/** What an operator does at night, and what must not be in the way of it. */
describe('e2e: an operator at the operations page', function () {
  this.timeout(120_000);

  let browser: Browser;
  let service: InProcessService;
  let receiver: Receiver;
  let page: Page;
  let troubles: string[];

  before(async () => {
    [browser, service, receiver] = await Promise.all([startChromium('--host-resolver-rules=MAP *.test 127.0.0.1'), InProcessService.ready({ allowedHosts: 'page.test', dead: { attempts: 1, baseDelayMs: 10, maxDelayMs: 10 } }), createReceiver()]);
    await service.startWorker({ concurrency: 200 });
  });
  after(async () => {
    await browser.close();
    await service.close();
    await receiver.close();
  });
  /** A name that is no loopback: over plain http such a page has no clipboard. */
  const plainHttp = (): string => service.baseUrl.replace('127.0.0.1', 'page.test');
  beforeEach(async function () {
    ({ page, troubles } = await openWatchedPage(browser, this.currentTest?.title.includes('plain http') === true ? plainHttp() : service.baseUrl));
  });
  afterEach(async () => {
    await page.close();
    expect(troubles, 'no request leaves the origin, and the browser complains of nothing').to.deep.equal([]);
  });

  const open = (path: string): Promise<unknown> => page.goto(`${service.baseUrl}${path}`);
  const dialog = () => page.locator('dialog[open]');
  async function countOf(filter: string): Promise<unknown> {
    return (await call(service.baseUrl, `/counts?${filter}`)).body['count'];
  }

  it('starts 500 dead letters of one destination again when their receiver is back, and 500 others stay', async () => {
    const ids = new Map<string, readonly string[]>();
    for (const path of ['/back', '/down']) {
      receiver.on(path, { kind: 'answer', status: 400 });
      const tasks = Array.from({ length: 500 }, () => httpTask(receiver.url(path), { dead_destination: { url: receiver.url('/dead') } }));
      ids.set(path, tasks.map(({ id }) => id));
      await submitAll(service.baseUrl, tasks);
    }
    await eventually(async () => expect(await countOf('state=dead_lettered')).to.equal(1_000), { withinMs: 60_000, everyMs: 250 });
    receiver.on('/back', { kind: 'answer' });
    // From the first screen: the group of failures, and its button.
    await open('/admin');
    const group = page.getByRole('row', { name: /\/back.*400.*500/ });
    await group.getByRole('button', { name: 'Redrive …' }).click();
    await dialog().getByText('tasks, counted exactly').waitFor();
    const start = dialog().getByRole('button', { name: 'Redrive 500' });
    await dialog().getByLabel('Reason').fill('back since 3:10');
    expect(await start.isDisabled(), 'so many are typed, not clicked').to.equal(true);
    await dialog().getByLabel(/to confirm/).fill('50');
    expect(await start.isDisabled()).to.equal(true);
    await dialog().getByLabel(/to confirm/).fill('500');
    await start.click();
    await page.getByRole('heading', { name: '500 tasks' }).waitFor();
    await page.locator('.outcome div', { hasText: 'delivered' }).getByText('500').waitFor();
    const action = await waitUntilSettled(service.baseUrl, new URL(page.url()).searchParams.get('id') ?? '');
    expect(action).to.deep.include({ state: 'done', matched: 500, delivered: 500, failed_again: 0 });
    expect([await countOf('state=dead_lettered'), await countOf('state=delivered')]).to.deep.equal([500, 500]);
    for (const id of ids.get('/down') ?? []) expect(receiver.requestsFor(id).filter(({ path }) => path === '/down')).to.have.lengthOf(1);
    for (const id of ids.get('/back') ?? []) expect(receiver.requestsFor(id).filter(({ path }) => path === '/back')).to.have.lengthOf(2);
  });

  it('says what a task is now when another person was faster, and sends nothing', async () => {
    receiver.on('/stale', { kind: 'answer', status: 400 });
    const [id = ''] = await parkTasks(service.baseUrl, receiver.url('/stale'), 1);
    await open(`/admin/task?id=${id}`);
    await page.getByRole('button', { name: 'Edit …' }).click();
    const message = dialog().getByLabel('Message, as it is sent');
    await message.fill('{"mended":true}');
    receiver.on('/stale', { kind: 'answer' });
    await retryNow(service.baseUrl, id);
    await waitForState(service.baseUrl, id, 'delivered');
    await dialog().getByRole('button', { name: 'Save and send again' }).click();
    await dialog().getByRole('alert').getByText(/delivered/).waitFor();
    expect(await message.inputValue(), 'what was typed stays').to.equal('{"mended":true}');
    await page.getByText('It was delivered').waitFor();
    await dialog().getByRole('button', { name: 'Leave it' }).click();
    expect(await page.getByRole('button', { name: /Edit|Send again|Delete/ }).count(), 'nothing is offered any more that would be refused').to.equal(0);
    expect(receiver.requestsFor(id)).to.have.lengthOf(2);
    expect((await getTaskAnswer(service.baseUrl, id)).body).to.include({ edits: 0, run: 2 });
    // The browser logs each answer of 4xx.
    expect(troubles.splice(0)).to.have.lengthOf(1);
  });

  it('leads from dead letters that failed to the tasks themselves, whose filter would find nothing', async () => {
    receiver.on('/first', { kind: 'answer', status: 400 });
    receiver.on('/grave', { kind: 'answer', status: 410 });
    const tasks = Array.from({ length: 2 }, () => httpTask(receiver.url('/first'), { dead_destination: { url: receiver.url('/grave') } }));
    for (const task of tasks) await submitNew(service.baseUrl, task);
    for (const { id } of tasks) await waitForState(service.baseUrl, id, 'parked');
    await open('/admin/failures');
    const group = page.getByRole('row', { name: /\/grave dead letters.*410/ });
    expect(await group.getByRole('button', { name: 'Redrive …' }).count()).to.equal(0);
    await group.getByRole('link', { name: 'Newest 2' }).click();
    await page.locator('table.tasks tbody tr').nth(1).waitFor();
    expect((await page.locator('table.tasks .id').allTextContents()).toSorted()).to.deep.equal(tasks.map(({ id }) => id).toSorted());
  });

  it('needs no mouse: search, redrive and its confirmation go by the keyboard', async () => {
    receiver.on('/keys', { kind: 'answer', status: 400 });
    const ids = await parkTasks(service.baseUrl, receiver.url('/keys'), 3);
    receiver.on('/keys', { kind: 'answer' });
    await open('/admin');
    await page.getByRole('heading', { level: 1 }).waitFor();
    await page.keyboard.press('Tab');
    expect(await focused()).to.equal('To the content');
    await page.keyboard.press('/');
    await page.keyboard.type(`state:parked destination_key:"${receiver.url('/keys')}"`);
    await page.keyboard.press('Escape');
    await page.keyboard.press('Enter');
    await page.locator('table.tasks tbody tr').nth(2).waitFor();
    await tabTo('Redrive …');
    await page.keyboard.press('Enter');
    await dialog().getByText('tasks, counted exactly').waitFor();
    expect(await page.evaluate(() => document.querySelector('dialog')?.contains(document.activeElement)), 'focus is in the dialog').to.equal(true);
    await page.keyboard.press('Escape');
    expect(await focused(), 'and back where it was').to.equal('Redrive …');
    await page.keyboard.press('Enter');
    await dialog().getByText('tasks, counted exactly').waitFor();
    await tabTo('Redrive 3');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: '3 tasks' }).waitFor();
    for (const id of ids) await waitForState(service.baseUrl, id, 'delivered');
  });
  const focused = (): Promise<string> => page.evaluate(() => document.activeElement?.textContent ?? '');
  async function tabTo(name: string): Promise<void> {
    for (let steps = 0; steps < 60 && (await focused()) !== name; steps += 1) await page.keyboard.press('Tab');
    expect(await focused()).to.equal(name);
  }

  it('takes a client of any name from the list to the address and back, and to a colleague', async () => {
    const name = uniqueId('a+b&c#d%,*"\\');
    const own = httpTask(receiver.url('/named'), { client_id: name, initial_delay: 3_600 });
    for (const task of [own, httpTask(receiver.url('/named'), { client_id: `${name}x`, initial_delay: 3_600 })]) await submitNew(service.baseUrl, task);
    const ids = page.locator('table.tasks .id');
    const isAlone = (): Promise<unknown> => eventually(async () => expect(await ids.allTextContents()).to.deep.equal([own.id]));
    await open(`/admin/tasks?q=id:${own.id}`);
    await ids.first().waitFor();
    await page.getByRole('link', { name, exact: true }).click();
    const query = page.getByLabel('Search tasks');
    await query.fill((await query.inputValue()).replace(/^id:\S+ /, ''));
    await query.press('Enter');
    await isAlone();
    const asked = await query.inputValue();
    await ids.first().click();
    await page.locator('.axis').waitFor();
    await page.goBack();
    await isAlone();
    await page.goto(page.url());
    await isAlone();
    expect(await query.inputValue()).to.equal(asked);
  });

  it('shows the answer to the newest question alone, and keeps what was chosen while it is seen', async () => {
    const [first, second] = [uniqueId('first'), uniqueId('second')];
    for (const source of [first, second]) await submitAll(service.baseUrl, Array.from({ length: 3 }, () => httpTask(receiver.url('/late'), { source, initial_delay: 3_600 })));
    const rows = page.locator('table.tasks tbody tr');
    await open(`/admin/tasks?q=source:${second}`);
    await rows.nth(2).waitFor();
    await page.getByLabel(/^Select /).nth(1).check();
    await page.getByLabel(/^Select /).nth(2).check();
    await page.waitForResponse(/\/tasks\?/);
    await page.getByText('2 selected').waitFor();
    let answerFirst = (): void => undefined;
    await page.route(`**/tasks?q=source%3A${first}*`, async (route) => {
      await new Promise<void>((resolve) => { answerFirst = resolve; });
      await route.continue().catch(() => undefined);
    });
    const ask = async (source: string): Promise<void> => { await page.getByLabel('Search tasks').fill(`source:${source}`); await page.keyboard.press('Enter'); };
    const isAsked = page.waitForRequest(new RegExp(`source%3A${first}`));
    await ask(first);
    await isAsked;
    expect(await page.getByText('selected').count(), 'what the filter hides is chosen no more').to.equal(0);
    await ask(second);
    await rows.nth(2).waitFor();
    const shown = await rows.allTextContents();
    answerFirst();
    await page.waitForResponse(new RegExp(`source%3A${second}`));
    expect((await rows.allTextContents()).map((text) => text.slice(0, 20))).to.deep.equal(shown.map((text) => text.slice(0, 20)));
  });

  it('leads from a group without a status of HTTP to just its tasks', async () => {
    const path = `/${uniqueId('nobody')}`;
    const ids = await parkTasks(service.baseUrl, `http://127.0.0.1:9${path}`, 1);
    await open('/admin/failures');
    await page.getByRole('row', { name: path }).getByRole('link', { name: 'Show' }).click();
    await eventually(async () => expect(await page.locator('table.tasks .id').allTextContents()).to.deep.equal(ids));
  });

  it('copies on plain http too, where a browser has no clipboard for pages', async () => {
    const task = httpTask(receiver.url('/copied'), { initial_delay: 3_600, message_data: '{"big":23958446825181076828}' });
    await submitNew(service.baseUrl, task);
    await page.goto(`${plainHttp()}/admin/task?id=${task.id}`);
    await page.getByRole('button', { name: 'Copy' }).first().click();
    await page.getByRole('button', { name: 'Copied' }).waitFor();
    expect(await page.evaluate(() => [isSecureContext, 'clipboard' in navigator])).to.deep.equal([false, false]);
    expect(await pasted()).to.equal(task.id);
    await page.getByRole('button', { name: 'Copied' }).waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'As curl' }).click();
    await page.getByRole('button', { name: 'Copy curl' }).click();
    await page.getByRole('button', { name: 'Copied' }).waitFor();
    expect(await pasted()).to.include('curl').and.include('23958446825181076828');
    // Browsers say so of every page on plain http.
    expect(troubles.splice(0).filter((text) => !text.startsWith('The Cross-Origin-Opener-Policy header has been ignored'))).to.deep.equal([]);
  });
  /** By the keyboard, as a person would: it goes into the name of a dialog's field. */
  async function pasted(): Promise<string> {
    await page.getByRole('button', { name: 'Cancel …' }).click();
    await dialog().getByLabel('Reason').press('ControlOrMeta+V');
    const text = await dialog().getByLabel('Reason').inputValue();
    await dialog().getByRole('button', { name: 'Leave it' }).click();
    return text;
  }

  it('shows times as the reader has them, and in UTC to a pointer', async () => {
    const task = httpTask(receiver.url('/timed'), { initial_delay: 3_600 });
    await submitNew(service.baseUrl, task);
    const { page: far } = await openWatchedPage(await browser.newContext({ timezoneId: 'Asia/Tokyo' }), service.baseUrl);
    await far.goto(`${service.baseUrl}/admin/task?id=${task.id}`);
    const time = far.locator('.facts time').first();
    const at = String((await getTaskAnswer(service.baseUrl, task.id)).body['created_at']);
    expect(await time.getAttribute('title')).to.equal(`${at} (UTC)`);
    const inTokyo = new Date(Date.parse(at) + 9 * 3_600_000).toISOString().slice(11, 19);
    expect(await time.textContent()).to.include(inTokyo);
    await far.context().close();
  });

  it('keeps rows where they are while a person points at them', async () => {
    const group = uniqueId('calm').replaceAll(/[^a-z]/g, '');
    for (const [path, many] of [[`/${group}-a`, 3], [`/${group}-b`, 1]] as const) {
      receiver.on(path, { kind: 'answer', status: 402 });
      await parkTasks(service.baseUrl, receiver.url(path), many);
    }
    await open('/admin/failures');
    const own = page.getByRole('row', { name: new RegExp(`${group}-[ab]`) });
    await own.nth(1).waitFor();
    const order = async (): Promise<readonly string[]> => (await own.allTextContents()).map((text) => new RegExp(`${group}-[ab]`).exec(text)?.[0] ?? '');
    const before = await order();
    await own.nth(1).hover();
    await parkTasks(service.baseUrl, receiver.url(`/${before[1]}`), 6);
    // The numbers move on in place.
    await own.nth(1).getByRole('cell', { name: /^[7-9]$/ }).waitFor();
    expect(await order()).to.deep.equal(before);
    await page.mouse.move(5, 5);
    await eventually(async () => expect(await order()).to.deep.equal([...before].reverse()), { withinMs: 20_000 });
  });
});

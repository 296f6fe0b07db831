import { readFile } from 'node:fs/promises';

import { expect } from 'chai';
import type { Browser, Page, Request } from 'playwright-core';

import { parkTasks, waitForBulkAction, waitUntilSettled } from '../support/bulk-actions.js';
import { startChromium } from '../support/chromium.js';
import { eventually } from '../support/eventually.js';
import { createReceiver, type Receiver } from '../support/receiver.js';
import { InProcessService } from '../support/service-in-process.js';
import { call, getTaskAnswer, httpTask, submitNew, uniqueId, waitForState } from '../support/tasks.js';
import { openWatchedPage } from '../support/watched-page.js';

const BIG = '{"big":23958446825181076828,"price":1.10,"huge":1E400,"a":1,"a":2}';
const MARKUP = '<img src=x onerror="document.title=\'run\'">';

describe('e2e: the operations page', function () {
  this.timeout(120_000);

  let browser: Browser;
  let service: InProcessService;
  let receiver: Receiver;
  let page: Page;
  let troubles: string[] = [];

  before(async () => {
    [browser, service, receiver] = await Promise.all([startChromium(), InProcessService.ready(), createReceiver()]);
    await service.startWorker();
  });
  after(async () => {
    await browser.close();
    await service.close();
    await receiver.close();
  });
  beforeEach(async () => {
    ({ page, troubles } = await openWatchedPage(browser, service.baseUrl));
  });
  afterEach(async () => {
    await page.close();
    expect(troubles, 'no request leaves the origin, and the browser complains of nothing').to.deep.equal([]);
  });

  /** Dead letters of a receiver that answers 400 until it is well. */
  async function parkedAt(path: string, count: number): Promise<{ readonly ids: readonly string[]; readonly mend: () => void }> {
    receiver.on(path, { kind: 'answer', status: 400, body: 'no such order' });
    return { ids: await parkTasks(service.baseUrl, receiver.url(path), count), mend: () => receiver.on(path, { kind: 'answer' }) };
  }
  const open = (path: string): Promise<unknown> => page.goto(`${service.baseUrl}${path}`);
  const button = (name: string | RegExp) => page.getByRole('button', { name });
  const dialog = () => page.locator('dialog[open]');
  const rows = () => page.locator('table.tasks tbody tr');
  let paths = 0;
  const uniquePath = (name: string): string => `/${name}-${(paths += 1)}`;

  it('says whether all is well, what fails, and leads from a group of failures to its tasks', async () => {
    const path = uniquePath('bad');
    const { ids } = await parkedAt(path, 3);
    await open('/admin');
    await page.getByRole('heading', { name: 'Something needs a look' }).waitFor();
    const group = page.getByRole('row', { name: new RegExp(`${path}.*400.*3`) });
    await group.getByRole('link', { name: 'Show' }).click();
    await rows().nth(2).waitFor();
    expect((await rows().locator('.id').allTextContents()).toSorted()).to.deep.equal(ids.toSorted());
    await page.reload();
    await rows().nth(2).waitFor();
    expect(await rows().count()).to.equal(3);
  });

  it('finds a task by one line of search, with completion, and says why it waits', async () => {
    const client = uniqueId('client');
    const task = httpTask(receiver.url('/later'), { client_id: client, initial_delay: 3_600, max_retries: 2 });
    await submitNew(service.baseUrl, task);
    await open('/admin');
    // From the keyboard alone, wherever one is.
    await page.keyboard.press('/');
    await page.locator('#search:focus').waitFor();
    await page.keyboard.type('client_i');
    await page.getByRole('option', { name: /client_id:/ }).waitFor();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.keyboard.type(client);
    await page.keyboard.press('Escape');
    await page.keyboard.press('Enter');
    await rows().first().waitFor();
    expect(new URL(page.url()).searchParams.get('q')).to.equal(`client_id:${client}`);
    await page.locator('a.id').first().focus();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: task.id }).waitFor();
    await page.locator('.state', { hasText: /waits for its time: the first send is in (59 min|1 h)/ }).waitFor();
    expect(await page.locator('svg.axis circle').count(), 'accepted, next, and two retries if it fails').to.equal(4);
    // At a phone, too, what comes next is in sight.
    await page.setViewportSize({ width: 375, height: 740 });
    await eventually(async () => {
      const place = await page.locator('svg.axis .next circle').boundingBox();
      expect((place?.x ?? 0) + (place?.width ?? Infinity)).to.be.within(20, 362);
    }, { withinMs: 2_000 });
    await page.setViewportSize({ width: 1_280, height: 900 });
    await page.goBack();
    await rows().first().waitFor();
  });

  it('says where a query is wrong, and never shows the unfiltered list under it', async () => {
    await open(`/admin/tasks?q=${encodeURIComponent('state:parked clint_id:x')}`);
    await page.getByText(/At 13: .*did you mean client_id/).first().waitFor();
    expect(await rows().count()).to.equal(0);
    // One that is typed has its complaint with Enter, and the buttons below say which query they act on.
    await parkedAt(uniquePath('typed'), 1);
    await open('/admin/tasks?q=state:parked');
    await page.getByRole('toolbar', { name: 'All that match' }).getByText('state:parked', { exact: true }).waitFor();
    await page.locator('#search').press('End');
    await page.keyboard.type(' client:acme');
    await page.keyboard.press('Enter');
    await page.getByText(/At 13: .*did you mean client_id/).waitFor();
    expect(new URL(page.url()).searchParams.get('q')).to.equal('state:parked');
  });

  it('says where the dead letter went, and leads to both destinations', async () => {
    const [bad, dead] = [uniquePath('bad'), uniquePath('dead')];
    receiver.on(bad, { kind: 'answer', status: 400 });
    const task = httpTask(receiver.url(bad), { max_retries: 0, dead_destination: { url: receiver.url(dead) } });
    await submitNew(service.baseUrl, task);
    await waitForState(service.baseUrl, task.id, 'dead_lettered');
    await open(`/admin/task?id=${task.id}`);
    await page.locator('.state', { hasText: `Its dead destination ${receiver.url(dead)} has it since` }).getByRole('link').waitFor();
    await page.locator('.facts').getByRole('link', { name: receiver.url(dead) }).waitFor();
    await page.locator('.facts').getByRole('link', { name: receiver.url(bad) }).click();
    await page.getByRole('heading', { name: receiver.url(bad) }).waitFor();
    await page.goBack();
    const { status } = await call(service.baseUrl, `/tasks/${task.id}`, { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ dead_destination: { url: receiver.url(uniquePath('other')) } }) });
    expect(status).to.equal(200);
    await page.locator('.state', { hasText: 'The dead destination that it had then has it since' }).waitFor();
  });

  it('fits the time axis to a phone that was there before its second point', async () => {
    const slow = uniquePath('slow');
    receiver.on(slow, { kind: 'answer', status: 500, delayMs: 4_000 });
    const task = httpTask(receiver.url(slow), { max_retries: 1, base_delay: 3_600 });
    await submitNew(service.baseUrl, task);
    await page.setViewportSize({ width: 375, height: 740 });
    await open(`/admin/task?id=${task.id}`);
    await page.locator('.state', { hasText: 'It is being sent now' }).waitFor();
    expect(await page.locator('svg.axis').count()).to.equal(0);
    await page.locator('svg.axis').waitFor();
    expect(Number((await page.locator('svg.axis').getAttribute('viewBox'))?.split(' ')[2])).to.be.below(600);
    await page.setViewportSize({ width: 1_280, height: 900 });
  });

  it('redrives just the dead letters that match, shows their number first, and then what became of them', async () => {
    const [mended, other] = [uniquePath('mended'), uniquePath('other')];
    const { ids, mend } = await parkedAt(mended, 25);
    const { ids: others } = await parkedAt(other, 5);
    mend();
    await open(`/admin/tasks?q=${encodeURIComponent(`state:parked destination_key:"${receiver.url(mended)}"`)}`);
    await button('Redrive …').click();
    await dialog().getByText('25', { exact: true }).first().waitFor();
    await dialog().getByText('tasks, counted exactly').waitFor();
    await dialog().getByLabel('Reason').fill('receiver is back');
    await dialog().getByRole('button', { name: 'Redrive 25' }).click();
    await page.getByRole('heading', { name: '25 tasks' }).waitFor();
    const id = new URL(page.url()).searchParams.get('id') ?? '';
    await page.locator('.outcome div', { hasText: 'delivered' }).getByText('25').waitFor();
    expect(await waitUntilSettled(service.baseUrl, id)).to.deep.include({ delivered: 25, reason: 'receiver is back' });
    for (const task of ids) expect(receiver.requestsFor(task)).to.have.lengthOf(2);
    for (const task of others) expect(receiver.requestsFor(task)).to.have.lengthOf(1);
  });

  it('asks again, and touches nothing, when other tasks match than were shown', async () => {
    const path = uniquePath('growing');
    const { ids, mend } = await parkedAt(path, 3);
    await open(`/admin/tasks?q=${encodeURIComponent(`state:parked destination_key:"${receiver.url(path)}"`)}`);
    await button('Redrive …').click();
    await dialog().getByText('tasks, counted exactly').waitFor();
    const [late = ''] = await parkTasks(service.baseUrl, receiver.url(path), 1);
    mend();
    troubles = [];
    await dialog().getByRole('button', { name: 'Redrive 3' }).click();
    await dialog().getByText('It was 3 when you looked, and nothing was touched. Now it is 4: look again.').waitFor();
    for (const task of [...ids, late]) expect(receiver.requestsFor(task)).to.have.lengthOf(1);
    // The browser logs each answer of 4xx.
    troubles = [];
    await dialog().getByRole('button', { name: 'Redrive 4' }).click();
    await page.getByRole('heading', { name: '4 tasks' }).waitFor();
    for (const task of [...ids, late]) await waitForState(service.baseUrl, task, 'delivered');
  });

  it('shows of a bulk action with a limit how far it is within that, and calls its course as the service does', async () => {
    const path = uniquePath('limited');
    await parkedAt(path, 3);
    const { body } = await call(service.baseUrl, '/bulk-actions', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ action: 'redrive', filter: { destination_key: receiver.url(path) }, limit: 2, rate: 0.001 }) });
    await open(`/admin/bulk-action?id=${String(body['id'])}`);
    await page.getByRole('heading', { name: '2 of the 3 tasks that match' }).waitFor();
    const bar = page.getByRole('progressbar');
    expect([await bar.getAttribute('aria-valuemax'), Number(await bar.getAttribute('aria-valuenow')) <= 1]).to.deep.equal(['2', true]);
    await button('Pause …').click();
    await dialog().getByRole('button', { name: 'Pause' }).click();
    await button('Resume …').waitFor();
    await button('Cancel …').click();
    await dialog().getByRole('button', { name: 'Cancel it' }).click();
    await page.locator('h1 .badge.cancelled').waitFor();
  });

  it('corrects a wrong address and sends again, in one dialog', async () => {
    const [wrong, right] = [uniquePath('wrong'), uniquePath('right')];
    const { ids: [id = ''] } = await parkedAt(wrong, 1);
    await open(`/admin/task?id=${encodeURIComponent(id)}`);
    await button('Edit …').click();
    const destination = dialog().getByLabel('Destination', { exact: true });
    await destination.fill((await destination.inputValue()).replace(wrong, right));
    await dialog().getByRole('button', { name: 'Save and send again' }).click();
    await waitForState(service.baseUrl, id, 'delivered');
    await page.getByText('It was delivered').waitFor();
    const { body } = await getTaskAnswer(service.baseUrl, id);
    expect([body['destination'], body['edits'], receiver.requestsFor(id).at(-1)?.path]).to.deep.equal([{ url: receiver.url(right) }, 1, right]);
  });

  it('pauses with a reason, says at the task who holds it and why, and resumes', async () => {
    const path = uniquePath('held');
    const other = httpTask(receiver.url(path));
    await submitNew(service.baseUrl, other);
    await waitForState(service.baseUrl, other.id, 'delivered');
    await submitNew(service.baseUrl, httpTask(receiver.url(path), { initial_delay: 3_600 }));
    // A path that is known by one task alone gets a hint behind it.
    const sentence = (done: string): RegExp => new RegExp(`^${done} ${receiver.url(path)}\\.( no task for .+)?$`);
    const notice = async (done: string): Promise<string | null> => page.locator('.notice.done span', { hasText: done }).first().textContent();
    await open(`/admin/destination?key=${encodeURIComponent(receiver.url(path))}`);
    await button('Pause …').click();
    await dialog().getByLabel('Reason').fill('their release');
    await dialog().getByRole('button', { name: 'Pause' }).click();
    await page.getByText('“their release”').waitFor();
    expect(await notice('Paused')).to.match(sentence('Paused'));
    // Workers learn of a pause within 200 ms, and later on a crowded machine.
    const task = httpTask(receiver.url(path), { initial_delay: 3 });
    await submitNew(service.baseUrl, task);
    await open(`/admin/task?id=${task.id}`);
    // The service's own sentence: an address in it stays as it is written, and its times are the reader's.
    await page.locator('.state', { hasText: /http:\S+ was paused/ }).locator('time').first().waitFor();
    expect(await page.locator('.state').getByRole('link').getAttribute('href')).to.equal(`/admin/destination?key=${encodeURIComponent(receiver.url(path))}`);
    await open(`/admin/audit?target=${encodeURIComponent(receiver.url(path))}`);
    await page.getByRole('row', { name: /destination pause.*their release/ }).waitFor();
    await open(`/admin/destination?key=${encodeURIComponent(receiver.url(path))}`);
    await button('Resume …').click();
    await dialog().getByRole('button', { name: 'Resume' }).click();
    expect(await notice('Resumed')).to.match(sentence('Resumed'));
    await waitForState(service.baseUrl, task.id, 'delivered');
  });

  it('holds every send of the fleet when that is typed, and says so on every view', async () => {
    await open('/admin/audit');
    await button('Hold every send …').click();
    const hold = dialog().getByRole('button', { name: 'Hold everything' });
    expect(await hold.isDisabled()).to.equal(true);
    await dialog().getByLabel(/to confirm/).fill('hold');
    await hold.click();
    await page.getByText('Every send is held').waitFor();
    // The button that was pressed is gone: its counterpart has the focus, both ways.
    await page.locator('.fleet button:focus', { hasText: 'Resume every send …' }).waitFor();
    await open(`/admin/destination?key=${encodeURIComponent(receiver.url('/any'))}`);
    await page.getByRole('definition').filter({ hasText: /together with everything/ }).waitFor();
    await open('/admin/bulk-actions');
    await page.getByText('Every send is held').waitFor();
    await button('Resume every send …').click();
    await dialog().getByRole('button', { name: 'Resume' }).click();
    await page.locator('header button:focus', { hasText: 'Hold every send …' }).waitFor();
  });

  it('keeps a dialog, what was typed and the caret, however often the view behind it is refreshed', async () => {
    const { ids: [id = ''] } = await parkedAt(uniquePath('kept'), 1);
    await open(`/admin/task?id=${encodeURIComponent(id)}`);
    await button('Delete …').click();
    await dialog().getByLabel('Reason').pressSequentially('becau');
    let refreshes = 0;
    page.on('response', (response) => { if (response.url().endsWith(`/tasks/${id}`)) refreshes += 1; });
    // Meanwhile it is deleted elsewhere: the view under the dialog finds nothing any more.
    await eventually(() => expect(refreshes).to.be.at.least(2), { withinMs: 20_000 });
    expect((await call(service.baseUrl, `/tasks/${id}`, { method: 'DELETE' })).status).to.equal(200);
    await page.getByText(/is known: it was never submitted/).waitFor();
    await page.keyboard.type('se');
    expect(await dialog().getByLabel('Reason').inputValue()).to.equal('because');
    await dialog().getByRole('button', { name: 'Delete it' }).click();
    await dialog().getByRole('alert').waitFor();
    troubles = [];
  });

  it('shows texts as they are: markup is text, and no number of a message is rounded', async () => {
    receiver.on('/markup', { kind: 'answer', status: 400, body: MARKUP });
    const task = httpTask(receiver.url('/markup'), { client_id: MARKUP, source: MARKUP, flow_key: MARKUP, message_data: BIG, max_retries: 0, on_exhausted: 'park' });
    await submitNew(service.baseUrl, task);
    await waitForState(service.baseUrl, task.id, 'parked');
    await open(`/admin/tasks?q=${encodeURIComponent(`id:${task.id}`)}`);
    await page.getByRole('link', { name: MARKUP }).first().click();
    await rows().first().waitFor();
    await page.locator('a.id').first().click();
    await button('Show it').click();
    expect(await page.locator('pre').textContent()).to.equal(BIG);
    await button('Edit …').click();
    expect(await dialog().getByLabel('Message, as it is sent').inputValue()).to.equal(BIG);
    await page.keyboard.press('Escape');
    expect(await page.title()).to.not.equal('run');
    expect(await page.locator('main img').count()).to.equal(0);
  });

  it('takes no text of anybody for markup, in any view, whichever field it stands in', async () => {
    // Longer ones with digits are shown as a hash.
    const path = '/%3Cimg%20src=x%3E';
    receiver.on(path, { kind: 'answer', status: 400, body: MARKUP });
    const id = `${uniqueId('x')}${MARKUP}`;
    const task = { ...httpTask(receiver.url(path), { id, client_id: MARKUP, source: MARKUP, flow_key: MARKUP, max_retries: 0, on_exhausted: 'park' }), message_data: MARKUP };
    await submitNew(service.baseUrl, task);
    await waitForState(service.baseUrl, id, 'parked');
    const json = { 'content-type': 'application/json', 'x-operator': encodeURIComponent(MARKUP) };
    const taskPath = `/tasks/${encodeURIComponent(id)}`;
    const answers = [
      await call(service.baseUrl, taskPath, { method: 'PATCH', headers: json, body: JSON.stringify({ message_data: `${MARKUP}!` }) }),
      await call(service.baseUrl, `/destinations/${encodeURIComponent(MARKUP)}/pause`, { method: 'POST', headers: json, body: JSON.stringify({ reason: MARKUP }) }),
      await call(service.baseUrl, '/bulk-actions', { method: 'POST', headers: json, body: JSON.stringify({ action: 'redrive', filter: { state: 'parked', client_id: [MARKUP] }, reason: MARKUP }) }),
    ];
    expect(answers.map(({ status }) => status), JSON.stringify(answers.map(({ body }) => body))).to.deep.equal([200, 200, 201]);
    const action = String(answers[2]?.body['id']);
    await waitForBulkAction(service.baseUrl, action, 'done');
    const key = encodeURIComponent(MARKUP);
    for (const [view, isWhole] of [['/admin', false], [`/admin/tasks?q=${encodeURIComponent(`client_id:"${MARKUP.replaceAll('"', '\\"')}"`)}`, true], [`/admin/task?id=${encodeURIComponent(id)}`, true], ['/admin/destinations', false], [`/admin/destination?key=${key}`, true], ['/admin/failures', false], ['/admin/bulk-actions', true], [`/admin/bulk-action?id=${action}`, true], ['/admin/audit', true]] as const) {
      await open(view);
      await page.locator('main').getByText(isWhole ? MARKUP : /img/).first().waitFor();
      expect(await page.locator('img').count(), view).to.equal(0);
      expect(await page.title(), view).to.not.equal('run');
    }
    await call(service.baseUrl, `/destinations/${encodeURIComponent(MARKUP)}/resume`, { method: 'POST' });
  });

  it('asks nothing while it is held still, and one call after the other while it is live', async () => {
    await open('/admin');
    await page.getByText('Live', { exact: true }).waitFor();
    const inFlight = new Set<Request>();
    let [most, turns] = [0, 0];
    page.on('request', (request) => { most = Math.max(most, inFlight.add(request).size); });
    page.on('requestfinished', (request) => inFlight.delete(request));
    page.on('requestfailed', (request) => inFlight.delete(request));
    page.on('response', (response) => { if (response.url().endsWith('/status')) turns += 1; });
    await eventually(() => expect(turns).to.be.at.least(5), { withinMs: 30_000 });
    expect(most).to.equal(1);
    await button('Freeze').click();
    await page.getByText(/Frozen, as of/).waitFor();
    await eventually(() => expect(inFlight.size).to.equal(0));
    let asked = 0;
    page.on('request', () => { asked += 1; });
    // Nothing can be awaited that must not come: two and a half of its turns.
    await page.waitForTimeout(2_500);
    expect(asked).to.equal(0);
    await button('Go on').click();
    await page.waitForResponse(/\/status$/);
    // The same for a tab that is hidden; a browser without a window hides none, so its word is changed.
    const hide = (isHidden: boolean): Promise<void> => page.evaluate((value) => {
      Object.defineProperty(document, 'hidden', { value, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    }, isHidden);
    await hide(true);
    await eventually(() => expect(inFlight.size).to.equal(0));
    asked = 0;
    await page.waitForTimeout(2_500);
    expect(asked).to.equal(0);
    await hide(false);
    await page.waitForResponse(/\/status$/);
  });

  it('lets a person at a phone choose all and turn the order round, and cuts no number off', async () => {
    const path = uniquePath(`phone-${'long'.repeat(12)}`);
    const { ids } = await parkedAt(path, 10);
    await page.setViewportSize({ width: 360, height: 740 });
    await open(`/admin/tasks?q=${encodeURIComponent(`destination_key:"${receiver.url(path)}"`)}`);
    await rows().nth(1).waitFor();
    await page.getByLabel('Select all that are shown').check();
    await page.getByText('10 selected').waitFor();
    await button('Redrive 10 …').click();
    await dialog().getByText('tasks, counted exactly').waitFor();
    expect(await dialog().locator('.groups b').evaluateAll((numbers) => numbers.map((number) => Math.round(number.clientHeight / Number.parseFloat(getComputedStyle(number).lineHeight)))), 'lines of each number').to.deep.equal([1, 1]);
    await page.keyboard.press('Escape');
    await page.getByTitle('Turn the order round').click();
    await page.waitForURL(/order=oldest/);
    await eventually(async () => expect(await rows().locator('.id').allTextContents()).to.have.lengthOf(ids.length));
    await open(`/admin/destination?key=${encodeURIComponent(receiver.url(path))}`);
    await page.getByText(/^99 % within/).waitFor();
    expect(await page.locator('.tile .note').evaluateAll((notes) => notes.filter(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth).map(({ textContent }) => textContent))).to.deep.equal([]);
  });

  it('says on the overview, too, that it looks at the busiest destinations alone', async () => {
    for (const path of [uniquePath('one'), uniquePath('other')]) await parkedAt(path, 2);
    // A page of two in place of a thousand: both endpoints and their host are more.
    await page.route('**/destinations?limit=1000', (route) => route.continue({ url: route.request().url().replace('1000', '2') }));
    await open('/admin');
    await page.getByRole('region', { name: 'Destinations by trouble' }).getByText('The 2 with the most traffic are looked at.').waitFor();
  });

  for (const scheme of ['light', 'dark'] as const) {
    it(`has nothing that keeps people out, in its ${scheme} form, from 360 px on`, async () => {
      const axe = await readFile('node_modules/axe-core/axe.min.js', 'utf8');
      const { ids: [id = ''] } = await parkedAt(uniquePath('seen'), 1);
      await page.emulateMedia({ colorScheme: scheme });
      const key = encodeURIComponent(receiver.url('/x').replace('/x', ''));
      for (const [path, ready] of [['/admin', '.tiles'], [`/admin/tasks?q=id:${id}`, 'table.tasks'], [`/admin/task?id=${id}`, '.timeline'], ['/admin/destinations', 'table'], [`/admin/destination?key=${key}`, '.tiles'], ['/admin/bulk-actions', 'main h1'], ['/admin/audit', 'table']] as const) {
        await page.setViewportSize({ width: 1_280, height: 900 });
        await open(path);
        await page.locator(ready).first().waitFor();
        const serious = await page.evaluate(`(async () => { ${axe}; const { violations } = await axe.run(document, { resultTypes: ['violations'] }); return violations.filter(({ impact }) => impact === 'serious' || impact === 'critical').map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html).slice(0, 3).join(' | ')); })()`);
        expect(serious, path).to.deep.equal([]);
        // What a screen reader is told: one heading of the view, its parts by name, and no control without one.
        const tree = await page.locator('body').ariaSnapshot();
        expect(tree.match(/- heading .*\[level=1\]/g), `${path}\n${tree}`).to.have.lengthOf(1);
        for (const part of ['banner', 'navigation "Views"', 'main', 'status']) expect(tree, path).to.include(`- ${part}`);
        expect(tree.split('\n').filter((line) => /- (?:button|link|textbox|checkbox|combobox|img|table|dialog|progressbar)(?: \[.*\])*:?$/.test(line) && !/- table:$/.test(line)), path).to.deep.equal([]);
        expect(tree, path).to.not.include('The page is being loaded');
        await page.setViewportSize({ width: 360, height: 740 });
        // Charts follow the new width a moment later.
        await eventually(async () => expect(await page.evaluate(() => document.documentElement.scrollWidth), `${path} at 360 px`).to.be.at.most(360), { withinMs: 2_000 });
      }
    });
  }
});

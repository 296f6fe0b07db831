import { expect } from 'chai';
import type { Browser, BrowserContext, Locator, Page } from 'playwright-core';

import { ADMIN_KEY, callWith, makeKey, WRONG_KEY, type TestKey } from '../support/access-keys.js';
import { startChromium } from '../support/chromium.js';
import { eventually } from '../support/eventually.js';
import { openForeignSite } from '../support/foreign-site.js';
import { InProcessService } from '../support/service-in-process.js';
import { httpTask, uniqueId } from '../support/tasks.js';

describe('e2e: signing in at a browser', function () {
  this.timeout(120_000);

  let service: InProcessService;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let reader: TestKey;
  let asked: string[] = [];
  const list = (): string => `${service.baseUrl}/admin/queues/queue/deliver-0?status=delayed`;
  const taskId = uniqueId('secret-order');

  before(async () => {
    browser = await startChromium('--host-resolver-rules=MAP *.test 127.0.0.1');
    service = await InProcessService.ready({ bootstrapKey: ADMIN_KEY });
    reader = await makeKey(service.baseUrl, { role: 'read', name: 'on call' });
    expect((await callWith(ADMIN_KEY, service.baseUrl, '/tasks', { method: 'POST', body: httpTask('http://127.0.0.1:9/hook', { id: taskId, initial_delay: 3_600, message_data: 'a-secret-message' }) })).status).to.equal(201);
  });
  after(async () => {
    await browser.close();
    await service.close();
  });
  beforeEach(async () => {
    context = await browser.newContext();
    page = await context.newPage();
    page.setDefaultTimeout(20_000);
    asked = [];
    context.on('request', (request) => asked.push(`${request.url()} ${request.headers()['referer'] ?? ''}`));
  });
  afterEach(() => context.close());

  /** By the form of whichever page asks for it. */
  async function signIn(key: string): Promise<void> {
    await page.getByLabel('Access key').fill(key);
    await page.getByLabel('Access key').press('Enter');
  }
  const seesTask = (): Promise<void> => page.getByText(`t-${taskId}`, { exact: true }).first().waitFor();
  const sawReason = (text: string): Promise<void> => page.getByText(text).waitFor();
  /** The line at the head of the page: the view below says it as well, in a part that may be hidden. */
  const saidSignedOut = (): Locator => page.getByRole('banner').getByRole('alert').filter({ hasText: 'You are signed out' });

  it('needs a keyboard alone, says what is wrong, and shows the page that was asked for, with its query', async () => {
    expect((await page.goto(list()))?.status()).to.equal(401);
    await page.keyboard.type(WRONG_KEY);
    await page.keyboard.press('Enter');
    await page.getByRole('alert').filter({ hasText: 'This key is not valid' }).waitFor();
    // The text is selected again, so it is typed over.
    await page.keyboard.type(` ${reader.key} `);
    await page.keyboard.press('Tab');
    expect(await page.evaluate(() => document.activeElement?.textContent)).to.equal('Sign in');
    await page.keyboard.press('Enter');
    await seesTask();
    expect(page.url()).to.equal(list());
    await page.getByText('Signed in as on call (read)').waitFor();
    for (const secret of [reader.key.slice(-64), WRONG_KEY.slice(-64)]) expect(asked.join('\n'), 'no key stands in an address').to.not.include(secret);
    expect(asked.filter((url) => !url.startsWith(service.baseUrl)), 'nothing is asked elsewhere').to.deep.equal([]);
  });

  it('shows no message without the permission payload, and nothing that changes tasks without the role operate', async () => {
    await page.goto(list());
    await signIn(reader.key);
    await seesTask();
    const parts = await page.content();
    expect(parts).to.include('this needs the permission payload').and.not.include('a-secret-message');
    expect(await page.locator('[class*="jobActions-"] li, [class*="queueActions-"] li').filter({ visible: true }).count()).to.equal(0);
    const { key } = await makeKey(service.baseUrl, { role: 'read', permissions: ['payload'] });
    await page.getByRole('button', { name: 'Sign out' }).click();
    await signIn(key);
    await seesTask();
    expect(await page.content()).to.include('a-secret-message');
  });

  it('ends in another tab, and with its key: a page that is open hides what it shows, says why, and comes back behind the next sign-in', async () => {
    const key = await makeKey(service.baseUrl, { role: 'read' });
    await page.goto(list());
    await signIn(key.key);
    await seesTask();
    const other = await context.newPage();
    await other.goto(`${service.baseUrl}/login`);
    await other.getByRole('button', { name: 'Sign out' }).click();
    // A tab that is closed in between may never have asked for it.
    await other.getByLabel('Access key').waitFor();
    await other.close();
    await page.bringToFront();
    await sawReason('You were signed out, here or in another tab.');
    expect(await page.getByText(taskId).count()).to.equal(0);
    await signIn(key.key);
    await seesTask();
    await callWith(ADMIN_KEY, service.baseUrl, `/keys/${key.id}`, { method: 'DELETE' });
    await sawReason('You were signed out, because your key was revoked.');
    expect(await page.getByText(taskId).count()).to.equal(0);
    expect(page.url()).to.equal(list());
  });

  it('is not kept by what an open page asks for while nobody is at it', async () => {
    await page.clock.install();
    await page.goto(list());
    await signIn(reader.key);
    await seesTask();
    const unattended = async (): Promise<readonly unknown[]> => {
      const request = page.waitForRequest((each) => each.url().includes('/api/queues'));
      await page.clock.fastForward(6_000);
      return [(await request).headers()['x-unattended']];
    };
    await page.mouse.move(10, 10);
    expect(await unattended()).to.deep.equal([undefined]);
    await page.clock.fastForward(60_000);
    expect(await unattended()).to.deep.equal(['1']);
  });

  it('leads nowhere else, whatever a link to it says', async () => {
    for (const path of ['/login?next=https://evil.test/&return_to=/%5Cevil.test#//evil.test/', '/admin/queues?next=https://evil.test/#https://evil.test/']) {
      await context.clearCookies();
      await page.goto('about:blank');
      await page.goto(service.baseUrl + path);
      await signIn(reader.key);
      await page.waitForURL(path.startsWith('/login') ? `${service.baseUrl}/` : `${service.baseUrl}/admin/queues?**`);
      expect(new URL(page.url()).origin).to.equal(service.baseUrl);
    }
    // The board's address is the same before and after.
    await eventually(async () => { expect(await context.cookies()).not.to.deep.equal([]); });
    expect(asked.filter((url) => !url.startsWith(service.baseUrl))).to.deep.equal([]);
    for (const path of ['//evil.test/', '//evil.test/admin/queues', '/%2Fevil.test/']) {
      const answer = await context.request.get(service.baseUrl + path, { headers: { accept: 'text/html' } });
      expect([answer.status(), answer.headers()['content-type']], path).to.deep.equal([404, 'application/json; charset=utf-8']);
    }
  });

  it('lasts when a person comes by a link of another site, to which a browser sends no cookie', async () => {
    const foreign = await openForeignSite();
    try {
      await page.goto(list());
      await signIn(reader.key);
      await seesTask();
      await page.goto(`http://chat.test:${foreign.port}/`);
      const first = page.waitForResponse((answer) => answer.url() === list());
      await page.evaluate((url) => {
        const link = document.createElement('a');
        link.href = url;
        document.body.append(link);
        link.click();
      }, list());
      expect((await first).status()).to.equal(401);
      await seesTask();
    } finally {
      await foreign.close();
    }
  });

  it('tells a person whose key may not see a page what it lacks, and lets him take another one', async () => {
    const [submitter, bound] = [await makeKey(service.baseUrl, { role: 'submit', name: 'sender' }), await makeKey(service.baseUrl, { role: 'read', client_ids: ['team-a'] })];
    await page.goto(list());
    await signIn(submitter.key);
    await sawReason('This page needs the role read.');
    await page.getByText('Signed in as sender (submit).').waitFor();
    await signIn(bound.key);
    await sawReason('This page needs a key that is not bound to clients.');
    await signIn(reader.key);
    await seesTask();
  });

  it('fits 360 px, in light and dark, without a script that its policy does not name', async () => {
    await page.setViewportSize({ width: 360, height: 640 });
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      await page.goto(`${service.baseUrl}/login`);
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).to.equal(360);
      const [ink, paper] = await page.evaluate(() => [getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor].map((colour) => Number(/\d+/.exec(colour)?.[0])));
      expect((ink ?? 0) < (paper ?? 0), colorScheme).to.equal(colorScheme === 'light');
    }
    const ran = await page.evaluate(() => {
      const script = document.createElement('script');
      script.textContent = 'document.title = "changed"';
      document.body.append(script);
      return document.title;
    });
    expect(ran).to.equal('Sign in - Kafka Retry Service');
  });

  it('says so where nobody has to', async () => {
    const open = await InProcessService.ready();
    try {
      await page.goto(`${open.baseUrl}/login`);
      await page.getByText('Nobody has to sign in here').waitFor();
      await eventually(async () => { expect(await page.getByLabel('Access key').isVisible()).to.equal(false); });
    } finally {
      await open.close();
    }
  });

  it('stands before the operations page, which offers a reader nothing that changes, and shows nothing any more when the key is revoked', async () => {
    const { id, key } = await makeKey(service.baseUrl, { role: 'read', name: `night watch of a shop ${'with a long name '.repeat(4)}`.trim() });
    expect((await page.goto(`${service.baseUrl}/admin/task?id=${taskId}`))?.status()).to.equal(401);
    await signIn(key);
    await page.getByRole('heading', { name: taskId }).waitFor();
    await page.getByText(/night watch .* name, read/).waitFor();
    await page.setViewportSize({ width: 375, height: 740 });
    await eventually(async () => expect(await page.evaluate(() => document.documentElement.scrollWidth), 'the name of a key pushes nothing off a phone').to.be.at.most(375), { withinMs: 2_000 });
    await page.setViewportSize({ width: 1_280, height: 900 });
    await page.getByText('it lacks the permission payload').waitFor();
    expect(page.url()).to.equal(`${service.baseUrl}/admin/task?id=${taskId}`);
    for (const name of [/Send now/, /Edit/, /Cancel/, /Hold every send/, /As curl/]) expect(await page.getByRole('button', { name }).count(), String(name)).to.equal(0);
    expect(await page.getByRole('link', { name: 'Audit' }).count()).to.equal(0);
    expect((await callWith(ADMIN_KEY, service.baseUrl, `/keys/${id}`, { method: 'DELETE' })).status).to.be.below(300);
    await saidSignedOut().waitFor();
    await page.getByRole('banner').getByText('Signed out', { exact: true }).waitFor();
    expect(await page.getByRole('heading', { name: taskId }).isVisible()).to.equal(false);
  });

  /** Signs out in another tab, and in again with this key; the page is seen to know of the first. */
  async function changePerson(key: string, whenOut: () => Promise<void> = () => Promise.resolve()): Promise<void> {
    const other = await context.newPage();
    await other.goto(`${service.baseUrl}/login`);
    await other.getByRole('button', { name: 'Sign out' }).click();
    await other.getByLabel('Access key').waitFor();
    await saidSignedOut().waitFor();
    await whenOut();
    await other.getByLabel('Access key').fill(key);
    await other.getByLabel('Access key').press('Enter');
    await other.waitForURL(`${service.baseUrl}/`);
    await other.close();
    await page.bringToFront();
  }

  it('shows on the operations page who has signed in meanwhile in another tab, held still or not', async () => {
    const first = await makeKey(service.baseUrl, { role: 'operate', permissions: ['payload'], name: 'day shift' });
    const second = await makeKey(service.baseUrl, { role: 'operate', name: 'night shift' });
    await page.goto(`${service.baseUrl}/admin/task?id=${taskId}`);
    await signIn(first.key);
    await page.getByText('day shift, operate').waitFor();
    await page.getByRole('button', { name: 'Show it' }).click();
    await page.getByText('a-secret-message').waitFor();
    await changePerson(second.key);
    await page.getByText('night shift, operate').waitFor();
    expect(await page.getByText('a-secret-message').count(), 'what the other one may not see').to.equal(0);
    await page.getByRole('button', { name: 'Freeze' }).click();
    await page.getByText(/Frozen, as of/).waitFor();
    asked = [];
    await changePerson(reader.key, async () => { expect(await page.locator('main').isVisible()).to.equal(false); });
    await page.getByText('on call, read').waitFor();
    await page.getByRole('heading', { name: taskId }).waitFor();
    expect(await page.getByRole('button', { name: 'Hold every send …' }).count()).to.equal(0);
    await page.getByRole('button', { name: 'Go on' }).click();
    await page.getByText('Live', { exact: true }).waitFor();
  });

  it('shows on the operations page who has signed in meanwhile in another window also when nothing was refused in between', async () => {
    const first = await makeKey(service.baseUrl, { role: 'operate', permissions: ['payload'], name: 'early shift' });
    await page.goto(`${service.baseUrl}/admin/task?id=${taskId}`);
    await signIn(first.key);
    await page.getByText('early shift, operate').waitFor();
    await page.getByRole('button', { name: 'Show it' }).click();
    await page.getByText('a-secret-message').waitFor();
    // As the board does, with the browser's cookies, where a key may not see it.
    expect((await context.request.post(`${service.baseUrl}/session`, { data: { key: reader.key } })).status()).to.be.below(300);
    await page.getByText('on call, read').waitFor();
    await page.getByRole('heading', { name: taskId }).waitFor();
    expect(await page.getByText('a-secret-message').count(), 'what the other one may not see').to.equal(0);
    expect(await page.getByRole('button', { name: 'Hold every send …' }).count()).to.equal(0);
  });

  it('ends on the operations page with all that was shown and said in it, dialogs and messages too: what was written is there again for the same person alone', async () => {
    const held = 'http://127.0.0.1:9';
    for (const key of ['*', held]) expect((await callWith(ADMIN_KEY, service.baseUrl, `/destinations/${encodeURIComponent(key)}/pause`, { method: 'POST', body: { reason: 'a private reason' } })).status).to.equal(200);
    const [first, second, third] = [await makeKey(service.baseUrl, { role: 'operate', name: 'morning' }), await makeKey(service.baseUrl, { role: 'operate', name: 'evening' }), await makeKey(service.baseUrl, { role: 'submit', name: 'sender' })];
    await page.goto(`${service.baseUrl}/admin/destination?key=${encodeURIComponent(held)}`);
    await signIn(first.key);
    await page.getByText('morning, operate').waitFor();
    await page.evaluate(() => { localStorage.setItem('kafka-retry-operator', 'Anna'); });
    await page.getByText('Every send is held').waitFor();
    await page.getByRole('button', { name: 'Resume …' }).click();
    const resumed = page.waitForRequest((request) => request.url().endsWith('/resume'));
    await page.locator('dialog[open]').getByRole('button', { name: 'Resume' }).click();
    expect((await resumed).headers(), 'a name that somebody gave before').to.not.have.property('x-operator');
    const notice = page.getByText('is still held: everything is paused');
    await notice.waitFor();
    await page.getByRole('button', { name: 'Resume every send …' }).click();
    const reason = page.locator('dialog').getByLabel('Reason');
    await reason.fill('their release');
    const nothingIsShown = async (): Promise<void> => {
      await eventually(async () => expect([await notice.isVisible(), await reason.isVisible(), await page.getByText('a private reason').first().isVisible(), await page.locator('main').isVisible()]).to.deep.equal([false, false, false, false]));
      expect(await page.title()).to.equal('Signed out · Kafka Retry Service');
      // A modal dialog that is out of sight must not keep its hand on the page.
      await page.getByRole('link', { name: 'Sign in' }).click({ trial: true });
    };
    await changePerson(first.key, nothingIsShown);
    await page.getByText('morning, operate').waitFor();
    await eventually(async () => expect(await reason.isVisible()).to.equal(true));
    expect([await reason.inputValue(), await notice.isVisible()]).to.deep.equal(['their release', true]);
    await changePerson(second.key, nothingIsShown);
    await page.getByText('evening, operate').waitFor();
    await page.getByText('Every send is held').waitFor();
    expect([await page.locator('dialog').count(), await notice.count()]).to.deep.equal([0, 0]);
    await changePerson(third.key, nothingIsShown);
    await page.getByText('sender, submit').waitFor();
    await page.getByText(/Your key does not allow this/).first().waitFor();
    expect([await page.getByText('a private reason').count(), await page.getByText('Every send is held').count()], 'he may not read it').to.deep.equal([0, 0]);
    for (const key of ['*', held]) await callWith(ADMIN_KEY, service.baseUrl, `/destinations/${encodeURIComponent(key)}/resume`, { method: 'POST' });
  });

  it('ends with its key on a page that is held still, which asks for nothing else', async () => {
    const { id, key } = await makeKey(service.baseUrl, { role: 'read', name: 'frozen' });
    await page.goto(`${service.baseUrl}/admin/task?id=${taskId}`);
    await signIn(key);
    await page.getByText('frozen, read').waitFor();
    await page.getByRole('button', { name: 'Freeze' }).click();
    await page.getByText(/Frozen, as of/).waitFor();
    // The turn that was under way may still ask; the one behind the next question about the session may not.
    for (let nth = 0; nth < 2; nth += 1) await page.waitForResponse(`${service.baseUrl}/session`);
    asked = [];
    expect((await callWith(ADMIN_KEY, service.baseUrl, `/keys/${id}`, { method: 'DELETE' })).status).to.be.below(300);
    await saidSignedOut().waitFor();
    expect(await page.getByRole('heading', { name: taskId }).isVisible()).to.equal(false);
    expect(asked.filter((each) => !each.startsWith(`${service.baseUrl}/session `))).to.deep.equal([]);
  });

  it('lets an operator act on the operations page, and out again', async () => {
    const { key } = await makeKey(service.baseUrl, { role: 'operate', permissions: ['payload'], name: 'on duty' });
    await page.goto(`${service.baseUrl}/admin/task?id=${taskId}`);
    await signIn(key);
    await page.getByRole('button', { name: 'Show it' }).click();
    await page.getByText('a-secret-message').waitFor();
    await page.getByRole('button', { name: 'Cancel …' }).click();
    await page.locator('dialog[open]').getByRole('button', { name: 'Leave it' }).click();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('Access key').waitFor();
  });
});

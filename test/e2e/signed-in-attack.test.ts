import { expect } from 'chai';
import type { Browser, BrowserContext, Page } from 'playwright-core';

import { routeTable } from '../../server/route-table.js';
import { ADMIN_KEY, callWith } from '../support/access-keys.js';
import { startChromium, TRUSTS_EVERY_PAGE } from '../support/chromium.js';
import { openForeignSite, openRebound, type ForeignSite } from '../support/foreign-site.js';
import { createReceiver, type Receiver } from '../support/receiver.js';
import { InProcessService } from '../support/service-in-process.js';
import { eventually } from '../support/eventually.js';
import { httpTask, uniqueId, type WireTask } from '../support/tasks.js';

const DESTINATION = 'http://127.0.0.1:9';
/** It runs where a text of a task is taken for a part of the page. */
const MARKUP = `"'><img src=x onerror="window.hasRun=1"><script>window.hasRun=1</script><svg/onload=window.hasRun=1>{{constructor.constructor('window.hasRun=1')()}}javascript:window.hasRun=1`;

/** A person who may do everything is signed in, in the browser that shows the page of somebody else. */
describe('e2e: pages of other origins beside a person who is signed in', function () {
  this.timeout(120_000);

  let service: InProcessService;
  let foreign: ForeignSite;
  let receiver: Receiver;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let waiting: WireTask;
  let parked: WireTask;
  let marked: WireTask;
  const submitted = httpTask(`${DESTINATION}/`, { id: uniqueId('planted'), initial_delay: 3_600 });

  const admin = (path: string, init?: Parameters<typeof callWith>[3]) => callWith(ADMIN_KEY, service.baseUrl, path, init);
  const stateOf = async ({ id }: WireTask): Promise<unknown> => (await admin(`/tasks/${encodeURIComponent(id)}`)).body['state'];

  before(async () => {
    [browser, service, foreign, receiver] = await Promise.all([startChromium('--host-resolver-rules=MAP *.test 127.0.0.1', TRUSTS_EVERY_PAGE), InProcessService.ready({ bootstrapKey: ADMIN_KEY }), openForeignSite(), createReceiver()]);
    await service.startWorker();
    receiver.on('/marked', { kind: 'answer', status: 500, body: MARKUP });
    waiting = httpTask(`${DESTINATION}/`, { initial_delay: 3_600 });
    parked = httpTask(`${DESTINATION}/`, { on_exhausted: 'park', max_retries: 0 });
    marked = httpTask(`${receiver.url('/marked')}?${MARKUP.replaceAll(' ', '/')}`, { id: `marked ${MARKUP}`.slice(0, 200), source: MARKUP, client_id: MARKUP, on_exhausted: 'park', max_retries: 0, message_data: MARKUP, flow_key: MARKUP });
    const inKafka: WireTask = { ...httpTask('', { dead_destination: { topic: 'dead' } }), id: `kafka ${MARKUP}`.slice(0, 200), destination_type: 'kafka', destination: { topic: 'orders', key: MARKUP, headers: { 'x-a': MARKUP } }, initial_delay: 3_600 };
    for (const task of [waiting, parked, marked, inKafka]) {
      const { status, body } = await admin('/tasks', { method: 'POST', body: task });
      expect(status, JSON.stringify(body)).to.equal(201);
    }
    for (const task of [parked, marked]) await eventually(async () => { expect(await stateOf(task)).to.equal('parked'); });
    await admin(`/tasks/${encodeURIComponent(marked.id)}`, { method: 'PATCH', body: { base_delay: 7 }, headers: { 'x-operator': encodeURIComponent('<img src=x onerror=window.hasRun=1>') } });

    const { status, body } = await admin('/keys', { method: 'POST', body: { name: '<img src=x onerror=window.hasRun=1>', role: 'admin' } });
    expect(status).to.equal(201);
    context = await browser.newContext();
    // The compiler of the tests names functions by it, also those that run in the browser.
    await context.addInitScript('globalThis.__name = (named) => named');
    const own = await context.newPage();
    await own.goto(`${service.baseUrl}/login`);
    await own.getByLabel('Access key').fill(String(body['key']));
    await own.getByLabel('Access key').press('Enter');
    await own.waitForURL(`${service.baseUrl}/`);
    await own.close();
  });
  after(async () => {
    await browser.close();
    await Promise.all([service.close(), foreign.close(), receiver.close()]);
  });
  beforeEach(async () => {
    page = await context.newPage();
    page.setDefaultTimeout(20_000);
  });
  afterEach(async () => {
    await page.close();
    await expectNothingHasChanged();
  });

  /** Every call that changes something, about what there is. */
  function changes(): readonly { readonly method: string; readonly url: string }[] {
    return routeTable
      .filter(({ method }) => method !== 'GET')
      .flatMap(({ method, path }) => (/\/tasks\/:id|:job/.test(path) ? [waiting, parked] : [waiting]).map(({ id }) => ({
        method,
        url: service.baseUrl + path.replace(':id', id).replace(':key', encodeURIComponent(DESTINATION)).replace(':queue', 'deliver-0').replace(':job', `t-${id}`),
      })));
  }

  async function expectNothingHasChanged(): Promise<void> {
    expect([await stateOf(waiting), await stateOf(parked)]).to.deep.equal(['scheduled', 'parked']);
    expect((await admin(`/destinations/${encodeURIComponent(DESTINATION)}`)).body).to.deep.include({ paused: null, limits: null });
    expect((await admin(`/tasks/${submitted.id}`)).status).to.equal(404);
    expect((await admin('/keys')).body['keys']).to.have.lengthOf(1);
    expect((await context.request.get(`${service.baseUrl}/session`)).status(), 'the person is signed in still').to.equal(200);
  }

  // The first is another site. The second is the same site on another port, to which the browser sends the cookie along.
  for (const host of ['evil.test', '127.0.0.1']) {
    it(`change nothing and read nothing from ${host}: fetch with the cookie, beacons, streams, scripts, pictures`, async () => {
      await page.goto(`http://${host}:${foreign.port}/`);
      const read = await page.evaluate(
        async ([calls, reads, body]) => {
          const could: string[] = [];
          const attempt = async (what: string, url: string, init: RequestInit): Promise<void> => {
            try {
              const answer = await fetch(url, { credentials: 'include', ...init });
              if (answer.type !== 'opaque') could.push(`${what} ${url}: ${answer.status}`);
            } catch {
              return; // the browser has refused it, or keeps the answer to itself
            }
          };
          for (const { method, url } of calls) {
            for (const init of [{}, { headers: { 'content-type': 'text/plain' }, body }, { headers: { 'content-type': 'application/json' }, body }]) {
              for (const mode of ['no-cors', 'cors'] as const) await attempt(method, url, { method, mode, ...init });
            }
            // A link, or a picture, asks with GET, which changes nothing anywhere.
            await attempt('GET', url, { mode: 'no-cors' });
            if (method === 'POST') navigator.sendBeacon(url, new Blob([body], { type: 'text/plain' }));
          }
          for (const url of reads) {
            for (const mode of ['no-cors', 'cors'] as const) await attempt('GET', url, { mode });
            const loaded = (element: HTMLElement): Promise<boolean> => new Promise((resolve) => {
              element.onload = () => resolve(true);
              element.onerror = () => resolve(false);
              document.body.append(element);
            });
            if (await loaded(Object.assign(document.createElement('script'), { src: url }))) could.push(`script ${url}`);
            if (await loaded(Object.assign(document.createElement('img'), { src: url }))) could.push(`img ${url}`);
            const opened = (stream: EventSource | WebSocket): Promise<boolean> => new Promise((resolve) => {
              stream.onopen = () => resolve(true);
              stream.onerror = () => { stream.close(); resolve(false); };
            });
            if (await opened(new EventSource(url, { withCredentials: true }))) could.push(`events ${url}`);
            if (await opened(new WebSocket(url.replace('http', 'ws')))) could.push(`socket ${url}`);
          }
          return could;
        },
        [changes(), ['/session', '/tasks', `/tasks/${waiting.id}?include=message_data`, '/keys', '/admin/queues/api/queues?activeQueue=deliver-0', '/admin/queues', '/openapi.json'].map((path) => service.baseUrl + path), JSON.stringify(submitted)] as const,
      );
      expect(read).to.deep.equal([]);
    });

    it(`change nothing by forms from ${host}, and show no page of ours in a frame`, async () => {
      await page.goto(`http://${host}:${foreign.port}/`);
      // Each form goes to a frame of its own, whose answer the page cannot read, and neither can it read a frame of ours.
      const seen = await page.evaluate(
        async ([urls, pages, body]) => {
          const visible: string[] = [];
          const settled = (frame: HTMLIFrameElement): Promise<void> => new Promise((resolve) => {
            frame.onload = () => resolve();
            frame.onerror = () => resolve();
          });
          for (const [nth, url] of urls.entries()) {
            const frame = Object.assign(document.createElement('iframe'), { name: `frame-${nth}` });
            document.body.append(frame);
            const form = Object.assign(document.createElement('form'), { action: url, method: 'post', enctype: 'text/plain', target: frame.name });
            form.append(Object.assign(document.createElement('input'), { name: body.slice(0, -1), value: '}' }));
            document.body.append(form);
            const done = settled(frame);
            form.submit();
            await done;
            frame.remove();
          }
          for (const url of pages) {
            const frame = Object.assign(document.createElement('iframe'), { src: url });
            const done = settled(frame);
            document.body.append(frame);
            await done;
            try {
              visible.push(frame.contentWindow?.document.title ?? '');
            } catch {
              continue; // a frame of another origin, or the browser's own page in place of one that must not be framed
            }
          }
          return visible;
        },
        [changes().filter(({ method }) => method === 'POST').map(({ url }) => url), ['/login', '/admin/queues', '/', '/docs', '/stats'].map((path) => service.baseUrl + path), JSON.stringify(submitted)] as const,
      );
      expect(seen).to.deep.equal([]);
      const framed = page.frames().filter((frame) => frame !== page.mainFrame());
      expect(framed).to.have.lengthOf(5);
      await eventually(() => { for (const frame of framed) expect(frame.url(), 'the browser shows none of them').to.match(/^chrome-error:/); });
    });
  }

  it('have no hand on a window of ours that they have opened', async () => {
    await page.goto(`http://evil.test:${foreign.port}/`);
    for (const path of ['/', '/login', '/admin/queues', '/docs']) {
      const opening = context.waitForEvent('page');
      await page.evaluate((url) => { Object.assign(window, { opened: window.open(url) }); }, service.baseUrl + path);
      const opened = await opening;
      await opened.waitForLoadState();
      await eventually(async () => { expect(await page.evaluate(() => (window as unknown as { opened: Window | null }).opened?.closed), path).to.equal(true); });
      // The board is loaded once more, since the cookie did not come with the link.
      await eventually(async () => { expect(await opened.evaluate(() => window.opener === null)).to.equal(true); });
      await opened.close();
    }
  });

  it('are strangers under a name that was given this address (DNS rebinding)', async () => {
    const { port } = new URL(service.baseUrl);
    await openRebound(page, `http://rebind.test:${port}/`);
    const statuses = await page.evaluate(
      (calls) => Promise.all(calls.map(async ({ method, path }) => (await fetch(path, { method, credentials: 'include', ...(method === 'GET' ? {} : { headers: { 'content-type': 'application/json' }, body: '{}' }) })).status)),
      [...changes().map(({ method, url }) => ({ method, path: url.slice(service.baseUrl.length) })).filter(({ path }) => path !== '/session'), ...['/session', '/tasks', '/keys', '/admin/queues'].map((path) => ({ method: 'GET', path }))],
    );
    expect(new Set(statuses)).to.deep.equal(new Set([401]));
  });

  it('cannot have markup in a task run on the board, nor in the name of a key on any page', async () => {
    const violations: string[] = [];
    page.on('console', (message) => { if (/Content.Security.Policy/i.test(message.text())) violations.push(message.text()); });
    page.on('dialog', (dialog) => { violations.push(dialog.message()); void dialog.dismiss(); });
    const board = `${service.baseUrl}/admin/queues`;
    const pages: readonly (readonly [url: string, shows: string])[] = [
      [`${board}/queue/deliver-0?status=failed`, 'marked'],
      [`${board}/queue/deliver-0?status=delayed`, 'kafka'],
      [`${board}/queue/deliver-0/t-${encodeURIComponent(encodeURIComponent(marked.id))}`, 'onerror'],
      [`${board}/task?id=${encodeURIComponent(marked.id)}`, 'onerror'],
      [board, 'Signed in as <img src=x'],
      [`${service.baseUrl}/login`, 'Signed in as <img src=x'],
    ];
    for (const [url, shows] of pages) {
      await page.goto(url);
      await page.getByText(shows).first().waitFor();
      for (const tab of await page.getByRole('tab').all()) await tab.click();
      expect(await page.evaluate(() => [(window as unknown as { hasRun?: unknown }).hasRun, document.querySelectorAll('img[src="x"], svg[onload]').length]), url).to.deep.equal([undefined, 0]);
    }
    expect(violations, 'it is shown as text, so no policy had to stop it').to.deep.equal([]);
  });
});

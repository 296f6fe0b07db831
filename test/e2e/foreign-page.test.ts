import { expect } from 'chai';
import type { Browser, Page } from 'playwright-core';

import { routeTable } from '../../server/route-table.js';
import { startChromium, TRUSTS_EVERY_PAGE } from '../support/chromium.js';
import { openForeignSite, openRebound, type ForeignSite } from '../support/foreign-site.js';
import { Service } from '../support/service.js';
import { call, getTask, httpTask, submitNew, uniqueId, waitForState, type WireTask } from '../support/tasks.js';

const DESTINATION = 'http://127.0.0.1:9';

/** What a page tries; it runs in the browser. */
interface Try {
  readonly url: string;
  readonly method: string;
  readonly contentType?: string;
  readonly body?: string;
  readonly mode: 'cors' | 'no-cors';
}

/** @returns the status that the page could read, 0 for an answer that it cannot read, -1 for none at all */
function fetchFrom(page: Page, { url, method, contentType, body, mode }: Try): Promise<number> {
  return page.evaluate(
    async ([target, how]) => {
      try {
        return (await fetch(target, how)).status;
      } catch {
        return -1;
      }
    },
    [url, { method, mode, ...(contentType === undefined ? {} : { headers: { 'content-type': contentType } }), ...(body === undefined ? {} : { body }) }] as const,
  );
}

describe('e2e: pages of other origins', function () {
  this.timeout(120_000);

  let service: Service;
  let browser: Browser;
  let foreign: ForeignSite;
  let foreignPort: number;
  let page: Page;
  let waiting: WireTask;
  let parked: WireTask;

  before(async () => {
    browser = await startChromium('--host-resolver-rules=MAP *.test 127.0.0.1', TRUSTS_EVERY_PAGE);
    service = await Service.start();
    foreign = await openForeignSite();
    foreignPort = foreign.port;
    waiting = httpTask(`${DESTINATION}/`, { initial_delay: 3_600 });
    parked = httpTask(`${DESTINATION}/`, { on_exhausted: 'park', max_retries: 0 });
    await submitNew(service.baseUrl, waiting);
    await submitNew(service.baseUrl, parked);
    await waitForState(service.baseUrl, parked.id, 'parked');
  });
  after(async () => {
    await browser.close();
    await service.close();
    await foreign.close();
  });
  beforeEach(async () => {
    page = await browser.newPage();
    page.setDefaultTimeout(15_000);
  });
  afterEach(() => page.close());

  /** Paths of every route that changes something, about the tasks and the destination that there are. */
  function changes(): readonly { readonly method: string; readonly path: string }[] {
    return routeTable
      .filter(({ method }) => method !== 'GET')
      // A path that names no task is one path, not one for each of the tasks.
      .flatMap(({ method, path }) => (/\/tasks\/:id|:job/.test(path) ? [waiting, parked] : [waiting]).map(({ id }) => ({
        method,
        path: path.replace(':id', id).replace(':key', encodeURIComponent(DESTINATION)).replace(':queue', 'deliver-0').replace(':job', `t-${id}`),
      })));
  }

  async function expectNothingHasChanged(submitted: WireTask): Promise<void> {
    const [first, second] = [await getTask(service.baseUrl, waiting.id), await getTask(service.baseUrl, parked.id)];
    expect([first.state, first.run, second.state, second.run]).to.deep.equal(['scheduled', 1, 'parked', 1]);
    expect((await call(service.baseUrl, `/destinations/${encodeURIComponent(DESTINATION)}`)).body).to.deep.include({ paused: null, limits: null });
    expect((await call(service.baseUrl, `/tasks/${submitted.id}`)).status).to.equal(404);
  }

  // The first is another site, the second the same site on another port, as another program on this machine has it.
  for (const [name, host] of [['another site', 'evil.test'], ['another port of this host', '127.0.0.1']] as const) {
    it(`of ${name} change nothing and read nothing, by fetch`, async () => {
      await page.goto(`http://${host}:${foreignPort}/`);
      const submitted = httpTask(`${DESTINATION}/`, { id: uniqueId(), initial_delay: 3_600 });
      const bodies: readonly Pick<Try, 'contentType' | 'body'>[] = [
        {},
        { contentType: 'text/plain', body: JSON.stringify(submitted) },
        { contentType: 'application/x-www-form-urlencoded', body: 'a=b' },
        { contentType: 'application/json', body: JSON.stringify(submitted) },
        { contentType: 'application/json', body: '{"paused":true}' },
      ];
      for (const { method, path } of changes()) {
        for (const body of bodies) {
          for (const mode of ['no-cors', 'cors'] as const) {
            const status = await fetchFrom(page, { url: `${service.baseUrl}${path}`, method, mode, ...body });
            expect(status, `${method} ${path}, ${mode}`).to.be.below(1);
          }
        }
      }
      for (const path of ['/', '/stats', '/livez', '/openapi.yaml', `/tasks/${waiting.id}?include=message_data`, '/admin/queues/api/queues?activeQueue=deliver-0']) {
        for (const mode of ['no-cors', 'cors'] as const) expect(await fetchFrom(page, { url: `${service.baseUrl}${path}`, method: 'GET', mode }), `${path}, ${mode}`).to.equal(-1);
      }
      await expectNothingHasChanged(submitted);
    });

    it(`of ${name} change nothing by a form`, async () => {
      const submitted = httpTask(`${DESTINATION}/`, { id: uniqueId(), initial_delay: 3_600 });
      for (const { path } of changes().filter(({ method }) => method === 'POST')) {
        for (const enctype of ['application/x-www-form-urlencoded', 'multipart/form-data', 'text/plain']) {
          await page.goto(`http://${host}:${foreignPort}/`);
          const [answer] = await Promise.all([
            page.waitForResponse((each) => each.request().method() === 'POST'),
            page.evaluate(([action, type, text]) => {
              const form = document.createElement('form');
              Object.assign(form, { action, enctype: type, method: 'post' });
              const field = document.createElement('input');
              Object.assign(field, { name: text, value: '' });
              form.append(field);
              document.body.append(form);
              form.submit();
            }, [`${service.baseUrl}${path}`, enctype, JSON.stringify(submitted)] as const),
          ]);
          expect(answer.status(), `${path} as ${enctype}`).to.equal(403);
          await page.waitForURL(`${service.baseUrl}${path}`);
        }
      }
      await expectNothingHasChanged(submitted);
    });
  }

  it('whose name was given this address (DNS rebinding) change nothing and read nothing', async () => {
    const port = new URL(service.baseUrl).port;
    const opened = await page.goto(`http://rebind.test:${port}/`);
    expect(opened?.status()).to.equal(421);
    await openRebound(page, `http://rebind.test:${port}/`);
    const submitted = httpTask(`${DESTINATION}/`, { id: uniqueId(), initial_delay: 3_600 });
    for (const { method, path } of changes()) {
      expect(await fetchFrom(page, { url: path, method, mode: 'cors', contentType: 'application/json', body: JSON.stringify(submitted) }), `${method} ${path}`).to.equal(421);
    }
    for (const path of ['/stats', `/tasks/${waiting.id}?include=message_data`, '/admin/queues', '/livez']) expect(await fetchFrom(page, { url: path, method: 'GET', mode: 'cors' }), path).to.equal(421);
    await expectNothingHasChanged(submitted);
  });

  it('may link to the pages of the service', async () => {
    await page.goto(`http://evil.test:${foreignPort}/`);
    const [answer] = await Promise.all([
      page.waitForResponse((each) => each.url() === `${service.baseUrl}/`),
      page.evaluate((url) => {
        const link = document.createElement('a');
        link.href = url;
        document.body.append(link);
        link.click();
      }, `${service.baseUrl}/`),
    ]);
    expect(answer.status()).to.equal(200);
    await page.getByRole('heading', { name: 'Kafka Retry Service' }).waitFor();
  });
});

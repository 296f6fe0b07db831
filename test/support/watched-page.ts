import type { Browser, BrowserContext, Page } from 'playwright-core';

/** A page of a browser, and what must not happen in it. */
interface WatchedPage {
  readonly page: Page;
  /** Requests that left the origin, and what the browser complained of. A test that provokes something empties it. */
  readonly troubles: string[];
}

/** @param origin that of the service: no request may go elsewhere */
export async function openWatchedPage(from: Browser | BrowserContext, origin: string): Promise<WatchedPage> {
  const page = await from.newPage();
  await page.setViewportSize({ width: 1_280, height: 900 });
  await page.emulateMedia({ reducedMotion: 'reduce' });
  page.setDefaultTimeout(30_000);
  const troubles: string[] = [];
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (url.protocol !== 'data:' && url.origin !== origin) troubles.push(`asked ${request.url()}`);
  });
  page.on('console', (message) => { if (['error', 'warning'].includes(message.type())) troubles.push(message.text()); });
  page.on('pageerror', (error) => troubles.push(String(error)));
  return { page, troubles };
}

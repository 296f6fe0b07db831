import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import type { Page } from 'playwright-core';

/** A server of somebody else, with a page that does nothing by itself: what it is to try is run in it. */
export interface ForeignSite {
  readonly port: number;
  close(): Promise<void>;
}

/** It listens on 127.0.0.1. Other names for it are made by the browser (`--host-resolver-rules`). */
export async function openForeignSite(): Promise<ForeignSite> {
  const server = createServer((_request, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>a page</title>'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    close: () => new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    }),
  };
}

/** The page at this address comes from somebody else, and what it asks for goes to the address that its name has now: DNS rebinding. */
export async function openRebound(page: Page, url: string): Promise<void> {
  await page.route(url, (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>a page</title>' }));
  await page.goto(url);
}

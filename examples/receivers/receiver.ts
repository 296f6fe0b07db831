// A receiver that verifies signatures and drops duplicates. SECRETS are whsec_... or whpk_..., divided by commas:
//
//   SECRETS=whsec_... PORT=9099 npx tsx examples/receivers/receiver.ts
//
// Outside of this repository the import is 'kafka-retry-service/client/verify-webhook'.

import { createServer, type IncomingMessage } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import { WebhookVerifier } from '../../client/verify-webhook.js';

const verifier = new WebhookVerifier((process.env['SECRETS'] ?? '').split(','));
/**
 * Messages whose work is done. The id is signed, and stands for one (task id, run, edit) and phase. A real receiver keeps it in its database, in the
 * transaction that does the work, and for as long as the service keeps finished tasks (DELIVERED_RETENTION).
 */
const done = new Set<string>();
/** What is being worked on: a second attempt that comes meanwhile must not work beside it. */
const underWay = new Map<string, Promise<void>>();

async function receive(request: IncomingMessage): Promise<number> {
  const body = await buffer(request);
  const message = verifier.verify(body, request.headers);
  if (message === undefined) return 401;
  // Looked at again behind each wait: of those that waited for work that failed, one works, and the others wait for that.
  for (let work = underWay.get(message.id); work !== undefined; work = underWay.get(message.id)) await work.catch(() => undefined);
  if (done.has(message.id)) {
    console.log(`dropped ${message.id}`);
    return 200;
  }
  const work = doYourWork(body.toString('utf8'));
  underWay.set(message.id, work);
  try {
    await work;
    // Only now: when the work fails, the next attempt has to do it.
    done.add(message.id);
    console.log(`done ${message.id}`);
    return 200;
  } finally {
    underWay.delete(message.id);
  }
}

async function doYourWork(text: string): Promise<void> {
  await setTimeout(100);
  if (text.includes('fail once') && !failed.has(text)) {
    failed.add(text);
    throw new Error('the work has failed');
  }
}
const failed = new Set<string>();

const server = createServer((request, response) => {
  receive(request).then(
    (status) => response.writeHead(status).end(),
    () => response.writeHead(500).end(),
  );
});
server.listen(Number(process.env['PORT'] ?? '9099'), '127.0.0.1', () => {
  console.log(`listening on ${JSON.stringify(server.address())}`);
});

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { expect } from 'chai';

import { readHttpHeaders, readKafkaHeaders } from '../../../client/retry-headers.js';

const asLatin1 = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

const sent = {
  'x-retry-task-id': 'bestellung-\u00fc-\u{1f69a}',
  'x-retry-run': '2',
  'x-retry-edit': '3',
  'x-retry-attempt': '4',
  'x-retry-max-retries': '5',
  'x-retry-source': 'orders',
  'x-retry-client-id': 'shop',
};
const read = { taskId: 'bestellung-\u00fc-\u{1f69a}', run: 2, edit: 3, attempt: 4, maxRetries: 5, source: 'orders', clientId: 'shop', dead: undefined };

describe('the headers of a message', () => {
  it('are read from the headers of Node and of a Request, as UTF-8', () => {
    const latin1 = Object.fromEntries(Object.entries(sent).map(([name, value]) => [name, asLatin1(value)]));
    expect(readHttpHeaders(latin1)).to.deep.equal(read);
    expect(readHttpHeaders(new Headers(latin1))).to.deep.equal(read);
  });

  it('are read as they arrive at a server', async () => {
    const server = createServer((request, response) => {
      response.end(JSON.stringify(readHttpHeaders(request.headers)));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = server.address() as AddressInfo;
      const response = await fetch(`http://127.0.0.1:${port}/`, { headers: Object.fromEntries(Object.entries(sent).map(([name, value]) => [name, asLatin1(value)])) });
      expect(await response.json()).to.deep.include({ taskId: read.taskId, run: 2 });
    } finally {
      server.close();
    }
  });

  it('are read from a Kafka record, with bytes, texts and lists', () => {
    const bytes = Object.fromEntries(Object.entries(sent).map(([name, value]) => [name, Buffer.from(value)]));
    expect(readKafkaHeaders(bytes)).to.deep.equal(read);
    expect(readKafkaHeaders(sent)).to.deep.equal(read);
    expect(readKafkaHeaders({ ...bytes, 'x-retry-run': [Buffer.from('7'), Buffer.from('8')] })?.run).to.equal(7);
  });

  it('tell of a dead letter why it is one', () => {
    const dead = readKafkaHeaders({ ...sent, 'x-retry-dead-reason': 'retries_exhausted', 'x-retry-error': 'http_busy: HTTP 503', 'x-retry-first-failed-at': 'a', 'x-retry-last-failed-at': 'b', 'x-retry-original-destination': 'http https://a/' })?.dead;
    expect(dead).to.deep.equal({ reason: 'retries_exhausted', error: 'http_busy: HTTP 503', firstFailedAt: 'a', lastFailedAt: 'b', originalDestination: 'http https://a/' });
  });

  it('are run 1 and edit 0 where an older version has sent none', () => {
    expect(readHttpHeaders({ 'x-retry-task-id': 'a' })).to.include({ run: 1, edit: 0, attempt: 0 });
  });

  it('are none of a message that does not come from the service', () => {
    for (const headers of [{}, { 'content-type': 'text/plain' }]) expect([readHttpHeaders(headers), readKafkaHeaders(headers)]).to.deep.equal([undefined, undefined]);
    expect(readKafkaHeaders(undefined)).to.equal(undefined);
  });
});

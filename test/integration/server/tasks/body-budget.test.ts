import { connect, type Socket } from 'node:net';

import { expect } from 'chai';
import fc from 'fast-check';

import { BodyBudget } from '../../../../server/http/body-budget.js';
import { eventually } from '../../../support/eventually.js';
import { sendRaw } from '../../../support/raw-request.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { httpTask, submitNew } from '../../../support/tasks.js';

const MIB = 1_048_576;
const waiting = (message: string): string => JSON.stringify(httpTask('http://127.0.0.1:9/', { initial_delay: 3_600, message_data: message }));

type Path = '/tasks' | '/tasks/batch';

describe('the budget for bodies', () => {
  const budget = new BodyBudget(8 * MIB);
  const sockets = new Set<Socket>();
  let service: InProcessService;

  before(async () => { service = await InProcessService.ready({ bodyBudget: budget }); });
  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
    await eventually(() => { expect(budget.usedBytes).to.equal(0); });
  });
  after(() => service.close());

  /** Sends the head of a request and the first bytes of its body. */
  function begin(path: Path, type: string, length: number | 'chunked', body: string): { socket: Socket; answer: () => string } {
    const { hostname, port } = new URL(service.baseUrl);
    const socket = connect(Number(port), hostname);
    let answer = '';
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => { answer += chunk.toString(); });
    const framing = length === 'chunked' ? 'Transfer-Encoding: chunked' : `Content-Length: ${length}`;
    socket.write(`POST ${path} HTTP/1.1\r\nHost: ${hostname}\r\nContent-Type: ${type}\r\n${framing}\r\n\r\n`);
    // As a rule, a piece of an odd size is cut anywhere.
    for (let from = 0; from < body.length; from += 100_003) {
      const piece = body.slice(from, from + 100_003);
      socket.write(length === 'chunked' ? `${piece.length.toString(16)}\r\n${piece}\r\n` : piece);
    }
    return { socket, answer: () => answer };
  }

  const half = (bytes: number): string => `["${'x'.repeat(bytes)}`;

  it('refuses a large body with 503 and Retry-After while others have used it up, and takes small ones', async () => {
    begin('/tasks/batch', 'application/json', 32 * MIB, half(3 * MIB));
    begin('/tasks/batch', 'application/json', 'chunked', half(2 * MIB));
    await eventually(() => { expect(budget.usedBytes).to.be.above(4.8 * MIB); });
    const large = begin('/tasks', 'application/json', 'chunked', half(3 * MIB));
    await eventually(() => { expect(large.answer()).to.match(/^HTTP\/1\.1 503 [^]*"code":"overloaded"/); });
    expect(large.answer()).to.match(/\r\nRetry-After: 1\r\n/).and.to.match(/\r\nConnection: close\r\n/);
    await submitNew(service.baseUrl, httpTask('http://127.0.0.1:9/', { initial_delay: 3_600, message_data: 'x'.repeat(60_000) }));
  });

  it('gives a line that finds no room its own 503, and stores those around it', async () => {
    for (let nth = 0; nth < 7; nth += 1) begin('/tasks/batch', 'application/json', 32 * MIB, half(MIB));
    await eventually(() => { expect(budget.usedBytes).to.be.above(6.4 * MIB); });
    const body = [waiting('first'), waiting('x'.repeat(1_000_000)), waiting('last')].join('\n');
    const { status, text } = await sendRaw(service.baseUrl, { method: 'POST', path: '/tasks/batch', headers: { 'content-type': 'application/x-ndjson' }, body });
    const { results } = JSON.parse(text) as { results: readonly { status: number; code?: string }[] };
    expect([status, results.map((result) => [result.status, result.code])]).to.deep.equal([207, [[201, undefined], [503, 'overloaded'], [201, undefined]]]);
  });

  it('waits for the earlier lines of an upload before it refuses one for want of room', async () => {
    const lines = Array.from({ length: 30 }, (_, nth) => waiting(`${nth} ${'x'.repeat(1_000_000)}`));
    const { status, text } = await sendRaw(service.baseUrl, { method: 'POST', path: '/tasks/batch', headers: { 'content-type': 'application/x-ndjson' }, body: lines.join('\n') });
    const { counts } = JSON.parse(text) as { counts: object };
    expect([status, counts]).to.deep.equal([207, { total: 30, created: 30, already_scheduled: 0, refused: 0, failed: 0 }]);
  });

  it('has everything back after uploads of all kinds, whether they were whole, refused or cut off', async function () {
    this.timeout(60_000);
    const upload = fc.record({
      path: fc.constantFrom<Path>('/tasks', '/tasks/batch'),
      type: fc.constantFrom('application/json', 'application/x-ndjson'),
      isChunked: fc.boolean(),
      isWhole: fc.boolean(),
      bytes: fc.integer({ min: 1, max: 4 * MIB }),
      kind: fc.constantFrom('task', 'lines', 'brackets', 'spaces'),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(upload, { minLength: 1, maxLength: 8 }), async (uploads) => {
        const ended = uploads.map(async ({ path, type, isChunked, isWhole, bytes, kind }) => {
          const body = bodyOf(kind, bytes);
          const sent = isWhole ? body : body.slice(0, Math.floor(body.length / 2));
          const { socket, answer } = begin(path, type, isChunked ? 'chunked' : body.length, sent);
          if (isWhole && isChunked) socket.write('0\r\n\r\n');
          if (isWhole) await eventually(() => { expect(answer()).to.match(/^HTTP\/1\.1 \d{3} /); }, { withinMs: 20_000 });
          socket.destroy();
        });
        await Promise.all(ended);
        await eventually(() => { expect(budget.usedBytes).to.equal(0); }, { withinMs: 10_000 });
      }),
      { numRuns: 15 },
    );
  });
});

function bodyOf(kind: string, bytes: number): string {
  switch (kind) {
    case 'task':
      return waiting('x'.repeat(Math.min(bytes, MIB)));
    case 'lines':
      return Array.from({ length: Math.ceil(bytes / 100_000) }, (_, nth) => waiting(`${nth} ${'x'.repeat(90_000)}`)).join('\n');
    case 'brackets':
      return '['.repeat(bytes);
    default:
      return ' '.repeat(bytes);
  }
}

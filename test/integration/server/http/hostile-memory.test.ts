import { readFileSync } from 'node:fs';

import { expect } from 'chai';

import { Service } from '../../../support/service.js';

/** Rounds before memory is looked at: code is compiled. */
const FIRST_ROUNDS = 2;
const ROUNDS = 5;
/** How often it is looked at so many rounds: the heap may take longer to have the size that the work needs. What is kept would be kept each time. */
const TIMES = 3;
/** Of each request, at the same time. */
const AT_ONCE = 6;
/** Of those whose answer costs most: their bodies are so much larger instead. */
const COSTLY_AT_ONCE = 2;
const MEBI = 1_048_576;
/** What the garbage collector leaves lying about. All bodies of the rounds behind the first ones together are three times as much at least. */
const MAX_GROWTH_MIB = 75;

interface Wanted {
  readonly path: string;
  readonly body?: string;
  readonly type?: string;
  readonly status: number;
  readonly code?: string;
  readonly atOnce?: number;
}

const post = (path: string, body: string, status: number, code?: string): Wanted => ({ path, body, status, ...(code === undefined ? {} : { code }) });
const idsOf = (many: number): string => JSON.stringify(Array.from({ length: many }, (_, nth) => `${'unknown-'.repeat(12)}${nth}`));
const nested = (open: string, close: string, levels: number): string => open.repeat(levels) + close.repeat(levels);
const filterOf = (values: number): string => JSON.stringify(Object.fromEntries(['client_id', 'source', 'flow_key'].map((name) => [name, Array.from({ length: values }, (_, nth) => `${'x'.repeat(200)}${nth}`)])));
const q = (text: string): string => `/tasks?q=${encodeURIComponent(text)}`;

/** One of each kind of input that is large, deep or long, and what is answered to it. */
const wanted: readonly Wanted[] = [
  post('/bulk-actions', `{"action":"redrive","dry_run":true,"ids":${idsOf(10_000)}}`, 200),
  post('/bulk-actions', `{"action":"redrive","dry_run":true,"ids":${idsOf(10_001)}}`, 400),
  post('/bulk-actions', `{"action":"redrive","dry_run":true,"ids":${JSON.stringify(Array.from({ length: 10_000 }, () => ({ id: [null] })))}}`, 400),
  post('/bulk-actions', `{"action":"redrive","dry_run":true,"filter":${filterOf(1_000)}}`, 400),
  post('/bulk-actions', `{"action":"redrive","dry_run":true,"filter":${nested('{"q":', '}', 100_000).replace(':}', ':1}')}}`, 400),
  post('/tasks', nested('[', ']', 900_000), 400),
  post('/tasks', nested('{"a":', '}', 100_000), 400),
  post('/tasks', `{"id":"deep","message_data":${JSON.stringify(nested('[', ']', 400_000))},"destination":${nested('{"url":', '}', 60).replace(':}', ':1}')}}`, 400),
  post('/tasks', `{"id":"${'\\u0000'.repeat(100_000)}"`, 400),
  { ...post('/tasks/batch', JSON.stringify(Array.from({ length: 9_000 }, (_, nth) => ({ id: `bad-${nth}`, ['unknown'.repeat(33)]: nth }))), 207), atOnce: COSTLY_AT_ONCE },
  { path: q(`-id:${'a*,'.repeat(600)}a*`), status: 400, code: 'invalid_query' },
  { path: q(`id:${'a'.repeat(8_000)}`), status: 400, code: 'invalid_query' },
  { path: `/tasks?cursor=${'A'.repeat(8_000)}`, status: 400, code: 'invalid_cursor' },
  { path: `/counts?data.${'a.'.repeat(3_000)}b=1`, status: 400, code: 'invalid_query' },
];

describe('the memory of the API under bad input', function () {
  this.timeout(240_000);
  let service: Service;

  before(async () => { service = await Service.start({ workers: 0 }); });
  after(() => service.close());

  const residentMiB = (): number => Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${service.server.pid}/status`, 'utf8'))?.[1]) / 1_024;

  async function ask({ path, body, type = 'application/json', status, code }: Wanted): Promise<void> {
    const answer = await fetch(`${service.baseUrl}${path}`, body === undefined ? {} : { method: 'POST', headers: { 'content-type': type }, body });
    const text = await answer.text();
    expect(answer.status, `${path.slice(0, 80)} ${body?.slice(0, 80) ?? ''}: ${text.slice(0, 300)}`).to.equal(status);
    if (code !== undefined) expect((JSON.parse(text) as { code: string }).code).to.equal(code);
  }

  it('stays flat, however large, deep and long it is', async () => {
    const askAll = async (rounds: number): Promise<void> => {
      for (let round = 0; round < rounds; round += 1) {
        for (const each of wanted) await Promise.all(Array.from({ length: each.atOnce ?? AT_ONCE }, () => ask(each)));
      }
    };
    await askAll(FIRST_ROUNDS);
    const sentMiB = (ROUNDS * wanted.reduce((sum, { path, body = '', atOnce = AT_ONCE }) => sum + atOnce * (path.length + body.length), 0)) / MEBI;
    expect(sentMiB).to.be.above(3 * MAX_GROWTH_MIB);
    const grownMiB: number[] = [];
    while (grownMiB.length < TIMES && Math.min(...grownMiB) >= MAX_GROWTH_MIB) {
      const before = residentMiB();
      await askAll(ROUNDS);
      grownMiB.push(residentMiB() - before);
    }
    expect(Math.min(...grownMiB), `${String(grownMiB)} MiB more after ${Math.round(sentMiB)} MiB of requests`).to.be.below(MAX_GROWTH_MIB);
  });
});

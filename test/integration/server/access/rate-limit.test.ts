import { expect } from 'chai';

import type { SubmitResult, Task } from '../../../../client/answers.js';
import { RetryClient } from '../../../../client/retry-client.js';
import { ADMIN_KEY, bearer, callWith, makeKey, type TestKey } from '../../../support/access-keys.js';
import { eventually } from '../../../support/eventually.js';
import { PrivateRedis } from '../../../support/redis.js';
import { CollectedLog, InProcessService } from '../../../support/service-in-process.js';
import { httpTask, type WireTask } from '../../../support/tasks.js';

const waiting = (): WireTask => httpTask('http://127.0.0.1:9/hook', { initial_delay: 3_600 });

interface BatchResult {
  readonly index: number;
  readonly status: number;
  readonly id: string;
  readonly code?: string;
}

describe('the rate limit of a key', function () {
  this.timeout(60_000);

  let service: InProcessService;
  const log = new CollectedLog();

  before(async () => { service = await InProcessService.ready({ bootstrapKey: ADMIN_KEY, log }); });
  after(() => service.close());

  const limited = (rate_limit: number, settings: object = {}): Promise<TestKey> => makeKey(service.baseUrl, { role: 'operate', ...settings, rate_limit });
  const get = (key: string, path = '/stats', url = service.baseUrl) => fetch(`${url}${path}`, { headers: bearer(key) });
  const batch = async (key: string, tasks: readonly unknown[], type = 'application/json') => {
    const body = type === 'application/json' ? JSON.stringify(tasks) : tasks.map((task) => JSON.stringify(task)).join('\n');
    const response = await fetch(`${service.baseUrl}/tasks/batch`, { method: 'POST', headers: { ...bearer(key), 'content-type': type }, body });
    return { response, answer: (await response.json()) as { code?: string; counts: Record<string, number>; results: BatchResult[] } };
  };

  it('is set, shown, changed and taken away, and what it may be is checked', async () => {
    const { id, key } = await limited(3);
    const shown = async () => ((await callWith(ADMIN_KEY, service.baseUrl, '/keys?limit=1000')).body['keys'] as { id: string; rate_limit: number | null }[]).find((each) => each.id === id)?.rate_limit;
    expect(await shown()).to.equal(3);
    const change = (rate_limit: unknown) => callWith(ADMIN_KEY, service.baseUrl, `/keys/${id}`, { method: 'PATCH', body: { rate_limit } });
    expect((await change(0.001)).body).to.include({ rate_limit: 0.001 });
    expect((await change(1_000_000)).body).to.include({ rate_limit: 1_000_000 });
    for (const wrong of [0, 0.0009, 1_000_000.1, -1, '5', true, []]) expect((await change(wrong)).body, String(wrong)).to.include({ code: 'invalid_request' });
    expect((await change(null)).body).to.include({ rate_limit: null });
    expect((await get(key)).headers.get('ratelimit'), 'without a limit there is nothing to say').to.equal(null);
    expect(await shown()).to.equal(null);
  });

  it('counts one for each call, says what is left, and refuses what is beyond it with the time to wait', async () => {
    const { id, key } = await limited(4);
    const answers: [status: number, left: string | null][] = [];
    for (let nth = 0; nth < 4; nth += 1) {
      const response = await get(key);
      expect(response.headers.get('ratelimit-policy')).to.equal('"key";q=4;w=1');
      answers.push([response.status, response.headers.get('ratelimit')]);
    }
    expect(answers[0]).to.deep.equal([200, '"key";r=3;t=1']);
    const refused = await eventually(async () => {
      const response = await get(key, '/keys');
      expect(response.status).to.equal(429);
      return response;
    });
    expect(await refused.json()).to.include({ code: 'rate_limited', error: 'this key may send 4 tasks a second, or make as many other calls' });
    expect(refused.headers.get('retry-after')).to.equal('1');
    expect(refused.headers.get('ratelimit')).to.equal('"key";r=0;t=1');
    // Others may have used up the lines of a second.
    await eventually(async () => {
      await get(key, '/keys');
      const lines = log.text.split('\n').filter((line) => line.includes('request refused') && line.includes('"code":"rate_limited"')).map((line): unknown => JSON.parse(line));
      expect(lines.some((line) => (line as { key_id: string }).key_id === id)).to.equal(true);
      for (const line of lines) expect(line).to.include({ why: 'rate limit of the key', limit: 'rate_limit of the key' });
    });
    await eventually(async () => { expect((await get(key)).status, 'it fills up again').to.equal(200); });
  });

  it('also counts calls that the key may not make, and no others', async () => {
    const { key } = await limited(0.01);
    expect((await get(key, '/keys')).status).to.equal(403);
    expect((await get(key, '/keys')).status).to.equal(429);
    expect((await get(key, '/livez')).status, 'it asks for no key').to.equal(200);
    expect((await get(ADMIN_KEY)).status).to.equal(200);
  });

  for (const type of ['application/json', 'application/x-ndjson']) {
    it(`counts the tasks of a batch, and refuses those beyond it one by one (${type})`, async () => {
      // So slow that nothing comes back while it is looked at.
      const { key } = await limited(5, { client_ids: ['client-a'] });
      const tasks = Array.from({ length: 40 }, () => ({ ...waiting(), client_id: 'client-a' }));
      const { response, answer } = await batch(key, tasks, type);
      expect(response.status).to.equal(207);
      const { results } = answer;
      expect(results.map(({ index, id }) => [index, id])).to.deep.equal(tasks.map(({ id }, index) => [index, id]));
      expect(results.slice(0, 5).map(({ status }) => status)).to.deep.equal([201, 201, 201, 201, 201]);
      const refused = results.filter(({ status, code }) => status === 429 && code === 'rate_limited');
      expect(refused.length, 'a slow machine lets one more of them in').to.be.within(25, 35);
      expect(answer.counts).to.include({ total: 40, created: 40 - refused.length, refused: refused.length });
      expect(response.headers.get('ratelimit')).to.equal('"key";r=0;t=1');
      for (const { id, status } of [results[0], results.at(-1)] as BatchResult[]) expect((await callWith(ADMIN_KEY, service.baseUrl, `/tasks/${id}`)).status).to.equal(status === 201 ? 200 : 404);
    });
  }

  it('refuses a whole batch when nothing is left, and counts a body without tasks as one call', async () => {
    const { key } = await limited(0.01);
    expect((await batch(key, [])).answer.code ?? 'none').to.not.equal('rate_limited');
    const { response, answer } = await batch(key, [waiting()]);
    expect([response.status, answer.code]).to.deep.equal([429, 'rate_limited']);
  });

  it('counts a batch that is refused before its first task is read', async () => {
    const json = { 'content-type': 'application/json' };
    const refused: readonly (readonly [what: string, path: string, headers: Record<string, string>])[] = [
      ['Idempotency-Key', '/tasks/batch', { ...json, 'idempotency-key': 'x'.repeat(1_000) }],
      ['query', '/tasks/batch?none=1', json],
      ['Content-Type', '/tasks/batch', { 'content-type': 'text/plain' }],
    ];
    for (const [what, path, headers] of refused) {
      const { key } = await limited(0.01);
      const send = async (): Promise<number> => (await fetch(`${service.baseUrl}${path}`, { method: 'POST', headers: { ...bearer(key), ...headers }, body: '[]' })).status;
      expect(await send(), what).to.be.within(400, 415);
      expect(await send(), what).to.equal(429);
    }
  });

  it('is kept by our client, which hands over all tasks of a stream in the end', async () => {
    const { key } = await limited(10);
    const client = new RetryClient({ url: service.baseUrl, apiKey: key });
    const tasks = Array.from({ length: 25 }, () => waiting() as Task);
    const results: SubmitResult[] = [];
    for await (const result of client.submitMany(tasks)) results.push(result);
    expect(results.map(({ status }) => status)).to.deep.equal(tasks.map(() => 201));
    expect(await client.submit(waiting() as Task), 'and a single one').to.include({ is_duplicate: false });
  });

  for (const perSecond of [0.1, 0.3]) {
    it(`is that of all processes together, also when it is ${perSecond} a second`, async () => {
      const others = await Promise.all(Array.from({ length: 2 }, () => InProcessService.ready({ bootstrapKey: ADMIN_KEY, prefix: service.prefix, log })));
      try {
        const { key } = await limited(perSecond);
        const urls = [service, ...others].map(({ baseUrl }) => baseUrl);
        const statuses: number[] = [];
        for (const url of urls) {
          await eventually(async () => {
            const { status } = await get(key, '/tasks/none', url);
            expect(status).to.not.equal(401);
            statuses.push(status);
          });
        }
        for (const url of urls) statuses.push((await get(key, '/tasks/none', url)).status);
        expect(statuses).to.deep.equal([404, 429, 429, 429, 429, 429]);
      } finally {
        await Promise.all(others.map((other) => other.close()));
      }
    });
  }

  it('is that of all processes together', async () => {
    const other = await InProcessService.ready({ bootstrapKey: ADMIN_KEY, prefix: service.prefix, log });
    try {
      const { key } = await limited(40);
      await eventually(async () => { expect((await get(key, '/stats', other.baseUrl)).status).to.not.equal(401); });
      const began = performance.now();
      let passed = 0;
      let refused = 0;
      const knock = async (url: string): Promise<void> => {
        while (performance.now() - began < 3_000) {
          const { status } = await get(key, '/tasks/none', url);
          if (status === 429) refused += 1;
          else passed += 1;
        }
      };
      await Promise.all([knock(service.baseUrl), knock(other.baseUrl), knock(service.baseUrl), knock(other.baseUrl)]);
      const seconds = (performance.now() - began) / 1_000;
      expect(refused).to.be.above(0);
      // A second at once, 95 % of the limit then, and what both take of it before they have told each other.
      expect(passed).to.be.at.most(Math.ceil(40 + 0.95 * 40 * seconds + 0.4 * 40));
      expect(passed).to.be.at.least(Math.floor(0.85 * 40 * seconds));
    } finally {
      await other.close();
    }
  });
});

describe('the rate limit of a key while Redis takes no writes', function () {
  this.timeout(60_000);

  it('neither refuses everybody nor lets everything pass', async () => {
    const redis = await PrivateRedis.start();
    const service = await InProcessService.ready({ bootstrapKey: ADMIN_KEY, redis: redis.address });
    try {
      const { key } = await makeKey(service.baseUrl, { role: 'operate', rate_limit: 5 });
      const status = async (): Promise<number> => (await fetch(`${service.baseUrl}/no-such-path`, { headers: bearer(key) })).status;
      expect(await status()).to.equal(404);
      await service.redis.config('SET', 'maxmemory', '1mb');
      const began = performance.now();
      let refused = 0;
      let passed = 0;
      while (passed < 12) {
        if ((await status()) === 429) refused += 1;
        else passed += 1;
      }
      const seconds = (performance.now() - began) / 1_000;
      expect(refused).to.be.above(0);
      // What one process may do by itself: a second at once, and 95 % of the limit.
      expect(passed).to.be.at.most(Math.ceil(5 + 0.95 * 5 * seconds) + 1);
    } finally {
      await service.close();
      await redis.close();
    }
  });
});

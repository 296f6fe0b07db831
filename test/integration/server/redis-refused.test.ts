import { expect } from 'chai';

import { accessKeys } from '../../../shared/queue/fleet-keys.js';
import { ADMIN_KEY } from '../../support/access-keys.js';
import { eventually } from '../../support/eventually.js';
import { uniquePrefix } from '../../support/namespace.js';
import { RefusingRedis, refusals, type Refusal } from '../../support/refusing-redis.js';
import { InProcessService } from '../../support/service-in-process.js';
import { signIn } from '../../support/sign-in.js';
import { call, cancel, httpTask, submit, submitNew, type Answer, type WireTask } from '../../support/tasks.js';

const waiting = (changes: Partial<WireTask> = {}): WireTask => httpTask('http://127.0.0.1:9/', { initial_delay: 3_600, ...changes });

function expectRefused({ status, body, headers }: Answer): void {
  const { request_id: _, ...said } = body;
  expect([status, said, headers.get('retry-after')]).to.deep.equal([503, { error: 'redis answers, and refuses to do this now', code: 'redis_refused' }, '5']);
}

/** A service alone on its Redis; what it logs is cut to what it has logged since. */
describe('the API while Redis refuses', () => {
  let server: RefusingRedis;
  let service: InProcessService;
  let logStart: number;

  beforeEach(async () => {
    server = await RefusingRedis.start();
    service = await InProcessService.ready({ redis: server.redis.address });
    logStart = service.log.length;
  });
  afterEach(async () => {
    await service.close();
    await server.close();
  });

  const logLines = (): string[] => service.log.slice(logStart).split('\n').filter((line) => line !== '');

  /** READONLY counts as a failover at first. */
  async function whenRefused(ask: () => Promise<Answer>): Promise<Answer> {
    return eventually(async () => {
      const answer = await ask();
      expect(answer.body['code']).to.equal('redis_refused');
      return answer;
    }, { withinMs: 10_000, everyMs: 100 });
  }

  for (const [name, refusal] of Object.entries<Refusal>(refusals)) {
    it(`answers 503 redis_refused, is not ready, and says why in its log, once: ${name}`, async () => {
      const old = waiting();
      await submitNew(service.baseUrl, old);
      await refusal.begin(server.admin);

      expectRefused(await whenRefused(() => submit(service.baseUrl, waiting())));
      for (let times = 0; times < 20; times += 1) await submit(service.baseUrl, waiting());
      await eventually(async () => {
        const ready = await call(service.baseUrl, '/readyz');
        expect([ready.status, ready.body]).to.deep.equal([503, { status: 'not_ready', checks: { redis: 'refused' } }]);
      });
      const said = logLines().filter((line) => line.includes('redis refuses'));
      expect(said).to.have.lengthOf.within(1, 2);
      expect(said[0]).to.include(`"cause":"${refusal.code} `);
      expect(logLines().length, logLines().join('\n')).to.be.below(20);

      await refusal.end(server.admin);
      await eventually(async () => { expect((await call(service.baseUrl, '/readyz')).status).to.equal(200); });
      await submitNew(service.baseUrl, waiting());
      await eventually(async () => {
        await submitNew(service.baseUrl, waiting());
        expect(logLines().filter((line) => line.includes('redis takes writes again'))).to.have.lengthOf(1);
      });
      expect((await call(service.baseUrl, `/tasks/${old.id}`)).body['state']).to.equal('scheduled');
    });
  }

  it('is healthy, and reads, where only writes are refused', async () => {
    const task = waiting();
    await submitNew(service.baseUrl, task);
    await refusals.noReplicas.begin(server.admin);
    expect([(await call(service.baseUrl, '/health')).body, (await call(service.baseUrl, '/livez')).body]).to.deep.equal([{ status: 'healthy' }, { status: 'alive' }]);
    expect((await call(service.baseUrl, `/tasks/${task.id}`)).status).to.equal(200);
    expectRefused(await cancel(service.baseUrl, task.id));
    expectRefused(await call(service.baseUrl, '/destinations/http%3A%2F%2F127.0.0.1%3A9/pause', { method: 'POST' }));
    // Workers cannot report, so how many there are is not known.
    for (const path of ['/status', '/stats', '/destinations']) expect((await call(service.baseUrl, path)).body, path).to.include({ workers: null });
    expect((await (await fetch(`${service.baseUrl}/metrics`)).text())).to.match(/^kafka_retry_redis_replicas /m).and.not.match(/^kafka_retry_workers/m);
    expect((await call(service.baseUrl, '/test-sends', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ destination_type: 'http', destination: { url: 'http://127.0.0.1:9/' }, message_data: '{}' }) })).body['code']).to.equal('redis_refused');
  });

  it('lets people who are signed in read on where only writes are refused', async () => {
    const withKeys = await InProcessService.ready({ redis: server.redis.address, bootstrapKey: ADMIN_KEY, settings: { SESSION_IDLE: '10s' } });
    try {
      for (const name of ['noReplicas', 'failedSnapshot', 'readOnly'] as const) {
        const session = await signIn(withKeys.baseUrl, ADMIN_KEY);
        const read = async (): Promise<readonly unknown[]> => Promise.all(['/tasks', '/status', '/session'].map(async (path) => (await call(withKeys.baseUrl, path, { headers: { ...session } })).status));
        await refusals[name].begin(server.admin);
        // Its use is to be noted after a twentieth of SESSION_IDLE.
        const since = Date.now();
        await eventually(async () => {
          const askedAt = Date.now();
          expect(await read(), name).to.deep.equal([200, 200, 200]);
          expect(askedAt - since).to.be.above(600);
        }, { withinMs: 5_000, everyMs: 100 });
        await refusals[name].end(server.admin);
      }
    } finally {
      await withKeys.close();
    }
  });

  it('answers reads the same way where those are refused, the board too', async () => {
    await refusals.missingKeys.begin(server.admin);
    for (const path of ['/tasks/x', '/stats', '/admin/queues/api/queues']) expectRefused(await call(service.baseUrl, path));
    expect((await call(service.baseUrl, '/destinations')).body['code']).to.equal('redis_refused');
    expect((await call(service.baseUrl, '/health')).status).to.equal(503);
  });

  it('refuses the whole batch without trying each of its tasks', async () => {
    await refusals.noReplicas.begin(server.admin);
    const { status, body } = await call(service.baseUrl, '/tasks/batch', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(Array.from({ length: 2_000 }, () => waiting())) });
    expect([status, body['code'], body['counts']]).to.deep.equal([503, 'redis_refused', { total: 2_000, created: 0, already_scheduled: 0, refused: 0, failed: 2_000 }]);
    // It is not there while no script has run yet.
    const commands = (await server.admin.info('commandstats')).match(/cmdstat_evalsha:calls=(\d+)/)?.[1] ?? '0';
    expect(Number(commands)).to.be.below(20);
  });

  it('refuses the one task whose key holds something else, and takes the others', async () => {
    await server.admin.set(`${service.prefix}:deliver-0:t-taken`, 'not a task');
    expectRefused(await submit(service.baseUrl, waiting({ id: 'taken' })));
    await submitNew(service.baseUrl, waiting());
    expect((await call(service.baseUrl, '/readyz')).status).to.equal(200);
  });

  it('is not ready with AUTH=on until the access keys were read once, with a key of BOOTSTRAP_API_KEY, too, which holds meanwhile', async () => {
    const prefix = uniquePrefix();
    const { keys } = accessKeys(prefix, false);
    await server.admin.set(keys, 'no hash');
    const withKeys = await InProcessService.start({ redis: server.redis.address, prefix, bootstrapKey: ADMIN_KEY });
    const ready = async (): Promise<unknown> => call(withKeys.baseUrl, '/readyz').then(({ status, body }) => [status, body]);
    try {
      await eventually(async () => { expect(await ready()).to.deep.equal([503, { status: 'not_ready', checks: { redis: 'ok', fleet: 'failed' } }]); });
      expect((await call(withKeys.baseUrl, '/tasks', { headers: { authorization: `Bearer ${ADMIN_KEY}` } })).status).to.equal(200);
      await server.admin.del(keys);
      await eventually(async () => { expect(await ready()).to.deep.equal([200, { status: 'ready', checks: { redis: 'ok' } }]); });
    } finally {
      await withKeys.close();
    }
  });

  it('is ready when Redis is full: tasks can be looked at and cancelled', async () => {
    const task = waiting();
    await submitNew(service.baseUrl, task);
    await server.admin.config('SET', 'maxmemory', '1mb');
    expect((await submit(service.baseUrl, waiting())).body['code']).to.equal('redis_full');
    expect((await call(service.baseUrl, '/readyz')).body).to.deep.equal({ status: 'ready', checks: { redis: 'ok' } });
    expect((await call(service.baseUrl, `/tasks/${task.id}`)).status).to.equal(200);
    const life = { startedAt: 1, spell: { masters: 'r', since: 1 }, lockMs: 3 };
    await service.queue.fleet.withFlow((store) => store.putReport('w', '{}'));
    expect(await service.queue.fleet.withFlow((store) => store.silentWorkers({ min: 0, max: 1_000 }, { worker: 'w', life }))).to.have.property('silent').that.has.lengthOf(1);
    expect((await call(service.baseUrl, '/status')).body).to.include({ workers: 1 });
  });

  it('answers 500 and logs it when an error of Redis is a bug of ours', async () => {
    const [shard] = await service.queue.shards();
    shard?.client.defineCommand('krsFlowSnapshot', { numberOfKeys: 3, lua: 'return no_such_thing.at_all' });
    const { status, body } = await call(service.baseUrl, `/destinations/${encodeURIComponent('https://api.example.com')}`);
    expect([status, body['code']]).to.deep.equal([500, 'internal']);
    expect(logLines().filter((line) => line.includes('bug: a request failed'))).to.have.lengthOf(1);
    expect(service.log.slice(logStart)).to.include('no_such_thing');
  });
});

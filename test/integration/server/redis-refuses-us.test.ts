import { expect } from 'chai';
import { Redis } from 'ioredis';

import type { RedisConfig } from '../../../shared/config/config.js';
import { rightsProbe } from '../../../shared/queue/rights-probe.js';
import { connectRedis } from '../../../shared/redis/redis-connection.js';
import { aclRule } from '../../../shared/redis/redis-rights.js';
import { RightsWatch } from '../../../shared/redis/rights-watch.js';
import { eventually } from '../../support/eventually.js';
import { uniquePrefix } from '../../support/namespace.js';
import { PrivateRedis, printAddress } from '../../support/redis.js';
import { CollectedLog, InProcessService } from '../../support/service-in-process.js';
import { call, httpTask, submit, submitNew } from '../../support/tasks.js';

const USER = 'retry-service';
const PASSWORD = 'of-few-rights';
const waiting = () => httpTask('http://127.0.0.1:9/', { initial_delay: 3_600 });

describe('the API when Redis does not let it do what it could when it started', function () {
  this.timeout(90_000);
  const prefix = uniquePrefix();
  let redis: PrivateRedis;
  let admin: Redis;
  let log: CollectedLog;
  const closing: (() => unknown)[] = [];

  beforeEach(async () => {
    redis = await PrivateRedis.start(['--maxmemory-policy', 'noeviction', '--user', USER, 'on', `>${PASSWORD}`, ...aclRule(prefix)]);
    closing.push(() => redis.close());
    admin = new Redis(redis.address);
    closing.push(() => admin.disconnect());
    log = new CollectedLog();
  });
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  const ofUser = (): RedisConfig => ({ mode: 'standalone', address: redis.address, username: USER, password: PASSWORD, tls: false, db: 0 });

  async function start(config: RedisConfig = ofUser()): Promise<InProcessService> {
    const service = await InProcessService.ready({ prefix, redis: config, log });
    closing.push(() => service.close());
    return service;
  }

  async function endAllOthers(): Promise<void> {
    const own = await admin.client('ID');
    const ids = [...String(await admin.client('LIST')).matchAll(/^id=(\d+)/gm)].map(([, id]) => id ?? '').filter((id) => id !== String(own));
    for (const id of ids) await admin.client('KILL', 'ID', id).catch(() => 0); // it may have ended by itself
  }

  const ready = async ({ baseUrl }: InProcessService): Promise<unknown> => call(baseUrl, '/readyz').then(({ status, body }) => [status, (body['checks'] as Record<string, unknown>)['redis']]);
  const codeOfSubmission = async ({ baseUrl }: InProcessService): Promise<unknown> => submit(baseUrl, waiting()).then(({ status, body }) => (status === 201 ? 201 : [status, body['code']]));
  const status = async ({ baseUrl }: InProcessService): Promise<{ readonly status: unknown; readonly first: string; readonly codes: readonly string[] }> => {
    const { body } = await call(baseUrl, '/status');
    const reasons = body['reasons'] as readonly { readonly code: string; readonly message: string }[];
    return { status: body['status'], first: reasons[0]?.message ?? '', codes: reasons.map(({ code }) => code) };
  };
  async function isWell(service: InProcessService): Promise<void> {
    await eventually(async () => {
      expect(await ready(service)).to.deep.equal([200, 'ok']);
      expect(await codeOfSubmission(service)).to.equal(201);
    }, { withinMs: 20_000, everyMs: 100 });
  }

  it('names the right that was taken away in its log and in GET /status, is not ready while no task is taken, and goes on when it has it again', async () => {
    const service = await start();
    for (const right of ['zadd', 'multi', 'exec', 'evalsha']) {
      const from = service.log.length;
      await admin.acl('SETUSER', USER, `-${right}`);
      await eventually(async () => {
        expect(await codeOfSubmission(service), right).to.deep.equal([503, 'redis_refused']);
        expect(await ready(service), right).to.deep.equal([503, 'refused']);
        const said = await status(service);
        expect(said.first, right).to.match(new RegExp(`^Redis answers, and (takes no writes|refuses what it is asked) \\(redis user ${USER} may not use ${right.toUpperCase()}: see ACL SETUSER\\): no task is taken`));
        expect([said.status, said.codes.includes('no_worker')], right).to.deep.equal(['down', false]);
      }, { withinMs: 20_000, everyMs: 100 });
      expect(service.log.slice(from), right).to.match(new RegExp(`does not give our user a right that it needs.*"cause":"may not use ${right.toUpperCase()}: see ACL SETUSER"`)).and.not.include('bug:');
      await admin.acl('SETUSER', USER, `+${right}`);
      await isWell(service);
      expect(service.log.slice(from), right).to.include('redis gives our user every right again');
    }
  });

  it('takes tasks without a right that only deliveries need, which the worker names', async () => {
    const service = await start();
    await service.startWorker();
    await submitNew(service.baseUrl, waiting());
    await admin.acl('SETUSER', USER, '-rpoplpush');
    await submitNew(service.baseUrl, httpTask('http://127.0.0.1:9/', { initial_delay: 0 }));
    await eventually(() => { expect(service.log).to.match(/does not give our user a right that it needs.*may not use RPOPLPUSH: see ACL SETUSER/); }, { withinMs: 20_000 });
    expect([await ready(service), await codeOfSubmission(service)]).to.deep.equal([[200, 'ok'], 201]);
  });

  it('finds a lack that nobody has met yet, and what nobody asks for costs no more than a look from time to time', async () => {
    const client = connectRedis(ofUser(), 'server');
    closing.push(() => client.disconnect());
    client.on('error', () => undefined);
    const watch = new RightsWatch({ redis: client, probe: rightsProbe(prefix, false, 1), waitsForReplicas: false, user: USER, logger: { error: () => undefined, info: () => undefined }, wellPauseMs: 500 });
    closing.push(() => watch.close());
    await eventually(() => { expect(client.status).to.equal('ready'); });
    for (const right of ['script|load', 'info', 'scan', 'bzpopmin', 'ping']) {
      await admin.acl('SETUSER', USER, `-${right}`);
      await eventually(() => { expect([...watch.missing]).to.deep.equal([['', [right.toUpperCase()]]]); });
      await admin.acl('SETUSER', USER, `+${right}`);
      await eventually(() => { expect(watch.missing.size).to.equal(0); });
    }
  });

  for (const [name, change, restore, said] of [
    ['its user has another password', () => admin.acl('SETUSER', USER, 'resetpass', '>other'), () => admin.acl('SETUSER', USER, `>${PASSWORD}`), /refuses the login.*WRONGPASS/],
    ['its user is gone', () => admin.acl('DELUSER', USER), () => admin.acl('SETUSER', USER, 'on', `>${PASSWORD}`, ...aclRule(prefix)), /refuses the login.*WRONGPASS/],
  ] as const) {
    it(`says redis_refused everywhere while ${name}, and why`, async () => {
      const service = await start();
      await change();
      await endAllOthers();
      await refusesAll(service, said);
      await restore();
      await isWell(service);
    });
  }

  it('says redis_refused everywhere while Redis asks for a password since it started, and why', async () => {
    const service = await start({ mode: 'standalone', address: redis.address, username: undefined, password: undefined, tls: false, db: 0 });
    await admin.config('SET', 'requirepass', 'changed');
    await endAllOthers();
    await refusesAll(service, /asks for a password, set REDIS_PASSWORD/);
    await admin.config('SET', 'requirepass', '');
    await isWell(service);
  });

  async function refusesAll(service: InProcessService, said: RegExp): Promise<void> {
    await eventually(async () => {
      expect(await codeOfSubmission(service)).to.deep.equal([503, 'redis_refused']);
      expect(await ready(service)).to.deep.equal([503, 'refused']);
      for (const path of ['/tasks/x', '/stats', '/keys', '/audit', '/destinations']) expect((await call(service.baseUrl, path)).body['code'], path).to.equal('redis_refused');
      expect((await status(service)).first).to.match(/^Redis answers, and refuses what it is asked \(redis /).and.to.match(said);
    }, { withinMs: 25_000, everyMs: 200 });
    expect(service.log).to.match(/redis does not let us in/).and.to.match(said).and.to.match(/"message":"redis refuses"/);
    expect(service.log).to.not.include(PASSWORD);
  }

  it('says that its address is that of a replica, in its log by itself, and goes on when that is promoted', async () => {
    const replica = await PrivateRedis.start(['--maxmemory-policy', 'noeviction', '--replicaof', `127.0.0.1 ${redis.address.port}`]);
    closing.push(() => replica.close());
    const ofReplica = new Redis(replica.address);
    closing.push(() => ofReplica.disconnect());
    await eventually(async () => { expect(await ofReplica.info('replication')).to.include('master_link_status:up'); });
    const service = await InProcessService.start({ prefix, redis: replica.address, log });
    closing.push(() => service.close());
    const fault = `is a replica of ${printAddress(redis.address)}, and takes no writes (READONLY): name the master in REDIS_ADDR`;
    await eventually(() => { expect(service.log).to.include('redis is a replica').and.include(fault); }, { withinMs: 20_000 });
    await eventually(async () => {
      expect(await codeOfSubmission(service)).to.deep.equal([503, 'redis_refused']);
      expect(await ready(service)).to.deep.equal([503, 'refused']);
      expect((await status(service)).first).to.match(/^Redis answers, and .*READONLY/);
    }, { withinMs: 20_000, everyMs: 200 });
    await ofReplica.replicaof('NO', 'ONE');
    await isWell(service);
  });

  it('says that Redis takes no more connections, in the words of Redis', async () => {
    const service = await start();
    await admin.config('SET', 'maxclients', '1');
    await endAllOthers();
    await eventually(async () => {
      expect((await status(service)).first).to.match(/^Redis does not let us in \(redis \S+ takes no more connections, check maxclients: ERR max number of clients reached\)/);
      expect(await codeOfSubmission(service)).to.deep.equal([503, 'redis_unavailable']);
    }, { withinMs: 25_000, everyMs: 200 });
    expect(service.log).to.match(/redis does not let us in.*ERR max number of clients reached/);
    await admin.config('SET', 'maxclients', '10000');
    await isWell(service);
  });
});

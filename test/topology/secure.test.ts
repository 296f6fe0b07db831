import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';

import { expect } from 'chai';
import { Redis } from 'ioredis';

import { loadConfig } from '../../shared/config/load.js';
import { rightsProbe } from '../../shared/queue/rights-probe.js';
import { createLogger } from '../../shared/logging/logger.js';
import { RedisAccess } from '../../shared/redis/redis-access.js';
import { connectRedis, type RedisClient } from '../../shared/redis/redis-connection.js';
import { checkRedisSettings } from '../../shared/redis/redis-watch.js';
import { TestAuthority, type IssuedCertificate } from '../support/certificates.js';
import { eventually } from '../support/eventually.js';
import { createReceiver, type Receiver } from '../support/receiver.js';
import { RedisCluster } from '../support/redis-cluster.js';
import { PrivateRedis, printAddress } from '../support/redis.js';
import { MASTER_NAME, Sentinel } from '../support/sentinel-redis.js';
import { Service, ServiceProcess, type Settings } from '../support/service.js';
import { httpTask, submitNew, waitForState } from '../support/tasks.js';

const PASSWORD = 'secret-of-redis';
const SENTINEL_PASSWORD = 'secret-of-sentinel';

describe('topology: Redis with TLS and logins', function () {
  this.timeout(60_000);
  let authority: TestAuthority;
  let stranger: TestAuthority;
  let ofServer: IssuedCertificate;
  let ofClient: IssuedCertificate;
  let receiver: Receiver;
  /** Our side, where nothing is wrong. */
  let tls: Settings;
  const closing: (() => unknown)[] = [];

  before(async () => {
    [authority, stranger, receiver] = await Promise.all([TestAuthority.create(), TestAuthority.create(), createReceiver()]);
    [ofServer, ofClient] = await Promise.all([authority.issue({ names: ['IP:127.0.0.1', 'DNS:redis.example'] }), authority.issue({ names: [] })]);
    tls = { REDIS_TLS: 'true', REDIS_TLS_CA_FILE: authority.ca, REDIS_TLS_CERT_FILE: ofClient.cert, REDIS_TLS_KEY_FILE: ofClient.key };
  });
  after(() => Promise.all([authority.close(), stranger.close(), receiver.close()]));
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  interface Watched {
    readonly redis: RedisClient;
    readonly lines: string[];
    /** Resolves with `admitted`, or with what ends the start. */
    readonly refusal: Promise<string>;
  }

  function connect(settings: Settings): Watched {
    const { redis: config } = loadConfig(settings);
    const redis = connectRedis(config, 'worker');
    redis.on('error', () => undefined); // what is wrong is said by RedisAccess
    const lines: string[] = [];
    const access = new RedisAccess(redis, config, { error: (message, fields) => void lines.push(`${message} ${JSON.stringify(fields)}`), info: () => undefined }, rightsProbe('bull', config.mode === 'cluster', 16));
    closing.push(() => redis.disconnect(), () => access.close());
    return { redis, lines, refusal: access.admission.then(() => 'admitted', (error: unknown) => String(error)) };
  }

  async function isReady({ refusal }: Watched): Promise<void> {
    expect(await refusal).to.equal('admitted');
  }

  /** One task through the API and a worker, both of their own processes. */
  async function deliversWith(settings: Settings): Promise<void> {
    const service = await Service.start({ settings: { REDIS_ADDR: '', ...settings } });
    closing.push(() => service.close());
    const task = httpTask(receiver.url('/'));
    await submitNew(service.baseUrl, task);
    await waitForState(service.baseUrl, task.id, 'delivered');
    await service.close();
    expect(service.output).to.not.include('secret-of');
  }

  describe('standalone', () => {
    let redis: PrivateRedis;
    let plain: PrivateRedis;
    let settings: Settings;

    before(async () => {
      [redis, plain] = await Promise.all([PrivateRedis.start(['--requirepass', PASSWORD], { certificate: ofServer, ca: authority.ca }), PrivateRedis.start(['--requirepass', PASSWORD])]);
      settings = { ...tls, REDIS_ADDR: printAddress(redis.address), REDIS_PASSWORD: PASSWORD };
    });
    after(() => Promise.all([redis.close(), plain.close()]));

    it('delivers with a private authority, a certificate of ours and a password', () => deliversWith(settings));

    it('takes the certificate for REDIS_TLS_SERVERNAME instead', () => isReady(connect({ ...settings, REDIS_TLS_SERVERNAME: 'redis.example' })));

    const refusals: readonly (readonly [what: string, changes: () => Settings, words: string])[] = [
      ['a wrong password', () => ({ REDIS_PASSWORD: 'wrong' }), 'refuses the login, check REDIS_USERNAME and REDIS_PASSWORD: WRONGPASS'],
      ['no password', () => ({ REDIS_PASSWORD: '' }), 'asks for a password, set REDIS_PASSWORD'],
      ['an unknown authority', () => ({ REDIS_TLS_CA_FILE: stranger.ca }), 'has a certificate that no trusted authority has signed, check REDIS_TLS_CA_FILE'],
      ['another name', () => ({ REDIS_TLS_SERVERNAME: 'other.example' }), 'has a certificate for other names, use one that stands in it, or set REDIS_TLS_SERVERNAME'],
      ['no certificate of ours', () => ({ REDIS_TLS_CERT_FILE: '', REDIS_TLS_KEY_FILE: '' }), 'refuses our certificate, or asks for one, check REDIS_TLS_CERT_FILE and REDIS_TLS_KEY_FILE'],
      ['TLS at a plain port', () => ({ REDIS_ADDR: printAddress(plain.address) }), 'does not speak TLS on this port, and REDIS_TLS is true'],
      ['a database that is not there', () => ({ REDIS_DB: '16' }), 'refuses database 16, check REDIS_DB: ERR DB index is out of range'],
      ['no TLS at a port with TLS', () => ({ REDIS_TLS: '', REDIS_TLS_CA_FILE: '', REDIS_TLS_CERT_FILE: '', REDIS_TLS_KEY_FILE: '' }), 'speaks TLS on this port, and REDIS_TLS is not true'],
    ];
    it(`ends a start, and says why: ${refusals.map(([what]) => what).join(', ')}`, async () => {
      await Promise.all(refusals.map(async ([what, changes, words]) => {
        const wrong = { ...settings, ...changes() };
        const said = await connect(wrong).refusal;
        expect(said, what).to.include(`redis ${wrong['REDIS_ADDR'] ?? ''} ${words}`);
        expect(said, what).to.not.match(/secret-of|SSL routines/);
      }));
    });

    for (const entry of ['server/main.js', 'workers/main.js']) {
      it(`${entry} ends with 78 and one line of why`, async () => {
        const run = new ServiceProcess(entry, { ...settings, REDIS_PASSWORD: 'wrong', HTTP_HOST: '127.0.0.1', HTTP_PORT: '0' });
        closing.push(() => run.kill());
        expect(await run.ended()).to.equal(78);
        expect(run.lines.filter((line) => line.includes('check REDIS_USERNAME and REDIS_PASSWORD'))).to.have.lengthOf(1);
        expect(run.output.match(/redis is away/g) ?? []).to.have.lengthOf.at.most(1);
      });
    }

    it('says that it is the old Redis that refuses the login', async () => {
      const said = async (changes: Settings): Promise<string> => {
        const run = new ServiceProcess('server/main.js', { ...settings, HTTP_HOST: '127.0.0.1', HTTP_PORT: '0', PREVIOUS_REDIS_ADDR: printAddress(plain.address), ...changes });
        closing.push(() => run.kill());
        expect(await run.ended()).to.equal(78);
        return run.output;
      };
      const [login, database] = await Promise.all([said({ PREVIOUS_REDIS_PASSWORD: 'wrong' }), said({ PREVIOUS_REDIS_PASSWORD: PASSWORD, PREVIOUS_REDIS_DB: '16' })]);
      expect(login).to.include(`(PREVIOUS_REDIS_*): redis ${printAddress(plain.address)} refuses the login`);
      expect(database).to.include(`(PREVIOUS_REDIS_*): redis ${printAddress(plain.address)} refuses database 16`);
    });

    it('writes to no other database when SELECT is forbidden later, on no connection', async () => {
      const client = new Redis({ ...redis.clientOptions, password: PASSWORD });
      closing.push(() => client.disconnect());
      await client.acl('SETUSER', 'selects', 'on', `>${PASSWORD}`, '+@all', 'allkeys', '&*');
      const watched = connect({ ...settings, REDIS_USERNAME: 'selects', REDIS_DB: '3' });
      await isReady(watched);
      await watched.redis.set('bull:of-3', '1');
      await client.acl('SETUSER', 'selects', '-select');
      // BullMQ makes its connections so, and so do the writes that wait for replicas.
      const duplicate = (watched.redis as Redis).duplicate();
      duplicate.on('error', () => undefined);
      closing.push(() => duplicate.disconnect());
      const writes = [duplicate.set('bull:by-duplicate', '1'), duplicate.set('bull:by-duplicate', '1')].map((write) => write.then(() => 'written', (error: unknown) => String(error)));
      await client.call('CLIENT', 'KILL', 'USER', 'selects', 'SKIPME', 'yes');
      await eventually(() => { expect(watched.lines.join('\n')).to.include("redis does not let us in").and.to.include("'select'"); }, { withinMs: 20_000 });
      expect(await Promise.all(writes)).to.not.include('written');
      expect(await client.exists('bull:of-3', 'bull:by-duplicate')).to.equal(0);
      await client.acl('SETUSER', 'selects', '+select');
      await eventually(async () => { expect(await Promise.all([watched.redis.get('bull:of-3'), duplicate.get('bull:of-3')])).to.deep.equal(['1', '1']); }, { withinMs: 20_000 });
    });

    it('ends a start with a right that is missing, and names user and right', async () => {
      const client = new Redis({ ...redis.clientOptions, password: PASSWORD });
      closing.push(() => client.disconnect());
      const rules: readonly (readonly [rules: readonly string[], said: string])[] = [
        [['+@all', '~bull:*', '~{bull-*', '&*'], 'admitted'],
        [['+@all', '~other:*', '&*'], 'redis user few0 may not use the keys ~bull:*, the keys ~{bull-*: see ACL SETUSER'],
        [['+@all', '~bull:deliver-*', '~{bull-*'], 'redis user few0 may not use the keys ~bull:*: '],
        [['+@all', '-select', '~bull:*', '~{bull-*'], 'admitted'],
        [['+@all', '-info', '~bull:*', '~{bull-*'], 'redis user few0 may not use INFO: '],
        [['+@all', '-eval', '~bull:*', '~{bull-*'], 'redis user few0 may not use EVAL: '],
        [['+@all', '-evalsha', '-bzpopmin', '~bull:*', '~{bull-*'], 'redis user few0 may not use EVALSHA, BZPOPMIN: '],
        [['+@all', '-xadd', '-zrange', '~bull:*', '~{bull-*'], 'redis user few0 may not use ZRANGE, XADD: '],
      ];
      await Promise.all(rules.map(async ([rule, said], nth) => {
        await client.acl('SETUSER', `few${nth}`, 'on', `>${PASSWORD}`, ...rule);
        const { refusal, redis: connection } = connect({ ...settings, REDIS_USERNAME: `few${nth}` });
        expect((await refusal).replace(/few\d/, 'few0'), rule.join(' ')).to.include(said);
        connection.disconnect();
      }));
      expect(await client.keys('*rights-probe')).to.deep.equal([]);
    });

    it('needs the keys of a cluster only until the number of shards is stored, where a start looks for the tasks of one', async () => {
      const client = new Redis({ ...redis.clientOptions, password: PASSWORD, db: 7 });
      closing.push(() => client.disconnect());
      await client.acl('SETUSER', 'alone', 'on', `>${PASSWORD}`, '+@all', '~bull:*');
      const ofOne = { ...settings, REDIS_USERNAME: 'alone', REDIS_DB: '7' };
      expect(await connect(ofOne).refusal).to.include('redis user alone may not use the keys ~{bull-*: ');
      await client.set('bull:shards', '1');
      await isReady(connect(ofOne));
    });

    it('is in where there is no HELLO, in its own database', async () => {
      const plainOld = await PrivateRedis.start(['--rename-command', 'HELLO', 'NO-HELLO', '--requirepass', PASSWORD]);
      closing.push(() => plainOld.close());
      const ofOld = { REDIS_ADDR: printAddress(plainOld.address), REDIS_PASSWORD: PASSWORD, REDIS_DB: '1' };
      const { redis: client, refusal } = connect(ofOld);
      expect(await refusal).to.equal('admitted');
      await client.set('bull:of-1', '1');
      expect(await client.info('keyspace')).to.include('db1:').and.to.not.include('db0:');
      expect(await connect({ ...ofOld, REDIS_DB: '16' }).refusal).to.include('refuses database 16');
      expect(await connect({ ...ofOld, REDIS_PASSWORD: 'wrong' }).refusal).to.include('refuses the login');
      // Nobody has to log in, and who has not may do nothing.
      await client.call('ACL', 'SETUSER', 'let-in', 'on', `>${PASSWORD}`, '+@all', 'allkeys');
      await client.call('ACL', 'SETUSER', 'default', 'nopass', '-@all');
      await isReady(connect({ ...ofOld, REDIS_USERNAME: 'let-in' }));
    });

    it('waits for a certificate that has expired to be renewed, and says so once', async () => {
      const expired = await authority.issue({ hasExpired: true });
      const server = await PrivateRedis.start(['--tls-auth-clients', 'no'], { certificate: expired, ca: authority.ca });
      closing.push(() => server.close());
      const watched = connect({ ...tls, REDIS_ADDR: printAddress(server.address) });
      await eventually(() => { expect(watched.lines).to.have.lengthOf(1); }, { withinMs: 20_000 });
      expect(watched.lines[0]).to.include('redis does not let us in').and.to.include('has a certificate that is not valid now: certificate has expired');
      await server.renew(ofServer);
      await isReady(watched);
    });
  });

  describe('Sentinel', () => {
    let master: PrivateRedis;
    let sentinel: Sentinel;
    let settings: Settings;

    before(async () => {
      const server = { certificate: ofServer, ca: authority.ca };
      master = await PrivateRedis.start(['--requirepass', PASSWORD, '--tls-replication', 'yes'], server);
      sentinel = await Sentinel.start(master.address, { quorum: 1, access: { password: SENTINEL_PASSWORD, masterPassword: PASSWORD, tls: server } });
      settings = { ...tls, REDIS_MODE: 'sentinel', REDIS_MASTER_NAME: MASTER_NAME, REDIS_SENTINEL_ADDRS: printAddress(sentinel.address), REDIS_SENTINEL_PASSWORD: SENTINEL_PASSWORD, REDIS_PASSWORD: PASSWORD };
    });
    after(() => Promise.all([sentinel.close(), master.close()]));

    it('delivers with TLS and passwords of the sentinel and of the master', () => deliversWith(settings));

    const refusals: readonly (readonly [what: string, changes: () => Settings, server: () => { readonly host: string; readonly port: number }, words: string])[] = [
      ['a wrong password of the sentinel', () => ({ REDIS_SENTINEL_PASSWORD: 'wrong' }), () => sentinel.address, 'refuses the login, check REDIS_SENTINEL_PASSWORD: WRONGPASS'],
      ['no password for the sentinel', () => ({ REDIS_SENTINEL_PASSWORD: '' }), () => sentinel.address, 'asks for a password, set REDIS_SENTINEL_PASSWORD'],
      ['a wrong password of the master', () => ({ REDIS_PASSWORD: 'wrong' }), () => master.address, 'refuses the login, check REDIS_USERNAME and REDIS_PASSWORD: WRONGPASS'],
      ['a database that is not there', () => ({ REDIS_DB: '16' }), () => master.address, 'refuses database 16, check REDIS_DB: ERR DB index is out of range'],
      ['an unknown name of the master', () => ({ REDIS_MASTER_NAME: 'another' }), () => sentinel.address, 'knows no master of the name another, check REDIS_MASTER_NAME'],
      ['an unknown authority', () => ({ REDIS_TLS_CA_FILE: stranger.ca }), () => sentinel.address, 'has a certificate that no trusted authority has signed'],
      ['no TLS at the sentinel', () => ({ REDIS_SENTINEL_TLS: 'false' }), () => sentinel.address, 'speaks TLS on this port, and REDIS_SENTINEL_TLS is not true'],
    ];
    it(`ends a start, and says why: ${refusals.map(([what]) => what).join(', ')}`, async () => {
      await Promise.all(refusals.map(async ([what, changes, server, words]) => {
        expect(await connect({ ...settings, ...changes() }).refusal, what).to.include(`redis ${printAddress(server())} ${words}`);
      }));
    });

    it('ends a start with a right that is missing at the master, and does not blame the sentinels', async () => {
      const client = new Redis({ ...master.clientOptions, password: PASSWORD });
      closing.push(() => client.disconnect());
      await client.acl('SETUSER', 'few', 'on', `>${PASSWORD}`, '+@all', '-info', '-evalsha', '~bull:*', '~{bull-*', '&*');
      expect(await connect({ ...settings, REDIS_USERNAME: 'few' }).refusal).to.include('redis user few may not use INFO, EVALSHA: ');
    });
  });

  describe('Cluster', () => {
    let cluster: RedisCluster;
    let settings: Settings;

    before(async () => {
      // Its nodes answer with addresses, and only their names stand in the certificates.
      const certificate = await authority.issue({ names: ['DNS:localhost'] });
      cluster = await RedisCluster.start({ replicas: 0, settings: ['--cluster-announce-hostname', 'localhost'], tls: { certificate, ca: authority.ca } });
      const byName = cluster.nodes.map(({ address: { port } }) => `localhost:${port}`).join();
      settings = { ...tls, REDIS_MODE: 'cluster', REDIS_CLUSTER_ADDRS: byName };
    });
    after(() => cluster.close());

    it('delivers where the certificates have the names of the nodes, and the nodes name their addresses', () => deliversWith(settings));

    it('connects where the nodes name each other by name', async () => {
      for (const node of cluster.nodes) await cluster.ask(node, (client) => client.config('SET', 'cluster-preferred-endpoint-type', 'hostname'));
      const watched = connect(settings);
      await isReady(watched);
      // A key of each node.
      await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map((key) => watched.redis.get(key)));
    });

    it('ends a start with an unknown authority, and names all that is wrong in one line', async () => {
      const said = await connect({ ...settings, REDIS_TLS_CA_FILE: stranger.ca }).refusal;
      expect(said).to.match(/redis localhost:\d+ has a certificate that no trusted authority has signed.*\(and 2 more\)$/);
    });

    const rights: readonly (readonly [missing: string, words: RegExp])[] = [
      ['-cluster', /: redis localhost:\d+ does not give our user a right that it needs: .*cluster\|slots.*\(and 2 more\)$/],
      ['-cluster|info', /: redis localhost:\d+ does not give our user a right that it needs: .*cluster\|info.*\(and 2 more\)$/],
      ['-info', /may not use INFO: |right that it needs: .*'info'/],
      ['-evalsha', /: redis user few3 at \S+:\d+ may not use EVALSHA: .*\(and 2 more\)$/],
      ['-asking', /: redis user few4 at \S+:\d+ may not use ASKING: .*\(and 2 more\)$/],
    ];
    it(`ends a start with a right that is missing at its nodes: ${rights.map(([missing]) => missing).join(', ')}`, async () => {
      await Promise.all(rights.map(async ([missing, words], nth) => {
        for (const node of cluster.nodes) await cluster.ask(node, (client) => client.acl('SETUSER', `few${nth}`, 'on', `>${PASSWORD}`, '+@all', missing, '~bull:*', '~{bull-*', '&*'));
        expect(await connect({ ...settings, REDIS_USERNAME: `few${nth}`, REDIS_PASSWORD: PASSWORD }).refusal, missing).to.match(words);
      }));
    });

    it('ends a start with a right or a key that is missing at one of its nodes, and names the node', async () => {
      const lacking = cluster.nodes[2];
      const rules: readonly (readonly [rule: readonly string[], atOne: readonly string[], words: RegExp])[] = [
        [['~bull:*', '~{bull-*'], ['-xadd'], /: redis user one0 at \S+ may not use XADD: see ACL SETUSER$/],
        [['~bull:*'], ['~{bull-*'], /may not use the keys ~\{bull-\*/],
        [['~{bull-*'], [], /: redis user one2 at \S+ may not use the keys ~bull:\*: see ACL SETUSER$/],
        [['~bull:*', '~{bull-?}*', '~{bull-??}*', '~{bull-mark-*'], [], /: redis user one3 at \S+ may not use the keys ~\{bull-\*: see ACL SETUSER$/],
        // Each master has marks.
        [['~bull:*', '~{bull-?}*', '~{bull-??}*', '~{bull-flow}*'], [], /: redis user one4 at \S+ may not use the keys ~\{bull-\*: see ACL SETUSER \(and 2 more\)$/],
      ];
      await Promise.all(rules.map(async ([rule, atOne, words], nth) => {
        for (const node of cluster.nodes) await cluster.ask(node, (client) => client.acl('SETUSER', `one${nth}`, 'on', `>${PASSWORD}`, '+@all', '&*', ...rule, ...(node === lacking ? atOne : [])));
        const said = await connect({ ...settings, REDIS_USERNAME: `one${nth}`, REDIS_PASSWORD: PASSWORD }).refusal;
        expect(said, rule.join(' ')).to.match(words);
        if (nth === 0) expect(said).to.include(`:${lacking?.address.port} `);
      }));
    });

    it('names a node that does not let us in, while the others do', async () => {
      const bad = cluster.nodes[1];
      const port = bad?.address.port ?? 0;
      for (const node of cluster.nodes) await cluster.ask(node, (client) => client.acl('SETUSER', 'partly', 'on', `>${PASSWORD}`, '+@all', 'allkeys', '&*'));
      const watched = connect({ ...settings, REDIS_USERNAME: 'partly', REDIS_PASSWORD: PASSWORD });
      await isReady(watched);
      if (bad !== undefined) await cluster.ask(bad, (client) => client.acl('DELUSER', 'partly'));
      const keys = Array.from({ length: 16 }, (_, nth) => `{bull-${nth}}:x`);
      await eventually(() => {
        // As a worker does all the time. One of them goes to that node.
        for (const key of keys) watched.redis.exists(key).catch(() => undefined);
        expect(watched.lines.join('\n')).to.include('refuses the login');
      }, { withinMs: 30_000, everyMs: 200 });
      expect(watched.lines).to.have.lengthOf(1);
      expect(watched.lines[0]).to.include(`:${port}"`).and.to.include('WRONGPASS');
      expect(watched.redis.status).to.equal('ready');
    });

    it('is refused in prod for one master that evicts, which is named', async () => {
      const { redis } = connect(settings);
      const evicting = cluster.nodes[2];
      if (evicting === undefined) throw new Error('a cluster has nodes');
      await cluster.ask(evicting, (client) => client.config('SET', 'maxmemory-policy', 'allkeys-lru'));
      closing.push(() => cluster.ask(evicting, (client) => client.config('SET', 'maxmemory-policy', 'noeviction')));
      await eventually(() => { expect(redis.status).to.equal('ready'); });
      // One draw of three would have to be lucky ten times.
      for (let round = 0; round < 10; round += 1) {
        expect(await checkRedisSettings(redis, 'prod', createLogger({ level: 'error', environment: 'prod', role: 'api' })).catch((error: unknown) => String(error)))
          .to.match(new RegExp(`^EvictingRedisError: Redis \\S+:${evicting.address.port} has maxmemory-policy allkeys-lru: `));
      }
    });

    it('ends a start with a Redis that is no cluster', async () => {
      const alone = await PrivateRedis.start();
      closing.push(() => alone.close());
      expect(await connect({ REDIS_MODE: 'cluster', REDIS_CLUSTER_ADDRS: printAddress(alone.address) }).refusal).to.include('is no node of a cluster, check REDIS_MODE');
    });
  });

  it('ends a start that another REDIS_MODE is meant for, and says so', async () => {
    const [alone, cluster] = await Promise.all([PrivateRedis.start(), RedisCluster.start({ masters: 3, replicas: 0 })]);
    closing.push(() => alone.close(), () => cluster.close());
    const sentinel = await Sentinel.start(alone.address, { quorum: 1 });
    closing.push(() => sentinel.close());
    const [node = ''] = cluster.nodes.map(({ address }) => printAddress(address));
    const [plain, watcher] = [printAddress(alone.address), printAddress(sentinel.address)];
    const bySentinels = (address: string): Settings => ({ REDIS_MODE: 'sentinel', REDIS_MASTER_NAME: MASTER_NAME, REDIS_SENTINEL_ADDRS: address });
    const isNode = 'is a node of a cluster, and no Redis that stands alone: check REDIS_MODE';
    const cases: readonly (readonly [settings: Settings, server: string, words: string])[] = [
      ...cluster.nodes.map(({ address }) => [{ REDIS_ADDR: printAddress(address) }, printAddress(address), isNode] as const),
      [{ REDIS_ADDR: node, REDIS_DB: '1' }, node, isNode],
      [{ REDIS_ADDR: watcher }, watcher, 'is a sentinel, check REDIS_MODE'],
      [{ REDIS_ADDR: watcher, REDIS_DB: '1' }, watcher, 'is a sentinel, check REDIS_MODE'],
      [bySentinels(plain), plain, 'is no sentinel, check REDIS_MODE'],
      [bySentinels(node), node, 'is no sentinel, check REDIS_MODE'],
      [{ REDIS_MODE: 'cluster', REDIS_CLUSTER_ADDRS: watcher }, watcher, 'is a sentinel, check REDIS_MODE'],
    ];
    await Promise.all(cases.map(async ([settings, server, words]) => { expect(await connect(settings).refusal, JSON.stringify(settings)).to.include(`redis ${server} ${words}`); }));
    const runs = ['server/main.js', 'workers/main.js'].map((entry) => new ServiceProcess(entry, { REDIS_ADDR: watcher, HTTP_HOST: '127.0.0.1', HTTP_PORT: '0' }));
    const movingAway = new ServiceProcess('server/main.js', { REDIS_ADDR: plain, PREVIOUS_REDIS_ADDR: node, HTTP_HOST: '127.0.0.1', HTTP_PORT: '0' });
    for (const run of [...runs, movingAway]) {
      closing.push(() => run.kill());
      expect(await run.ended(), run.output).to.equal(78);
    }
    expect(movingAway.output).to.include(`(PREVIOUS_REDIS_*): redis ${node} is a node of a cluster`);
  });

  describe('a port that is not what it seems', () => {
    const modes: readonly (readonly [mode: string, settings: (address: string) => Settings])[] = [
      ['standalone', (address) => ({ REDIS_ADDR: address })],
      ['sentinel', (address) => ({ REDIS_MODE: 'sentinel', REDIS_MASTER_NAME: MASTER_NAME, REDIS_SENTINEL_ADDRS: address, REDIS_SENTINEL_PASSWORD: SENTINEL_PASSWORD })],
      ['cluster', (address) => ({ REDIS_MODE: 'cluster', REDIS_CLUSTER_ADDRS: address })],
    ];
    for (const [mode, settingsFor] of modes) {
      it(`gets nothing in clear when TLS was asked for, in mode ${mode}`, async () => {
        const heard: Buffer[][] = [];
        const sockets = new Set<Socket>();
        const server = createServer((socket) => {
          const bytes: Buffer[] = [];
          heard.push(bytes);
          sockets.add(socket);
          socket.on('error', () => undefined);
          // As a Redis in clear does. It hangs up, so that the client tries again.
          socket.on('data', (chunk: Buffer) => {
            bytes.push(chunk);
            socket.end('-ERR unknown command\r\n');
          });
        }).listen(0, '127.0.0.1');
        await once(server, 'listening');
        closing.push(() => {
          for (const socket of sockets) socket.destroy();
          server.close();
        });
        const at = server.address();
        const address = typeof at === 'object' && at !== null ? printAddress({ host: '127.0.0.1', port: at.port }) : '';
        const { refusal } = connect({ ...tls, ...settingsFor(address), REDIS_PASSWORD: PASSWORD });
        expect(await refusal).to.include('does not speak TLS on this port');
        await eventually(() => { expect(heard.filter((bytes) => bytes.length > 0).length).to.be.at.least(4); }, { withinMs: 20_000 });
        for (const bytes of heard.filter(({ length }) => length > 0)) {
          const all = Buffer.concat(bytes);
          expect(all[0], 'a handshake of TLS').to.equal(0x16);
          expect(all.includes('secret-of')).to.equal(false);
        }
      });
    }
  });

  describe('a master that a sentinel names', () => {
    it('gets nothing in clear either', async () => {
      const plain = await PrivateRedis.start(['--requirepass', PASSWORD]);
      const sentinel = await Sentinel.start(plain.address, { quorum: 1 });
      closing.push(() => sentinel.close(), () => plain.close());
      const settings = { ...tls, REDIS_MODE: 'sentinel', REDIS_MASTER_NAME: MASTER_NAME, REDIS_SENTINEL_ADDRS: printAddress(sentinel.address), REDIS_SENTINEL_TLS: 'false', REDIS_PASSWORD: PASSWORD };
      expect(await connect(settings).refusal).to.include(`redis ${printAddress(plain.address)} does not speak TLS on this port, and REDIS_TLS is true`);
    });
  });
});

import { readFile, writeFile } from 'node:fs/promises';

import { expect } from 'chai';

import { loadConfig } from '../../shared/config/load.js';
import { rightsProbe } from '../../shared/queue/rights-probe.js';
import { RedisAccess } from '../../shared/redis/redis-access.js';
import { connectRedis, type RedisClient } from '../../shared/redis/redis-connection.js';
import { freePort } from '../../scripts/servers/free-port.mjs';
import { TestAuthority, type IssuedCertificate } from '../support/certificates.js';
import { eventually } from '../support/eventually.js';
import { RedisCluster } from '../support/redis-cluster.js';
import { PrivateRedis, printAddress } from '../support/redis.js';
import { MASTER_NAME, Sentinel } from '../support/sentinel-redis.js';
import { ServiceProcess, type Settings } from '../support/service.js';

const REFUSES = 'refuses our certificate, or asks for one, check REDIS_TLS_CERT_FILE and REDIS_TLS_KEY_FILE: ';

describe('topology: certificates of ours that Redis does not take', function () {
  this.timeout(60_000);
  let authority: TestAuthority;
  /** Has the name of the first one, and another key. */
  let madeAnew: TestAuthority;
  let other: TestAuthority;
  let one: PrivateRedis;
  let sentinels: readonly Sentinel[];
  let cluster: RedisCluster;
  let ofServer: IssuedCertificate;
  let ofOther: IssuedCertificate;
  let modes: Readonly<Record<'standalone' | 'sentinel' | 'cluster', Settings>>;
  let cases: readonly (readonly [what: string, settings: Settings, alert: string])[];
  const closing: (() => unknown)[] = [];

  before(async () => {
    [authority, madeAnew, other] = await Promise.all([TestAuthority.create(), TestAuthority.create(), TestAuthority.create('Another authority')]);
    ofServer = await authority.issue();
    // Without further names it does not say which key its authority has.
    const ofAnew = await madeAnew.issue({ names: [] });
    ofOther = await other.issue();
    const server = { certificate: ofServer, ca: authority.ca };
    one = await PrivateRedis.start(['--tls-replication', 'yes', '--requirepass', 'p'], server);
    const { address } = one;
    sentinels = await Promise.all([1, 2, 3].map(() => Sentinel.start(address, { access: { password: 'p', masterPassword: 'p', tls: server } })));
    cluster = await RedisCluster.start({ tls: server });
    modes = {
      standalone: { REDIS_ADDR: printAddress(address), REDIS_PASSWORD: 'p' },
      sentinel: { REDIS_MODE: 'sentinel', REDIS_MASTER_NAME: MASTER_NAME, REDIS_SENTINEL_ADDRS: sentinels.map((sentinel) => printAddress(sentinel.address)).join(), REDIS_SENTINEL_PASSWORD: 'p', REDIS_PASSWORD: 'p' },
      cluster: { REDIS_MODE: 'cluster', REDIS_CLUSTER_ADDRS: cluster.addresses },
    };
    const shown = ({ cert, key }: IssuedCertificate): Settings => ({ REDIS_TLS_CERT_FILE: cert, REDIS_TLS_KEY_FILE: key });
    cases = [
      ['no certificate', {}, 'tlsv13 alert certificate required'],
      ['one of an authority that was made anew', shown(ofAnew), 'tlsv1 alert decrypt error'],
      ['one of another authority', shown(ofOther), 'tlsv1 alert unknown ca'],
    ];
  });
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });
  after(() => Promise.all([...[one, ...sentinels, cluster].map((server) => server.close()), authority.close(), madeAnew.close(), other.close()]));

  interface Watched {
    readonly redis: RedisClient;
    readonly lines: readonly string[];
    /** Resolves with `admitted`, or with what ends the start. */
    readonly refusal: Promise<string>;
  }

  function connect(settings: Settings): Watched {
    const { redis: config } = loadConfig({ REDIS_TLS: 'true', REDIS_TLS_CA_FILE: authority.ca, ...settings });
    const redis = connectRedis(config, 'worker');
    redis.on('error', () => undefined); // what is wrong is said by RedisAccess
    const lines: string[] = [];
    const access = new RedisAccess(redis, config, { info: () => undefined, error: (message, fields) => void lines.push(`${message} ${JSON.stringify(fields)}`) }, rightsProbe('bull', config.mode === 'cluster', 16));
    closing.push(() => redis.disconnect(), () => access.close());
    return { redis, lines, refusal: access.admission.then(() => 'admitted', (error: unknown) => String(error)) };
  }

  for (const mode of ['standalone', 'sentinel', 'cluster'] as const) {
    it(`end a start in mode ${mode}, and are named in one line`, async () => {
      await Promise.all(cases.map(async ([what, settings, alert]) => {
        const { lines, refusal } = connect({ ...modes[mode], ...settings });
        const said = await refusal;
        expect(said, what).to.include(`${REFUSES}${alert}`);
        expect(said.includes('more)'), said).to.equal(mode !== 'standalone');
        // The first look tells all of them, as none of them misses the alert.
        expect(lines, what).to.deep.equal([]);
      }));
    });
  }

  it('end API and worker with 78 on a Cluster', async () => {
    const runs = ['server/main.js', 'workers/main.js'].map((entry) => new ServiceProcess(entry, { ...modes.cluster, REDIS_TLS: 'true', REDIS_TLS_CA_FILE: authority.ca, HTTP_HOST: '127.0.0.1', HTTP_PORT: '0' }));
    for (const run of runs) closing.push(() => run.kill());
    for (const run of runs) {
      expect(await run.ended(), run.output).to.equal(78);
      expect(run.lines.filter((line) => line.includes(REFUSES)), run.output).to.have.lengthOf(1);
    }
  });

  it('do not end a start while one of the nodes is away: it may be the one that takes them', async () => {
    const [node = ''] = cluster.nodes.map(({ address }) => printAddress(address));
    const { lines } = connect({ REDIS_MODE: 'cluster', REDIS_CLUSTER_ADDRS: `${node},127.0.0.1:${await freePort()}` });
    // It would have ended, and not written a line.
    await eventually(() => { expect(lines).to.have.lengthOf(1); }, { withinMs: 20_000 });
    expect(lines[0]).to.include(`redis does not let us in {"server":"${node}"`).and.to.include(REFUSES);
  });

  it('wait where one replica lets us in, because authorities are changed node by node, and are in when all are', async () => {
    const both = `${authority.ca}.both.pem`;
    await writeFile(both, (await readFile(authority.ca, 'utf8')) + (await readFile(other.ca, 'utf8')));
    const trustBoth = (node: PrivateRedis): Promise<unknown> => cluster.ask(node, (client) => client.config('SET', 'tls-ca-cert-file', both));
    const masters = await cluster.masters();
    const [replica, ...others] = [...cluster.nodes.filter((node) => !masters.includes(node)), ...masters];
    if (replica === undefined) throw new Error('a cluster has nodes');
    await trustBoth(replica);
    const watched = connect({ ...modes.cluster, REDIS_TLS_CERT_FILE: ofOther.cert, REDIS_TLS_KEY_FILE: ofOther.key });
    let end = '';
    void watched.refusal.then((said) => { end = said; });
    // A key of each master.
    const keys = Array.from({ length: 16 }, (_, nth) => `{bull-${nth}}:x`);
    await eventually(() => {
      // As a worker does all the time: a client that is in connects to the other nodes when it needs them.
      for (const key of keys) watched.redis.exists(key).catch(() => undefined);
      expect(end).to.not.include('RedisRefusedError');
      expect(watched.lines.length).to.be.at.least(others.length);
    }, { withinMs: 30_000, everyMs: 200 });
    for (const { address } of others) expect(watched.lines.filter((line) => line.includes(`"${printAddress(address)}"`) && line.includes(REFUSES)), printAddress(address)).to.have.lengthOf(1);
    expect(watched.lines.join()).to.not.include(printAddress(replica.address));
    for (const node of others) await trustBoth(node);
    expect(await watched.refusal).to.equal('admitted');
    await eventually(async () => { await Promise.all(keys.map((key) => watched.redis.get(key))); }, { withinMs: 20_000 });
  });

  it('names what may be behind it where no version or cipher is common, or TLS 1.2 asks for a certificate', async () => {
    const refusals: readonly (readonly [what: string, settings: readonly string[], alert: string])[] = [
      ['no certificate in TLS 1.2', ['--tls-protocols', 'TLSv1.2', '--tls-auth-clients', 'yes'], 'sslv3 alert handshake failure'],
      // The certificate has an elliptic key.
      ['ciphers of RSA alone', ['--tls-protocols', 'TLSv1.2', '--tls-ciphers', 'AES128-GCM-SHA256'], 'sslv3 alert handshake failure'],
      ['TLS 1.1 alone', ['--tls-protocols', 'TLSv1.1', '--tls-ciphers', 'DEFAULT@SECLEVEL=0'], 'tlsv1 alert protocol version'],
    ];
    for (const [what, settings, alert] of refusals) {
      // The test itself could not ask such a server.
      const server = await PrivateRedis.start(['--tls-auth-clients', 'no'], { certificate: ofServer, ca: authority.ca });
      closing.push(() => server.close());
      await cluster.ask(server, (redis) => redis.call('CONFIG', 'SET', ...settings.map((word) => word.replace(/^--/, ''))));
      const said = await connect({ REDIS_ADDR: printAddress(server.address) }).refusal;
      expect(said, what).to.include('has no version or cipher of TLS in common with us, or asks for a certificate of ours: check ').and.to.include(alert);
    }
  });
});

import { expect } from 'chai';
import { Redis } from 'ioredis';

import { loadConfig } from '../../shared/config/load.js';
import { rightsProbe } from '../../shared/queue/rights-probe.js';
import { RedisAccess } from '../../shared/redis/redis-access.js';
import { connectRedis } from '../../shared/redis/redis-connection.js';
import { aclRule } from '../../shared/redis/redis-rights.js';
import { PrivateRedis, printAddress } from '../support/redis.js';
import { RedisCluster } from '../support/redis-cluster.js';

const PASSWORD = 'of-few-rights';
const rule = aclRule('bull');
const rights = rule.filter((word) => word.startsWith('+')).map((word) => word.slice(1));
/** Without them less is known, and everything works: see docs/OPERATIONS.md. */
const unneeded = ['client|list', 'client|setname', 'config|get'];
const ofClusters = ['asking', 'cluster|info', 'cluster|slots', 'readonly', 'readwrite'];

describe('topology: a user of Redis that lacks one right', function () {
  this.timeout(120_000);
  const closing: (() => unknown)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  /** @returns `admitted`, or what ends the start with 78 */
  async function startWith(settings: Readonly<Record<string, string>>, minReplicas = 0): Promise<string> {
    const { redis: config } = loadConfig({ REDIS_PASSWORD: PASSWORD, ...settings });
    const redis = connectRedis(config, 'worker');
    redis.on('error', () => undefined); // what is wrong is said by RedisAccess
    const access = new RedisAccess(redis, config, { error: () => undefined, info: () => undefined }, rightsProbe('bull', config.mode === 'cluster', 16), minReplicas);
    try {
      return await access.admission.then(() => 'admitted', (error: unknown) => String(error));
    } finally {
      access.close();
      redis.disconnect();
    }
  }

  it('is told which, whatever it is, by one Redis', async () => {
    const redis = await PrivateRedis.start();
    closing.push(() => redis.close());
    const admin = new Redis(redis.address);
    closing.push(() => admin.disconnect());
    const ofOne = { REDIS_ADDR: printAddress(redis.address), REDIS_DB: '1' };
    expect(rights).to.have.lengthOf.above(60);
    for (const right of rights) {
      await admin.acl('SETUSER', right, 'on', `>${PASSWORD}`, ...rule.filter((word) => word !== `+${right}`));
      const said = await startWith({ ...ofOne, REDIS_USERNAME: right }, 1);
      if ([...unneeded, ...ofClusters].includes(right)) expect(said, right).to.equal('admitted');
      else if (right === 'select') expect(said).to.match(/a right that it needs: .*'select'/);
      else expect(said).to.equal(`RedisRefusedError: redis user ${right} may not use ${right.toUpperCase()}: see ACL SETUSER`);
    }
    // What it does not use it does not need.
    expect(await startWith({ ...ofOne, REDIS_DB: '0', REDIS_USERNAME: 'select' })).to.equal('admitted');
    expect(await startWith({ ...ofOne, REDIS_USERNAME: 'wait' })).to.equal('admitted');
  });

  it('is told which, and by which node of a Cluster', async () => {
    const cluster = await RedisCluster.start({ replicas: 0 });
    closing.push(() => cluster.close());
    for (const right of [...ofClusters, 'multi', 'exec', 'wait', 'scan', 'zadd', 'script|load']) {
      for (const node of cluster.nodes) await cluster.ask(node, (client) => client.acl('SETUSER', right, 'on', `>${PASSWORD}`, ...rule.filter((word) => word !== `+${right}`)));
      const said = await startWith({ REDIS_MODE: 'cluster', REDIS_CLUSTER_ADDRS: cluster.addresses, REDIS_USERNAME: right }, 1);
      // A client of a cluster needs the two before it is ready.
      if (right.startsWith('cluster|')) expect(said).to.match(new RegExp(`: redis \\S+:\\d+ does not give our user a right that it needs: .*'${right.replace('|', '\\|')}'`));
      else expect(said).to.match(new RegExp(`: redis user ${right.replace('|', '\\|')} at \\S+:\\d+ may not use ${right.toUpperCase().replace('|', '\\|')}: see ACL SETUSER \\(and 2 more\\)$`));
    }
  });
});

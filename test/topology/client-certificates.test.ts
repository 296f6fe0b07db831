import { expect } from 'chai';

import { TestAuthority } from '../support/certificates.js';
import { RedisCluster } from '../support/redis-cluster.js';
import { ServiceProcess } from '../support/service.js';

const REFUSES = 'refuses our certificate, or asks for one, check REDIS_TLS_CERT_FILE and REDIS_TLS_KEY_FILE: ';

describe('topology: certificates of ours that Redis does not take', function () {
  this.timeout(60_000);
  let authority: TestAuthority;
  let cluster: RedisCluster;

  before(async () => {
    authority = await TestAuthority.create();
    cluster = await RedisCluster.start({ tls: { certificate: await authority.issue(), ca: authority.ca } });
  });
  after(() => Promise.all([cluster.close(), authority.close()]));

  it('end API and worker with 78 on a Cluster', async () => {
    const runs = ['server/main.js', 'workers/main.js'].map((entry) => new ServiceProcess(entry, { REDIS_MODE: 'cluster', REDIS_CLUSTER_ADDRS: cluster.addresses, REDIS_TLS: 'true', REDIS_TLS_CA_FILE: authority.ca, HTTP_HOST: '127.0.0.1', HTTP_PORT: '0' }));
    try {
      for (const run of runs) {
        expect(await run.ended(), run.output).to.equal(78);
        expect(run.lines.filter((line) => line.includes(REFUSES)), run.output).to.have.lengthOf(1);
      }
    } finally {
      for (const run of runs) await run.kill();
    }
  });
});

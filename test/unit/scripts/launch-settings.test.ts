import { expect } from 'chai';

import { readLaunchSettings } from '../../../scripts/launch/launch-settings.mjs';

describe('what the launcher reads of the configuration', () => {
  for (const [env, said] of [
    [{ WORKERS: '3', WORKER_HTTP_PORT: '65535' }, 'WORKER_HTTP_PORT="65535": the 3 workers (WORKERS) listen on 65535 to 65537, and the last port is 65535'],
    [{ WORKERS: '3', WORKER_HTTP_PORT: '9464', HTTP_PORT: '9466' }, 'WORKER_HTTP_PORT="9464": the 3 workers (WORKERS) listen on 9464 to 9466, and the API on 9466 (HTTP_PORT)'],
    [{ WORKER_HTTP_PORT: '3000', HTTP_PORT: '3000' }, 'WORKER_HTTP_PORT="3000": the worker listens on 3000, and the API on 3000 (HTTP_PORT)'],
  ] as const) {
    it(`refuses ports that its processes cannot all have: ${JSON.stringify(env)}`, async () => {
      const error = await readLaunchSettings(env).then(() => undefined, (reason: unknown) => reason);
      expect(error).to.be.an.instanceOf(Error).and.to.deep.include({ message: `The configuration is wrong:\n  - ${said}`, exitCode: 78 });
    });
  }

  it('takes ports beside each other, up to the last one, and such as the system chooses', async () => {
    for (const env of [{ WORKERS: '3', WORKER_HTTP_PORT: '65533' }, { WORKERS: '3', WORKER_HTTP_PORT: '3001', HTTP_PORT: '3000' }, { WORKERS: '2', WORKER_HTTP_PORT: '9464', HTTP_PORT: '9466' }, { WORKER_HTTP_PORT: '0', HTTP_PORT: '0' }, { WORKERS: '64' }]) {
      expect(await readLaunchSettings(env)).to.have.property('workers', Number(env.WORKERS ?? 1));
    }
  });

  it('tells what is set about a Redis and is not read, which the processes of an embedded one cannot say', async () => {
    const { redisWarnings } = await readLaunchSettings({ REDIS_URL: 'redis://:hunter2@redis.example', REDIS_MASTER_NAME: 'm', WORKER_CONCURENCY: '5' });
    expect(redisWarnings.map((warning) => warning.replace(/:? is set.*/, ''))).to.deep.equal(['REDIS_URL', 'REDIS_MASTER_NAME']);
    expect(redisWarnings.join()).to.not.include('hunter2');
  });
});

import { connect } from 'node:net';

import { expect } from 'chai';

import { createServer, type Server } from '../../../server/create-server.js';
import { loadConfig } from '../../../shared/config/load.js';
import { serviceVersion } from '../../../shared/config/service-version.js';
import { createLogger } from '../../../shared/logging/logger.js';
import { freePort } from '../../../scripts/servers/free-port.mjs';
import { uniquePrefix } from '../../support/namespace.js';
import { printAddress, testRedisAddress } from '../../support/redis.js';
import { CollectedLog } from '../../support/service-in-process.js';

describe('an API from start to stop', () => {
  let port: number;
  beforeEach(async () => { port = await freePort(); });

  function make(): Server {
    const config = loadConfig({ REDIS_ADDR: printAddress(testRedisAddress()), QUEUE_PREFIX: uniquePrefix(), HTTP_HOST: '127.0.0.1', HTTP_PORT: String(port) });
    return createServer(config, {
      logger: createLogger({ level: 'info', environment: 'dev', role: 'api' }, new CollectedLog()),
      clock: Date.now,
      version: serviceVersion(),
      onUnfitRedis: (error) => {
        throw error;
      },
    });
  }

  const isListening = (): Promise<boolean> =>
    new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy();
        resolve(true);
      });
      socket.once('error', () => resolve(false));
    });

  it('may be stopped before it was started, and does not listen if it is started then', async () => {
    const server = make();
    await server.stop();
    const failure = await server.start().then(() => undefined, (error: unknown) => error);
    expect(String(failure)).to.equal('Error: this API was stopped');
    expect(await isListening()).to.equal(false);
  });

  it('starts once however often it is asked to, and may be stopped twice', async () => {
    const server = make();
    const started = await Promise.all([server.start(), server.start()]);
    expect(started.map((each) => each.port)).to.deep.equal([port, port]);
    expect(await isListening()).to.equal(true);
    await Promise.all([server.stop(), server.stop()]);
    expect(await isListening()).to.equal(false);
  });

  it('can be stopped during its start', async () => {
    const server = make();
    const started = server.start();
    await server.stop();
    await started;
    expect(await isListening()).to.equal(false);
  });

  it('can be stopped when its port was taken', async () => {
    const [first, second] = [make(), make()];
    try {
      await first.start();
      const failure: unknown = await second.start().catch((error: unknown) => error);
      expect(failure).to.include({ code: 'EADDRINUSE' });
    } finally {
      await second.stop();
      await first.stop();
    }
  });
});

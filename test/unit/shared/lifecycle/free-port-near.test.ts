import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

import { expect } from 'chai';

import { freePortHint, freePortNear } from '../../../../shared/lifecycle/free-port-near.js';

async function listenOn(port: number): Promise<Server> {
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('it does not listen on a port');
  return address.port;
}

describe('freePortNear', () => {
  it('names a port that can be listened on, and not one that is taken', async () => {
    const taken = await listenOn(0);
    const port = portOf(taken);
    const first = await freePortNear('127.0.0.1', port);
    expect(first).to.be.a('number').and.not.equal(port);
    const second = await listenOn(first ?? 0);
    const next = await freePortNear('127.0.0.1', port);
    expect(next).to.be.a('number').and.not.be.oneOf([port, first]);
    for (const server of [taken, second]) server.close();
  });

  it('names one below the last port, too', async () => {
    expect(await freePortNear('127.0.0.1', 65_535)).to.be.within(1, 65_535);
  });

  it('names none for an address that this machine does not have', async () => {
    expect(await freePortNear('192.0.2.1', 8080)).to.equal(undefined);
    expect(await freePortHint('HTTP_PORT', '192.0.2.1', 8080)).to.equal('');
  });

  it('says it with the variable', async () => {
    expect(await freePortHint('WORKER_HTTP_PORT', '127.0.0.1', 65_535)).to.match(/^, such as WORKER_HTTP_PORT=\d+, which is free now$/);
  });
});

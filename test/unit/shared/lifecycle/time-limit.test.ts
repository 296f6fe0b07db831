import { once } from 'node:events';
import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';

import { expect } from 'chai';

import { TimeLimit, withinLimit } from '../../../../shared/lifecycle/time-limit.js';
import { eventually } from '../../../support/eventually.js';

/** The event loop of this process stands still. */
function standStill(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

describe('TimeLimit', () => {
  let server: Server;
  let near: Socket;
  let far: Socket;

  beforeEach(async () => {
    server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const accepted = once(server, 'connection') as Promise<[Socket]>;
    // It listens on a port, so its address is no text.
    near = connect((server.address() as AddressInfo).port, '127.0.0.1');
    [far] = await accepted;
    await eventually(() => expect(near.connecting).to.equal(false));
  });
  afterEach(() => {
    near.destroy();
    far.destroy();
    server.close();
  });

  it('is not over when the answer stood in its socket while our own event loop stood still', async () => {
    let isOver = false;
    const limit = new TimeLimit(20, () => { isOver = true; });
    const answered = once(near, 'data').then(() => limit.callOff());
    far.write('answer');
    standStill(200);
    await answered;
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(isOver).to.equal(false);
  });

  for (const [how, end] of [
    ['closed', () => far.end()],
    ['reset', () => far.resetAndDestroy()],
  ] as const) {
    it(`is not over when the connection was ${how} before it`, async () => {
      let isOver = false;
      const limit = new TimeLimit(20, () => { isOver = true; });
      near.on('error', () => undefined).resume();
      const closed = new Promise((resolve) => { near.once('close', resolve); }).then(() => limit.callOff());
      end();
      // The timer is due then, and not so late that the limit would be extended.
      standStill(30);
      await closed;
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(isOver).to.equal(false);
    });
  }

  it('gives the other side a little time after a stall: what we had to write may have left only then', async () => {
    let isOver = false;
    const limit = new TimeLimit(20, () => { isOver = true; });
    const answered = once(near, 'data').then(() => limit.callOff());
    far.once('data', () => far.write('answer'));
    setImmediate(() => standStill(200));
    setImmediate(() => near.write('question'));
    await answered;
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(isOver).to.equal(false);
  });

  it('is over in time when nothing comes', async () => {
    const startedAt = performance.now();
    await new Promise<void>((resolve) => new TimeLimit(50, resolve));
    expect(performance.now() - startedAt).to.be.within(48, 500);
  });

  it('is over in the end, also when every timer of ours is late', async () => {
    let isOver = false;
    new TimeLimit(20, () => { isOver = true; });
    const stalling = setInterval(() => standStill(120), 1);
    try {
      await eventually(() => expect(isOver).to.equal(true), { withinMs: 5_000 });
    } finally {
      clearInterval(stalling);
    }
  });

  it('never comes once it is called off', async () => {
    let isOver = false;
    const limit = new TimeLimit(5, () => { isOver = true; });
    limit.callOff();
    limit.callOff();
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(isOver).to.equal(false);
  });
});

describe('withinLimit', () => {
  it('is the outcome of the work, or the error when there is none in time', async () => {
    expect(await withinLimit(Promise.resolve('done'), 1_000, () => new Error('too late'))).to.equal('done');
    const tooLate = await withinLimit(new Promise(() => undefined), 5, () => new Error('too late')).catch((error: unknown) => error);
    expect(tooLate).to.be.an('error').with.property('message', 'too late');
    const failed = await withinLimit(Promise.reject(new Error('no')), 1_000, () => new Error('too late')).catch((error: unknown) => error);
    expect(failed).to.be.an('error').with.property('message', 'no');
  });
});

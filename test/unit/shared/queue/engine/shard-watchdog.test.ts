import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

import { expect } from 'chai';

import { PendingCalls } from '../../../../../shared/queue/engine/pending-calls.js';
import { ShardWatchdog } from '../../../../../shared/queue/engine/shard-watchdog.js';
import type { Shard } from '../../../../../shared/queue/engine/shard.js';
import { eventually } from '../../../../support/eventually.js';

const TIMES = { lookMs: 200, callMs: 250, dueMs: 600_000, quietMs: 0, stepMs: 0 };
/** Longer than a call may take, and shorter than what makes the watchdog distrust its own look. */
const STALL_MS = 320;

// What it judges is in shard-standstill.test.ts, and a real loop that hangs in test/integration/workers/shard-watchdog.test.ts.
describe('ShardWatchdog', () => {
  let near: Socket;
  let far: Socket;
  let close: () => void;

  beforeEach(async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const accepted = once(server, 'connection') as Promise<[Socket]>;
    // A server that listens on TCP has such an address.
    near = connect((server.address() as AddressInfo).port, '127.0.0.1');
    [far] = await accepted;
    close = () => {
      near.destroy();
      far.destroy();
      server.close();
    };
  });
  afterEach(() => close());

  it('does not suspect a call whose answer has arrived during a stall of its own process', async () => {
    const calls = new PendingCalls();
    let questions = 0;
    let looks = 0;
    // The watchdog asks Redis as soon as something is suspicious; no other part of a shard is used.
    const shard = { client: { krsDueProbe: true, runCommand: () => { questions += 1; return Promise.reject(new Error('no Redis here')); } }, keys: {} } as unknown as Shard;
    const watchdog = new ShardWatchdog({
      shard,
      times: TIMES,
      worker: () => ({ taken: 0, calls }),
      state: () => {
        looks += 1;
        return { isBraking: false, refusedAt: -Infinity, hasFreeSlot: true };
      },
      clock: Date.now,
      rebuild: () => undefined,
      giveUp: () => undefined,
    });
    watchdog.start();
    try {
      void calls.track('fetch', 0, () => once(near, 'data'));
      far.write('the answer');
      const until = performance.now() + STALL_MS;
      while (performance.now() < until);
      await eventually(() => { expect(looks).to.be.above(0); });
      expect(calls.oldest).to.equal(undefined);
      expect(questions).to.equal(0);
    } finally {
      watchdog.stop();
    }
  });
});

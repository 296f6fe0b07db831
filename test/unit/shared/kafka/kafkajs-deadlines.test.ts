import { createRequire } from 'node:module';

import { expect } from 'chai';

import { LONGEST_THROTTLE_MS } from '../../../../shared/kafka/broker-sockets.js';
import { stopKafkajsIdleLoop } from '../../../../shared/kafka/kafkajs-idle-loop.js';
import { patchKafkajsDeadlines } from '../../../../shared/kafka/kafkajs-deadlines.js';
import { eventually } from '../../../support/eventually.js';

const require = createRequire(import.meta.url);
const HOUR_MS = 3_600_000;

/** The parts of a connection's queue in kafkajs that are used here. */
interface Queue {
  readonly throttledUntil: number;
  maybeThrottle(ms: number): void;
  canSendSocketRequestImmediately(): boolean;
  push(request: unknown): void;
  destroy(): void;
}

describe('patchKafkajsDeadlines', () => {
  const realNow = Date.now;
  let queue: Queue;
  before(() => { stopKafkajsIdleLoop(); });
  beforeEach(() => {
    expect(patchKafkajsDeadlines()).to.equal(true);
    expect(patchKafkajsDeadlines(), 'twice').to.equal(true);
    const RequestQueue = require('kafkajs/src/network/requestQueue') as new (options: unknown) => Queue;
    const silent = { debug: () => undefined, warn: () => undefined };
    queue = new RequestQueue({ requestTimeout: 1_000, enforceRequestTimeout: false, maxInFlightRequests: null, logger: silent });
  });
  afterEach(() => {
    Date.now = realNow;
    queue.destroy();
  });

  function setClockBy(ms: number): void {
    Date.now = () => realNow() + ms;
  }

  /** @param since before the wait began, monotonic ms @returns how long a request was held back since then */
  async function heldBackForMs(since: number): Promise<number> {
    await new Promise<void>((resolve) => { queue.push({ entry: { correlationId: 1 }, expectResponse: true, sendRequest: resolve }); });
    return performance.now() - since;
  }

  it('holds nothing back as long as no broker asks for it', () => {
    expect(queue.throttledUntil).to.equal(-1);
    expect(queue.canSendSocketRequestImmediately()).to.equal(true);
    queue.maybeThrottle(0);
    expect(queue.canSendSocketRequestImmediately()).to.equal(true);
  });

  for (const [what, jumpMs] of [['stays', 0], ['is set back by an hour', -HOUR_MS], ['is set forward by an hour', HOUR_MS]] as const) {
    it(`waits for as long as the broker asks, when the clock ${what} meanwhile`, async () => {
      const since = performance.now();
      queue.maybeThrottle(200);
      setClockBy(jumpMs);
      expect(queue.canSendSocketRequestImmediately()).to.equal(false);
      expect(await heldBackForMs(since)).to.be.at.least(198);
      expect(queue.canSendSocketRequestImmediately()).to.equal(true);
    }).timeout(3_000);
  }

  it('takes the longer of two waits, also when the clock is set between them', () => {
    queue.maybeThrottle(20_000);
    setClockBy(HOUR_MS);
    queue.maybeThrottle(10);
    expect(queue.throttledUntil - Date.now()).to.be.within(19_000, 20_000);
    setClockBy(-HOUR_MS);
    queue.maybeThrottle(30_000);
    expect(queue.throttledUntil - Date.now()).to.be.within(29_000, 30_001);
  });

  it('bounds a wait as our own rule does: after that time the broker is asked again', () => {
    queue.maybeThrottle(2 ** 31 - 1);
    expect(queue.throttledUntil - Date.now()).to.be.within(LONGEST_THROTTLE_MS - 1_000, LONGEST_THROTTLE_MS + 1);
  });

  it('asks for metadata anew after its age, and not earlier or later when the clock is set', async () => {
    const BrokerPool = require('kafkajs/src/cluster/brokerPool') as new (options: unknown) => { metadataExpireAt: number | null };
    const pool = new BrokerPool({ connectionPoolBuilder: {}, logger: { namespace: () => ({}) }, metadataMaxAge: 0 });
    expect(pool.metadataExpireAt).to.equal(null);
    pool.metadataExpireAt = Date.now() + 100;
    for (const jumpMs of [HOUR_MS, -HOUR_MS]) {
      setClockBy(jumpMs);
      expect(pool.metadataExpireAt, 'ms left').to.be.above(Date.now());
    }
    Date.now = realNow;
    await eventually(() => { expect(pool.metadataExpireAt).to.equal(null); }, { withinMs: 2_000 });
    pool.metadataExpireAt = Date.now() + 100_000;
    pool.metadataExpireAt = null;
    expect(pool.metadataExpireAt).to.equal(null);
  });
});

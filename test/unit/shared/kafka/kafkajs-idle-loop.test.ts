import { createRequire } from 'node:module';

import { expect } from 'chai';

import { stopKafkajsIdleLoop } from '../../../../shared/kafka/kafkajs-idle-loop.js';

const require = createRequire(import.meta.url);

interface Queue {
  throttleCheckTimeoutId: unknown;
  throttledUntil: number;
  inflight: Map<number, unknown>;
  pending: unknown[];
  push(request: unknown): void;
  checkPendingRequests(): void;
  scheduleCheckPendingRequests(): void;
  fulfillRequest(answer: { correlationId: number; payload: Buffer; size: number }): void;
  destroy(): void;
}

function newQueue(): Queue {
  const RequestQueue = require('kafkajs/src/network/requestQueue') as new (options: unknown) => Queue;
  const silent = { debug: () => undefined, warn: () => undefined };
  return new RequestQueue({ requestTimeout: 1_000, enforceRequestTimeout: false, maxInFlightRequests: null, logger: silent });
}

describe('stopKafkajsIdleLoop', () => {
  it('fits the kafkajs that is installed: if it fails after an update, read the patch against the new source', () => {
    expect(stopKafkajsIdleLoop()).to.equal(true);
    expect(stopKafkajsIdleLoop(), 'twice').to.equal(true);
  });

  it('arms no timer while nothing waits', () => {
    stopKafkajsIdleLoop();
    const queue = newQueue();
    queue.checkPendingRequests();
    expect(queue.throttleCheckTimeoutId).to.equal(null);
  });

  it('still sends a request that had to wait because the broker asked us to slow down', async () => {
    stopKafkajsIdleLoop();
    const queue = newQueue();
    try {
      queue.throttledUntil = Date.now() + 30;
      const sentAt = await new Promise<number>((resolve) => {
        queue.push({ entry: { correlationId: 1 }, expectResponse: true, sendRequest: () => { resolve(Date.now()); } });
        expect(queue.pending).to.have.lengthOf(1);
      });
      expect(sentAt).to.be.at.least(queue.throttledUntil);
    } finally {
      queue.destroy();
    }
  });
});

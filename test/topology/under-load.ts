import { expect } from 'chai';

import { Ledger } from '../chaos/ledger.js';
import type { Measured, Scene } from '../chaos/scenario.js';
import { eventually } from '../support/eventually.js';
import { createReceiver } from '../support/receiver.js';
import type { Settings } from '../support/service.js';
import { LOCKS } from './locks.js';

/** What is done to Redis meanwhile. */
export interface UnderLoad {
  readonly ledger: Ledger;
  /** QUEUE_PREFIX. */
  readonly prefix: string;
  /** Waits until so many more tasks were acknowledged. */
  readonly acknowledges: (more: number) => Promise<void>;
}

/**
 * An API and two workers take 60 tasks a second, due at once or up to 2 s later, while Redis is changed. None may be lost or stuck, use an attempt, or end a worker.
 * @param settings of Redis
 * @param change   @returns what else was seen, for the table
 */
export async function underLoad(scene: Scene, settings: Settings, change: (load: UnderLoad) => Promise<string>): Promise<{ readonly measured: Measured; readonly ledger: Ledger }> {
  const receiver = await createReceiver();
  scene.onClose(() => receiver.close());
  const { service, crew } = await scene.staff({ workers: 2, settings: { ...LOCKS, ...settings } });
  const ledger = new Ledger(receiver, service);
  let nth = 0;
  const stopLoad = ledger.startLoad(60, () => ledger.task({ max_retries: 3, initial_delay: ((nth += 1) % 20) / 10 }));
  const acknowledges = async (more: number): Promise<void> => {
    const before = ledger.acked.size;
    await eventually(() => { expect(ledger.acked.size).to.be.at.least(before + more); }, { withinMs: 30_000 });
  };
  await acknowledges(60);
  const note = await change({ ledger, prefix: service.prefix, acknowledges });
  await acknowledges(60);
  ledger.faultIsOver();
  await stopLoad();
  const measured = await ledger.settle({ withinMs: 60_000 });
  expect(measured.delivered, 'nothing is lost').to.equal(measured.acked);
  expect(ledger.requestsWithAttempts(), 'no attempt is used').to.have.lengthOf(0);
  expect(crew.restarts, 'workers that ended').to.equal(0);
  return { measured: { ...measured, note }, ledger };
}

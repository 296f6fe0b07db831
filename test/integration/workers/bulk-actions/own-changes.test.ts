import { expect } from 'chai';

import { defaultCircuitRules } from '../../../../shared/domain/flow/circuit.js';
import { defaultPathMask } from '../../../../shared/domain/destinations/path-mask.js';
import { noSecretKeys } from '../../../../shared/domain/secrets/secret-box.js';
import type { FirstSend } from '../../../../shared/domain/bulk-actions/first-sends.js';
import { createLogger } from '../../../../shared/logging/logger.js';
import { AskedShards } from '../../../../shared/queue/bulk-actions/asked-shards.js';
import { BulkActions } from '../../../../shared/queue/bulk-actions/bulk-actions.js';
import { openBulkActions } from '../../../../shared/queue/bulk-actions/open-bulk-actions.js';
import { auditKeys, bulkKeys } from '../../../../shared/queue/fleet-keys.js';
import { BulkRunner } from '../../../../workers/bulk-actions/bulk-runner.js';
import { readBulkAction, startBulkAction, submitAll, tellBulkAction, waitForBulkAction } from '../../../support/bulk-actions.js';
import { eventually } from '../../../support/eventually.js';
import { CollectedLog, InProcessService } from '../../../support/service-in-process.js';
import { call, httpTask } from '../../../support/tasks.js';

/** Ten first sends that have failed: enough for an action to pause itself. */
const failures = (at: number): FirstSend[] => Array.from({ length: 10 }, () => ({ at, isDelivered: false }));

describe('what a runner changes in a bulk action by itself', () => {
  let service: InProcessService;
  let runner: BulkRunner | undefined;

  beforeEach(async () => { service = await InProcessService.ready(); });
  afterEach(async () => {
    await runner?.stop();
    await service.close();
  });

  /** A runner as in a worker, with something that happens between two of its steps. */
  async function run(change: (actions: BulkActions) => BulkActions, isFull = false): Promise<void> {
    const plain = openBulkActions(await service.queue.shards(), { actions: bulkKeys(service.prefix, false), audit: auditKeys(service.prefix, false, 1) }, 10_000);
    const logger = createLogger({ level: 'info', environment: 'prod', role: 'worker' }, new CollectedLog());
    runner = new BulkRunner({ actions: change(plain), flowStore: service.queue.fleet.flowStore(), circuit: defaultCircuitRules, defaultBrokers: new Set<string>(), deadAttempts: 10, secrets: noSecretKeys, mask: defaultPathMask, isRedisAboveMark: () => Promise.resolve(isFull), onStep: () => undefined, logger });
    runner.start();
  }

  it('is not made by what was known before a person resumed it', async () => {
    const failedAt = Date.now();
    let looks = 0;
    const tasks = Array.from({ length: 3 }, () => httpTask('http://127.0.0.1:9/', { initial_delay: 3_600 }));
    await submitAll(service.baseUrl, tasks);
    // Slow enough that it is not done before it is judged.
    const id = await startBulkAction(service.baseUrl, { action: 'send_now', ids: tasks.map((task) => task.id), rate: 0.001 });
    class Raced extends BulkActions {
      override async firstSends(): Promise<readonly FirstSend[]> {
        looks += 1;
        // Between the look at the action and the pause that follows from it.
        if (looks === 1) {
          await tellBulkAction(service.baseUrl, id, 'pause');
          await tellBulkAction(service.baseUrl, id, 'resume');
        }
        return failures(failedAt);
      }
    }
    await run(({ store, shards }) => new Raced(store, shards, new AskedShards(10_000)));
    await eventually(() => { expect(looks).to.be.at.least(3); });
    expect(await readBulkAction(service.baseUrl, id)).to.deep.include({ state: 'running', state_reason: null });
    expect((await call(service.baseUrl, `/audit?target=${id}&actor=service`)).body['entries']).to.deep.equal([]);
  }).timeout(30_000);

  it('is its end, where every step of it fails by a fault of ours, and no task was touched', async () => {
    const task = httpTask('http://127.0.0.1:9/', { initial_delay: 3_600 });
    await submitAll(service.baseUrl, [task]);
    const id = await startBulkAction(service.baseUrl, { action: 'send_now', ids: [task.id] });
    await run((plain) => {
      for (const shard of plain.shards) shard.step = () => Promise.reject(new TypeError('a fault of ours'));
      return plain;
    });
    const shown = await waitForBulkAction(service.baseUrl, id, 'failed');
    expect(shown).to.deep.include({ matched: 1, pending: 1, started: 0 });
    expect(shown.state_reason?.code).to.equal('internal');
    const { body } = await call(service.baseUrl, `/audit?target=${id}&actor=service`);
    expect((body['entries'] as Record<string, unknown>[]).map(({ action, outcome, error_code: code, count }) => [action, outcome, code, count])).to.deep.equal([['bulk_action.end', 'failed', 'internal', 0]]);
  }).timeout(30_000);

  it('is its end while Redis is full, but for a cancellation of a few tasks, which makes room', async () => {
    const tasks = Array.from({ length: 2 }, () => httpTask('http://127.0.0.1:9/', { initial_delay: 3_600 }));
    const [first = '', second = ''] = tasks.map((task) => task.id);
    await submitAll(service.baseUrl, tasks);
    await run((actions) => actions, true);
    const few = await startBulkAction(service.baseUrl, { action: 'cancel', ids: [first], expected: 1, reason: 'room' });
    const others = [
      { action: 'cancel', ids: [second, ...Array.from({ length: 100 }, (_, nth) => `nobody-${nth}`)], expected: 1, reason: 'room' },
      { action: 'cancel', filter: { id: second }, expected: 1, reason: 'room' },
      { action: 'send_now', ids: [second] },
    ];
    expect(await waitForBulkAction(service.baseUrl, few, 'done')).to.deep.include({ matched: 1, started: 1 });
    for (const asked of others) {
      const id = await startBulkAction(service.baseUrl, asked);
      expect((await waitForBulkAction(service.baseUrl, id, 'failed')).state_reason?.code, JSON.stringify(asked)).to.equal('redis_full');
    }
  }).timeout(30_000);

  it('stands in the audit though the process dies right behind it', async () => {
    const id = await startBulkAction(service.baseUrl, { action: 'redrive', ids: ['nobody'] });
    let changes = 0;
    class Dying extends BulkActions {
      override async change(...args: Parameters<BulkActions['change']>): ReturnType<BulkActions['change']> {
        await super.change(...args);
        changes += 1;
        return new Promise(() => undefined);
      }
    }
    await run(({ store, shards }) => new Dying(store, shards, new AskedShards(10_000)));
    await eventually(() => { expect(changes).to.equal(1); });
    await runner?.stop();
    // Another one goes on, and dies in the same way behind the next change.
    await run(({ store, shards }) => new Dying(store, shards, new AskedShards(10_000)));
    await eventually(() => { expect(changes).to.equal(2); });
    expect((await readBulkAction(service.baseUrl, id)).state).to.equal('done');
    const { body } = await call(service.baseUrl, `/audit?target=${id}`);
    expect((body['entries'] as Record<string, unknown>[]).map(({ action, outcome, count }) => [action, outcome, count])).to.deep.equal([['bulk_action.end', 'done', 0], ['bulk_action.create', 'done', 0]]);
  }).timeout(30_000);
});

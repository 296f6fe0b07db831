import { createSecretKey, randomBytes } from 'node:crypto';

import { expect } from 'chai';

import { defaultPathMask } from '../../../../shared/domain/destinations/path-mask.js';
import { defaultCircuitRules } from '../../../../shared/domain/flow/circuit.js';
import { createSecretBox } from '../../../../shared/domain/secrets/secret-box.js';
import { createLogger } from '../../../../shared/logging/logger.js';
import { openBulkActions } from '../../../../shared/queue/bulk-actions/open-bulk-actions.js';
import { auditKeys, bulkKeys } from '../../../../shared/queue/fleet-keys.js';
import { BulkRunner } from '../../../../workers/bulk-actions/bulk-runner.js';
import { parkTasks, readBulkAction, startBulkAction, tellBulkAction, waitForBulkAction } from '../../../support/bulk-actions.js';
import { eventually } from '../../../support/eventually.js';
import { createReceiver, type Receiver } from '../../../support/receiver.js';
import { CollectedLog, InProcessService } from '../../../support/service-in-process.js';
import { shardKeys } from '../../../support/shard-keys.js';
import { getTask } from '../../../support/tasks.js';

const K1 = `k1:${randomBytes(32).toString('base64')}`;
const headers = { Authorization: 'Bearer geheim' };

describe('a bulk action that needs a key of SECRETS_KEYS which no worker has', () => {
  let service: InProcessService;
  let receiver: Receiver;
  let log: CollectedLog;
  let runner: BulkRunner | undefined;

  beforeEach(async () => {
    receiver = await createReceiver();
    receiver.on('/old', { kind: 'answer', status: 400 });
    service = await InProcessService.ready({ secretsKeys: K1 });
    log = new CollectedLog();
  });
  afterEach(async () => {
    await runner?.stop();
    await service.close();
    await receiver.close();
  });

  /** Parked by a worker with the key, which is gone then. */
  async function parked(count: number, destination: object = {}): Promise<readonly string[]> {
    const worker = await service.startWorker();
    const ids = await parkTasks(service.baseUrl, receiver.url('/old'), count, { destination: { url: receiver.url('/old'), ...destination } });
    await worker.stop(0);
    return ids;
  }

  /** A worker with another key. */
  async function runWithout(keyWaitMs: number): Promise<void> {
    const actions = openBulkActions(await service.queue.shards(), { actions: bulkKeys(service.prefix, false), audit: auditKeys(service.prefix, false, 1) }, 10_000);
    const secrets = createSecretBox([{ id: 'k2', key: createSecretKey(randomBytes(32)) }], randomBytes);
    const logger = createLogger({ level: 'info', environment: 'prod', role: 'worker' }, log);
    runner = new BulkRunner({ actions, flowStore: service.queue.fleet.flowStore(), circuit: defaultCircuitRules, defaultBrokers: new Set<string>(), deadAttempts: 10, secrets, mask: defaultPathMask, isRedisAboveMark: () => Promise.resolve(false), onStep: () => undefined, logger, keyWaitMs });
    runner.start();
  }

  it('goes through all other tasks, and counts those that only the key could open', async () => {
    const [sealed = ''] = await parked(1, { headers });
    const others = await parked(2);
    await runWithout(0);
    const id = await startBulkAction(service.baseUrl, { action: 'redrive', ids: [sealed, ...others], override: { max_retries: 3 } });
    const shown = await waitForBulkAction(service.baseUrl, id, 'done');
    expect(shown).to.deep.include({ matched: 3, started: 2, skipped: { changed: 0, gone: 0, being_sent: 0, over_limit: 0, invalid: 1 } });
    expect(shown.override_errors?.map(({ code, count, task_id: task }) => [code, count, task])).to.deep.equal([['task_unreadable', 1, sealed]]);
    expect(shown.override_errors?.[0]?.message).to.include('the key k1');
    expect(await getTask(service.baseUrl, sealed)).to.deep.include({ state: 'parked', run: 1 });
  }).timeout(30_000);

  it('pauses and says why, where its override needs the key, and goes on when one has it; while another worker is at it, it is left alone', async () => {
    const [task = ''] = await parked(1);
    const id = await startBulkAction(service.baseUrl, { action: 'redrive', ids: [task], override: { destination: { url: receiver.url('/new'), headers } } });
    const lease = shardKeys(service.prefix).bulkLease(id);
    await runWithout(2_000);
    await waitForBulkAction(service.baseUrl, id, 'running');
    await service.redis.set(lease, 'another worker');
    const failures = (): number => log.text.split('bulk_action_key_missing').length - 1;
    const before = failures();
    await eventually(() => { expect(failures()).to.be.at.least(before + 2); });
    expect(await readBulkAction(service.baseUrl, id)).to.deep.include({ state: 'running', state_reason: null });
    await service.redis.del(lease);
    const shown = await waitForBulkAction(service.baseUrl, id, 'paused');
    expect([shown.state_reason?.code, shown.started]).to.deep.equal(['key_missing', 0]);
    expect(shown.state_reason?.message).to.include('the key k1');
    await runner?.stop();
    await service.startWorker();
    expect((await tellBulkAction(service.baseUrl, id, 'resume')).status).to.equal(200);
    expect(await waitForBulkAction(service.baseUrl, id, 'done')).to.deep.include({ started: 1 });
  }).timeout(30_000);
});

import { expect } from 'chai';

import { eventually } from '../../../support/eventually.js';
import { createReceiver, type Receiver } from '../../../support/receiver.js';
import { PrivateRedis } from '../../../support/redis.js';
import { RedisCluster } from '../../../support/redis-cluster.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { call, httpTask, submitNew, uniqueId, waitForState } from '../../../support/tasks.js';

interface Rates { readonly '1m': number | null; readonly '1h': number | null }
interface Status {
  readonly status: string;
  readonly reasons: readonly { readonly code: string; readonly message: string }[];
  readonly workers: number | null;
  readonly counts: { readonly due: number; readonly waiting: number; readonly held: Readonly<Record<string, number>> } | null;
  readonly rates: Readonly<Record<'created' | 'delivered' | 'failed' | 'dead_lettered', Rates>>;
  readonly lateness_ms: { readonly p50: number | null; readonly p99: number | null };
  readonly backlog: { readonly due: number | null; readonly per_second: number | null };
  readonly oldest_due_ms: number | null;
  readonly load: number | null;
  readonly redis: { readonly used_ratio: number | null };
  readonly shards_away: readonly string[];
}
interface Point { readonly at: string; readonly created: number | null; readonly delivered: number | null; readonly failed: number | null; readonly dead_lettered: number | null; readonly due: number | null; readonly lateness_ms: { readonly p50: number | null } }

/** An answer is kept for a second, counts are written once a second, and a worker is missed after 5 s. */
const PATIENCE = { withinMs: 10_000, everyMs: 100 };

async function status(service: InProcessService): Promise<Status> {
  const answer = await call(service.baseUrl, '/status');
  expect(answer.status).to.equal(200);
  // What a test reads of it, it also compares.
  return answer.body as unknown as Status;
}

async function history(service: InProcessService, query = ''): Promise<{ step_ms: number; points: readonly Point[] }> {
  const answer = await call(service.baseUrl, `/history${query}`);
  expect(answer.status, JSON.stringify(answer.body)).to.equal(200);
  return answer.body as unknown as Awaited<ReturnType<typeof history>>;
}

const codes = ({ reasons }: Status): string[] => reasons.map(({ code }) => code);
const sum = (points: readonly Point[], name: 'created' | 'delivered' | 'failed' | 'dead_lettered'): number => points.reduce((total, point) => total + (point[name] ?? 0), 0);

for (const shards of [1, 3]) {
  describe(`GET /status and GET /history, with ${shards} shard(s)`, () => {
    let service: InProcessService;
    let receiver: Receiver;

    beforeEach(async () => {
      service = await InProcessService.ready({ shards });
      receiver = await createReceiver();
      receiver.on('/down', { kind: 'answer', status: 500 });
      receiver.on('/hang', { kind: 'hang' });
    });
    afterEach(async () => {
      await service.close();
      await receiver.close();
    });

    const submitAll = async (count: number, path: string, changes: Parameters<typeof httpTask>[1] = {}): Promise<string[]> => {
      const tasks = Array.from({ length: count }, () => httpTask(receiver.url(path), { ...changes, id: uniqueId() }));
      for (const task of tasks) await submitNew(service.baseUrl, task);
      return tasks.map(({ id }) => id);
    };

    it('is ok with a worker and nothing to do', async () => {
      await service.startWorker({ concurrency: 40 });
      const seen = await eventually(async () => {
        const now = await status(service);
        expect(now).to.include({ status: 'ok', workers: 1, oldest_due_ms: null, load: 0 });
        return now;
      }, PATIENCE);
      expect(seen.reasons).to.deep.equal([]);
      expect(seen.shards_away).to.deep.equal([]);
      expect(seen.lateness_ms).to.deep.equal({ p50: null, p99: null });
    });

    it('tells exactly what was done, in its rates and in the history', async () => {
      await service.startWorker();
      for (const id of await submitAll(12, '/')) await waitForState(service.baseUrl, id, 'delivered');
      // Two sends each, and a dead letter that arrives.
      for (const id of await submitAll(4, '/down', { max_retries: 1, dead_destination: { url: receiver.url('/dead') } })) await waitForState(service.baseUrl, id, 'dead_lettered');
      const batch = Array.from({ length: 5 }, () => httpTask(receiver.url('/'), { initial_delay: 3_600 }));
      // One is there already: it is not created.
      const answer = await fetch(`${service.baseUrl}/tasks/batch`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify([...batch, batch[0]]) });
      expect(answer.status).to.equal(207);
      await eventually(async () => {
        const { points } = await history(service);
        const done = { created: sum(points, 'created'), delivered: sum(points, 'delivered'), failed: sum(points, 'failed'), deadLettered: sum(points, 'dead_lettered') };
        expect(done).to.deep.equal({ created: 21, delivered: 12, failed: 8, deadLettered: 4 });
      }, PATIENCE);
      await eventually(async () => {
        const { rates, lateness_ms: lateness } = await status(service);
        const perMinute = Object.entries(rates).map(([name, rate]) => [name, Math.round((rate['1m'] ?? 0) * 60), Math.round((rate['1h'] ?? 0) * 3_600)]);
        expect(perMinute).to.deep.equal([['created', 21, 21], ['delivered', 12, 12], ['failed', 8, 8], ['dead_lettered', 4, 4]]);
        expect(lateness.p50).to.be.within(0, 1_000);
        expect(lateness.p99).to.be.at.least(lateness.p50 ?? Infinity);
      }, PATIENCE);
    });

    it('is down without a worker, and counts the late ones and the backlog all the same', async () => {
      await submitAll(3, '/');
      const seen = await eventually(async () => {
        const now = await status(service);
        expect(codes(now)).to.deep.equal(['no_worker', 'late']);
        // A minute that has just begun may not have counted it.
        expect(now.backlog.due).to.equal(3);
        return now;
      }, PATIENCE);
      expect(seen).to.include({ status: 'down', workers: 0, load: 3 });
      expect(seen.oldest_due_ms).to.be.at.least(5_000);
      expect(seen.reasons[0]?.message).to.include('3 tasks are due');
      // A minute that has just begun knows its backlog when that is counted first.
      await eventually(async () => {
        const { points } = await history(service, '?since=1m');
        expect(points.at(-1)).to.include({ due: 3, delivered: null, failed: null });
      });
    });

    it('measures how late the tasks were that a worker finds when it comes', async () => {
      await submitAll(2, '/');
      await eventually(async () => { expect((await call(service.baseUrl, '/stats')).body['oldest_due_ms']).to.be.at.least(700); });
      await service.startWorker();
      await eventually(async () => { expect((await status(service)).lateness_ms.p50).to.be.at.least(700); }, PATIENCE);
    });

    it('is degraded by a paused destination that holds tasks, and says which', async () => {
      await service.startWorker();
      const origin = new URL(receiver.url('/')).origin;
      await fetch(`${service.baseUrl}/destinations/${encodeURIComponent(origin)}/pause`, { method: 'POST' });
      await submitAll(2, '/', { initial_delay: 1.5 });
      const seen = await eventually(async () => {
        const now = await status(service);
        expect(codes(now)).to.include('paused');
        expect(now.counts?.held['paused']).to.equal(2);
        return now;
      }, PATIENCE);
      expect(seen.status).to.equal('degraded');
      expect(seen.reasons.find(({ code }) => code === 'paused')?.message).to.equal(`1 destination is paused by an operator (${origin}): 2 tasks are held back`);
      await eventually(async () => { expect(codes(await status(service))).to.include('late'); }, PATIENCE);
    });

    it('has a load: what is due and being sent, for each slot', async () => {
      await service.startWorker({ concurrency: 6 });
      await submitAll(3, '/hang');
      await eventually(async () => { expect((await status(service)).load).to.equal(0.5); }, PATIENCE);
    });
  });
}

describe('GET /history', () => {
  let service: InProcessService;

  beforeEach(async () => {
    service = await InProcessService.ready();
  });
  afterEach(async () => {
    await service.close();
  });

  it('has a point a minute for as long as it is asked for', async () => {
    const { step_ms: step, points } = await history(service, '?since=24h');
    expect(step).to.equal(60_000);
    expect(points).to.have.lengthOf(1_441);
    const times = points.map(({ at }) => Date.parse(at));
    expect(times.every((at, nth) => at % step === 0 && (nth === 0 || at - (times[nth - 1] ?? 0) === step))).to.equal(true);
    expect((await history(service, '?since=1m')).points).to.have.lengthOf(2);
  });

  it('refuses a since that it does not understand', async () => {
    const { status: code, body } = await call(service.baseUrl, '/history?since=25h');
    expect([code, body['code']]).to.deep.equal([400, 'invalid_request']);
  });
});

describe('GET /status, while Redis', () => {
  let redis: PrivateRedis;
  let service: InProcessService;

  beforeEach(async () => {
    redis = await PrivateRedis.start();
    service = await InProcessService.ready({ redis: redis.address });
  });
  afterEach(async () => {
    redis.thaw();
    await service.close();
    await redis.close();
  });

  const expectAway = async (): Promise<void> => {
    await eventually(async () => {
      const startedAt = performance.now();
      const seen = await status(service);
      expect(performance.now() - startedAt, 'ms').to.be.below(2_000);
      expect(seen).to.include({ status: 'down', workers: null, counts: null, oldest_due_ms: null, load: null });
      expect(codes(seen)).to.deep.equal(['redis_unavailable']);
      expect(seen.rates.created).to.deep.equal({ '1m': null, '1h': null });
      expect(seen.redis.used_ratio).to.equal(null);
    }, PATIENCE);
  };

  it('is killed: answers 200 and down, and is well again with it', async () => {
    await service.startWorker();
    await redis.kill();
    await expectAway();
    await redis.restart();
    await eventually(async () => { expect((await status(service)).status).to.equal('ok'); }, PATIENCE);
  });

  it('is back, and no worker can have reported yet: does not say that none runs, until they have had the time', async () => {
    await redis.kill();
    await expectAway();
    await redis.restart();
    const first = await eventually(async () => {
      const seen = await status(service);
      expect(seen.counts).to.not.equal(null);
      return seen;
    }, PATIENCE);
    expect(first).to.include({ status: 'degraded', workers: null });
    expect(codes(first)).to.deep.equal(['redis_unavailable']);
    await eventually(async () => {
      const seen = await status(service);
      expect(seen).to.include({ status: 'down', workers: 0 });
      expect(codes(seen)).to.deep.equal(['no_worker']);
    }, PATIENCE);
  });

  it('is frozen: answers within the limit of a request', async () => {
    await redis.freeze();
    await expectAway();
  });

  it('takes no writes: is down, though everything can be read', async () => {
    const admin = service.redis;
    await admin.config('SET', 'min-replicas-to-write', '1');
    await eventually(async () => {
      const seen = await status(service);
      expect(codes(seen)).to.include('redis_unavailable');
      expect(seen.status).to.equal('down');
      expect(seen.counts).to.not.equal(null);
    }, PATIENCE);
    await admin.config('SET', 'min-replicas-to-write', '0');
  });

  it('has nearly used up its memory: says so, and how far', async () => {
    const used = Number(/used_memory:(\d+)/.exec(await service.redis.info('memory'))?.[1]);
    await service.redis.config('SET', 'maxmemory', String(Math.round(used / 0.9)));
    await eventually(async () => {
      const seen = await status(service);
      expect(codes(seen)).to.include('redis_memory');
      expect(seen.redis.used_ratio).to.be.within(0.8, 1.2);
    }, PATIENCE);
  });

  it('refuses one shard of three: the others are counted, and it is named', async () => {
    await service.close();
    service = await InProcessService.ready({ redis: redis.address, shards: 3 });
    const { prefix } = service;
    for (let nth = 0; nth < 9; nth += 1) await submitNew(service.baseUrl, httpTask('http://127.0.0.1:9/', { id: `t${nth}`, initial_delay: 3_600 }));
    const whole = await eventually(async () => {
      const { counts } = await status(service);
      expect(counts?.waiting).to.equal(9);
      return counts?.waiting ?? 0;
    }, PATIENCE);
    // The other keys stay allowed: this is a shard that cannot be asked, on a Redis that can.
    await service.redis.call('ACL', 'SETUSER', 'default', 'resetkeys', `~${prefix}:deliver-0*`, `~${prefix}:deliver-1*`, `~${prefix}:flow:*`, `~${prefix}:stats:*`);
    await eventually(async () => {
      const seen = await status(service);
      expect(seen.shards_away).to.deep.equal(['deliver-2']);
      expect(codes(seen)).to.include('shard_away');
      expect(seen.counts?.waiting).to.be.within(1, whole - 1);
    }, PATIENCE);
    const stats = await call(service.baseUrl, '/stats');
    expect([stats.status, stats.body['shards_away']]).to.deep.equal([200, ['deliver-2']]);
  });

  it('refuses the part with limits and reports, as the node of that slot alone may: the tasks are counted all the same', async () => {
    await service.startWorker();
    for (let nth = 0; nth < 4; nth += 1) await submitNew(service.baseUrl, httpTask('http://127.0.0.1:9/', { id: `t${nth}`, initial_delay: 3_600 }));
    await service.redis.call('ACL', 'SETUSER', 'default', 'resetkeys', `~${service.prefix}:deliver-*`);
    const stats = await eventually(async () => {
      const { status: code, body } = await call(service.baseUrl, '/stats');
      expect([code, body['workers']]).to.deep.equal([200, null]);
      return body;
    }, PATIENCE);
    expect(stats).to.deep.include({ worker_facts: null, shard_rebuilds: null, shards_away: [], oldest_due_ms: null });
    expect(stats['counts']).to.deep.include({ waiting: 4, scheduled: 4, held: null });
    await eventually(async () => {
      const seen = await status(service);
      expect(codes(seen)).to.include('redis_unavailable');
      expect(seen).to.deep.include({ status: 'degraded', workers: null, shards_away: [] });
      expect(seen.counts).to.deep.include({ waiting: 4, scheduled: 4, held: null });
    }, PATIENCE);
  });

  it('has the node of that slot killed in a cluster, and started again: workers that run are never said to be none', async () => {
    const cluster = await RedisCluster.start({ masters: 2, replicas: 0, nodeTimeoutMs: 60_000, settings: ['--cluster-require-full-coverage', 'no'] });
    try {
      await service.close();
      service = await InProcessService.ready({ redis: { mode: 'cluster', nodes: cluster.nodes.map(({ address }) => address), username: undefined, password: undefined, tls: false }, shards: 16 });
      await eventually(async () => { expect(await status(service)).to.include({ status: 'down', workers: 0 }); }, PATIENCE);
      const { owner } = await cluster.ownerOf(`{${service.prefix}-flow}`);
      await owner.kill();
      await eventually(async () => { expect((await status(service)).shards_away.length).to.be.within(1, 15); }, PATIENCE);
      await owner.restart();
      const back = await eventually(async () => {
        const seen = await status(service);
        expect(seen.shards_away).to.deep.equal([]);
        return seen;
      }, PATIENCE);
      expect([back.workers, codes(back)]).to.deep.equal([null, ['redis_unavailable']]);
      await service.startWorker();
      await eventually(async () => {
        const seen = await status(service);
        expect(codes(seen)).to.not.include('no_worker');
        expect(seen).to.include({ status: 'ok', workers: 1 });
      }, PATIENCE);
    } finally {
      await service.close();
      await cluster.close();
    }
  });

  it('has the node of that slot frozen in a cluster: both answers come, with the counts of the other shards', async () => {
    const cluster = await RedisCluster.start({ masters: 2, replicas: 0, nodeTimeoutMs: 60_000, settings: ['--cluster-require-full-coverage', 'no'] });
    try {
      const [first, second] = cluster.nodes;
      if (first === undefined || second === undefined) throw new Error('the cluster has two nodes');
      await service.close();
      service = await InProcessService.ready({ redis: { mode: 'cluster', nodes: cluster.nodes.map(({ address }) => address), username: undefined, password: undefined, tls: false }, shards: 16 });
      await eventually(async () => { expect((await status(service)).counts).to.not.equal(null); }, PATIENCE);
      const slot = await cluster.ask(first, (client) => client.cluster('KEYSLOT', `{${service.prefix}-flow}`));
      await (slot < 8_192 ? first : second).freeze();
      await eventually(async () => {
        const seen = await status(service);
        expect(seen.workers).to.equal(null);
        expect(seen.counts).to.not.equal(null);
        expect(seen.shards_away.length).to.be.within(1, 15);
      }, PATIENCE);
      const { status: code, body } = await call(service.baseUrl, '/stats');
      expect([code, body['workers']]).to.deep.equal([200, null]);
    } finally {
      await service.close();
      await cluster.close();
    }
  });
});

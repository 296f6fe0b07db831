import { expect } from 'chai';
import { Queue, Worker, type Job, type WorkerOptions } from 'bullmq';

import { LeanWorker } from '../../../../../shared/queue/engine/lean-worker.js';
import { eventually } from '../../../../support/eventually.js';
import { uniquePrefix } from '../../../../support/namespace.js';
import { connect } from '../../../../support/service-in-process.js';

class Lean extends LeanWorker {
  readonly steps: string[] = [];

  protected override ending({ id = '' }: Job): void {
    this.steps.push(`ending ${id}`);
  }

  protected override ended({ id = '' }: Job): void {
    this.steps.push(`ended ${id}`);
  }

  protected override isLeftFor(): boolean {
    return false;
  }
}

/** What a worker is told, and what Redis holds in the end, but for times. */
interface Trace {
  readonly events: readonly string[];
  readonly stored: readonly (readonly [id: string, fields: Readonly<Record<string, string>>])[];
  readonly counts: Readonly<Record<string, number>>;
}

const IDS = ['ends', 'fails', 'comes-again', 'ends-without-a-result', 'has-no-text', 'has-failed-before', 'is-the-last'];

/** Fields that hold times, or the lines of this file. */
const DIFFERING: ReadonlySet<string> = new Set(['timestamp', 'processedOn', 'finishedOn', 'stacktrace']);

/** How each job ends. */
async function process({ id, attemptsMade }: Job): Promise<unknown> {
  switch (id) {
    case 'fails':
      throw new Error('it fails');
    case 'comes-again':
      if (attemptsMade === 0) throw new Error('not yet');
      return { attempt: 2 };
    case 'ends-without-a-result':
      return undefined;
    case 'has-no-text':
      // JSON has no such number: the end cannot be written down.
      return { big: 1n };
    default:
      return { ok: id };
  }
}

describe('LeanWorker', () => {
  const redis = connect('worker');
  after(() => redis.disconnect());

  async function trace(create: (name: string, options: WorkerOptions) => Worker): Promise<{ readonly trace: Trace; readonly worker: Worker }> {
    const prefix = uniquePrefix();
    const queue = new Queue('lean', { connection: redis, prefix });
    const worker = create('lean', { connection: redis, prefix, autorun: false, concurrency: 1 });
    const events: string[] = [];
    worker.on('active', ({ id }, before) => events.push(`active ${String(id)} ${before}`));
    worker.on('completed', ({ id, attemptsMade, returnvalue, finishedOn }, result, before) => events.push(`completed ${String(id)} ${attemptsMade} ${JSON.stringify(returnvalue)} ${JSON.stringify(result)} ${typeof finishedOn} ${before}`));
    worker.on('failed', (job, { message }, before) => events.push(`failed ${String(job?.id)} ${message} ${before}`));
    worker.on('drained', () => events.push('drained'));
    worker.on('error', ({ message }) => events.push(`error ${message}`));
    try {
      for (const jobId of IDS) await queue.add('job', {}, { jobId, attempts: 2, ...(jobId === 'fails' ? { attempts: 1 } : {}) });
      // BullMQ writes this where a child of the job has failed.
      await redis.hset(queue.toKey('has-failed-before'), 'defa', 'its child has failed');
      void worker.run();
      await eventually(async () => {
        const { waiting = 0, active = 0, delayed = 0, prioritized = 0 } = await queue.getJobCounts();
        expect(waiting + active + delayed + prioritized).to.equal(0);
      });
      await eventually(() => { expect(events.at(-1)).to.equal('drained'); });
      const stored = await Promise.all(IDS.map(async (id) => {
        const fields = Object.entries(await redis.hgetall(queue.toKey(id))).filter(([name]) => !DIFFERING.has(name));
        return [id, Object.fromEntries(fields)] as const;
      }));
      return { trace: { events, stored, counts: await queue.getJobCounts() }, worker };
    } finally {
      await worker.close();
      await queue.close();
    }
  }

  it('does with each job what BullMQ does, whether it ends well, fails, comes again or cannot be written down', async () => {
    const { trace: theirs } = await trace((name, options) => new Worker(name, process, options));
    const { trace: ours, worker } = await trace((name, options) => new Lean(name, process, options));
    expect(ours).to.deep.equal(theirs);
    expect(theirs.counts).to.deep.include({ completed: 4, failed: 3 });
    const { steps } = worker as Lean;
    expect(steps.filter((step) => step.startsWith('ended')).sort()).to.deep.equal([...IDS, 'comes-again', 'has-no-text'].map((id) => `ended ${id}`).sort());
    expect(steps.slice(0, 2)).to.deep.equal(['ending ends', 'ended ends']);
  });

  it('repeats the call that records an end when its connection is lost, and processes nothing twice', async () => {
    const prefix = uniquePrefix();
    const queue = new Queue('lean', { connection: redis, prefix });
    let processed = 0;
    const worker = new Lean('lean', async () => { processed += 1; }, { connection: redis, prefix, autorun: false, concurrency: 1, runRetryDelay: 10 });
    const backend = worker.getBackend();
    const moveToCompleted = backend.moveToCompleted.bind(backend);
    let left = 2;
    backend.moveToCompleted = (async (...args: Parameters<typeof moveToCompleted>) => {
      left -= 1;
      if (left >= 0) throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
      return moveToCompleted(...args);
    });
    try {
      await queue.add('job', {}, { jobId: 'one' });
      void worker.run();
      await eventually(async () => { expect(await queue.getJobCountByTypes('completed')).to.equal(1); });
      expect({ processed, left }).to.deep.equal({ processed: 1, left: -1 });
      await eventually(() => { expect(worker.steps).to.deep.equal(['ending one', 'ending one', 'ending one', 'ended one']); });
    } finally {
      await worker.close();
      await queue.close();
    }
  });
});

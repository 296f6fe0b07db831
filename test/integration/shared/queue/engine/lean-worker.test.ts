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

  protected override isLeftFor(error: unknown): boolean {
    return error instanceof Error && error.message.startsWith('OOM');
  }
}

/** What a worker is told, and what Redis holds in the end, but for times. */
interface Trace {
  readonly events: readonly string[];
  readonly stored: readonly (readonly [id: string, fields: Readonly<Record<string, string>>])[];
  readonly counts: Readonly<Record<string, number>>;
}

const IDS = ['ends', 'fails', 'has-no-text', 'comes-again', 'ends-without-a-result', 'has-failed-before', 'is-the-last'];

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

  /** @param behind what is left when the last job ends */
  async function trace(behind: 'nothing' | 'a delayed job' | 'a paused queue', create: (name: string, processor: typeof process, options: WorkerOptions) => Worker): Promise<{ readonly trace: Trace; readonly worker: Worker }> {
    const prefix = uniquePrefix();
    const queue = new Queue('lean', { connection: redis, prefix });
    const processor = async (job: Job): Promise<unknown> => {
      if (behind === 'a paused queue' && job.id === 'is-the-last') await queue.pause();
      return process(job);
    };
    const worker = create('lean', processor, { connection: redis, prefix, autorun: false, concurrency: 1 });
    const events: string[] = [];
    worker.on('active', ({ id }, before) => events.push(`active ${String(id)} ${before}`));
    worker.on('completed', ({ id, attemptsMade, returnvalue, finishedOn }, result, before) => events.push(`completed ${String(id)} ${attemptsMade} ${JSON.stringify(returnvalue)} ${JSON.stringify(result)} ${typeof finishedOn} ${before}`));
    worker.on('failed', (job, { message }, before) => events.push(`failed ${String(job?.id)} ${message} ${before}`));
    worker.on('drained', () => events.push('drained'));
    worker.on('error', ({ message }) => events.push(`error ${message}`));
    try {
      for (const jobId of IDS) await queue.add('job', {}, { jobId, attempts: 2, ...(jobId === 'fails' ? { attempts: 1 } : {}) });
      if (behind === 'a delayed job') await queue.add('job', {}, { jobId: 'is-delayed', delay: 3_600_000 });
      if (behind === 'a paused queue') await queue.add('job', {}, { jobId: 'waits' });
      // BullMQ writes this where a child of the job has failed.
      await redis.hset(queue.toKey('has-failed-before'), 'defa', 'its child has failed');
      void worker.run();
      await eventually(() => { expect(events).to.satisfy((told: readonly string[]) => told.some((event) => event.startsWith('completed is-the-last')) && told.at(-1) === 'drained'); });
      await eventually(async () => { expect(await queue.getActiveCount()).to.equal(0); });
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

  for (const [behind, counts] of [['nothing', { completed: 4, failed: 3 }], ['a delayed job', { completed: 4, failed: 3, delayed: 1 }], ['a paused queue', { completed: 3, failed: 2 }]] as const) {
    it(`does with each job what BullMQ does, whether it ends well, fails, comes again or cannot be written down, with ${behind} behind`, async () => {
      const { trace: theirs } = await trace(behind, (name, processor, options) => new Worker(name, processor, options));
      const { trace: ours, worker } = await trace(behind, (name, processor, options) => new Lean(name, processor, options));
      expect(ours).to.deep.equal(theirs);
      expect(ours.counts).to.deep.include(counts);
      const { steps } = worker as Lean;
      const begun = ours.events.flatMap((event) => (event.startsWith('active') ? [`ended ${event.split(' ')[1] ?? ''}`] : []));
      expect(steps.filter((step) => step.startsWith('ended'))).to.deep.equal(begun);
      expect(steps.slice(0, 2)).to.deep.equal(['ending ends', 'ended ends']);
    });
  }

  /** What happens to the call that records an end, one try after the other. `written`: its answer is lost. */
  type Try = 'lost' | 'written' | 'refused' | 'well';

  const rows: readonly (readonly [name: string, tries: readonly Try[], expected: { readonly completed: number; readonly active: number; readonly told: readonly string[] }])[] = [
    ['repeats it when its connection is lost', ['lost', 'lost', 'well'], { completed: 1, active: 0, told: ['completed'] }],
    ['leaves a job as it is whose end is written, though its answer was lost', ['written', 'well'], { completed: 1, active: 0, told: [] }],
    ['leaves a job whose end is refused for now, and records no failure', ['refused'], { completed: 0, active: 1, told: [] }],
    ['leaves it also when the refusal comes behind a lost connection', ['lost', 'refused'], { completed: 0, active: 1, told: [] }],
  ];
  for (const [name, tries, { completed, active, told }] of rows) {
    it(`of the call that records an end: ${name}, and processes nothing twice`, async () => {
      const prefix = uniquePrefix();
      const queue = new Queue('lean', { connection: redis, prefix });
      let processed = 0;
      const worker = new Lean('lean', async () => { processed += 1; }, { connection: redis, prefix, autorun: false, concurrency: 1, runRetryDelay: 10 });
      const events: string[] = [];
      worker.on('completed', () => events.push('completed'));
      worker.on('failed', () => events.push('failed'));
      worker.on('error', () => undefined);
      const backend = worker.getBackend();
      const record = backend.moveToCompleted.bind(backend);
      const left = [...tries];
      backend.moveToCompleted = (async (...args: Parameters<typeof record>) => {
        const next = left.shift();
        if (next === 'refused') throw new Error('OOM command not allowed');
        const written = next === 'lost' ? undefined : await record(...args);
        if (next !== 'well') throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
        return written;
      }) as typeof backend.moveToCompleted;
      try {
        await queue.add('job', {}, { jobId: 'one' });
        void worker.run();
        await eventually(() => { expect(worker.steps.at(-1)).to.equal('ended one'); });
        expect(await queue.getJobCounts('completed', 'active', 'failed', 'wait')).to.deep.equal({ completed, active, failed: 0, wait: 0 });
        expect({ processed, left, events }).to.deep.equal({ processed: 1, left: [], events: told });
        expect(worker.steps.filter((step) => step === 'ended one')).to.have.lengthOf(1);
      } finally {
        await worker.close(true);
        await queue.close();
      }
    });
  }
});

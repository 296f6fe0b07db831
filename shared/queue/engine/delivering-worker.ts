import { Worker } from 'bullmq';

/**
 * A Worker that says when BullMQ is through with a job. BullMQ has no event for a job whose end cannot be written down
 * any more, as when its lock has lapsed and another worker has it: each would be taken for one in hand until the process ends.
 */
export class DeliveringWorker extends Worker {
  /** To be set right after construction. BullMQ is through with the job, whatever became of it. */
  onThrough: (jobId: string) => void = () => undefined;

  override async processJob(...args: Parameters<Worker['processJob']>): ReturnType<Worker['processJob']> {
    try {
      return await super.processJob(...args);
    } finally {
      // A closing worker gives up without Redis: what it could not write down is still in hand.
      if (!isClosing(this)) this.onThrough(args[0].id ?? '');
    }
  }
}

/** Has its close been called? BullMQ keeps the promise of that in this property. */
function isClosing(worker: Worker): boolean {
  return worker.closing !== undefined;
}

import { Worker } from 'bullmq';

/**
 * A Worker that tells when BullMQ has finished with a job. BullMQ has no event for a job whose end cannot be recorded any
 * more, for example when its lock has lapsed and another worker has it. Such a job would count as in hand until the
 * process ends.
 */
export class DeliveringWorker extends Worker {
  /** Set it right after construction. BullMQ calls it when it has finished with the job, whatever the result. */
  onThrough: (jobId: string) => void = () => undefined;

  override async processJob(...args: Parameters<Worker['processJob']>): ReturnType<Worker['processJob']> {
    try {
      return await super.processJob(...args);
    } finally {
      // A closing worker gives up when Redis is away. A job whose end it could not record is still in hand.
      if (!isClosing(this)) this.onThrough(args[0].id ?? '');
    }
  }
}

/** Whether its close has been called. BullMQ keeps the promise of close in this property. */
function isClosing(worker: Worker): boolean {
  return worker.closing !== undefined;
}

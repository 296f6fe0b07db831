import type { Queue } from 'bullmq';
import { recordCall, type RecordedCall } from './recorded-call.js';

/** The call of BullMQ's own Job.changePriority: see editScript. @throws EngineMismatchError when BullMQ changes it in another way */
export function recordPriorityChange(queue: Queue, jobId: string, priority: number): Promise<RecordedCall> {
  return recordCall(queue.getBackend(), 'changePriority', (backend) => backend.changePriority(jobId, priority));
}

import { expect } from 'chai';

import { eventually } from './eventually.js';
import { getTask, submitNew, type WireTask } from './tasks.js';

/**
 * Waits until the workers know of a pause: they learn of it up to 0.2 s later, and later on a crowded machine. What is submitted before
 * is delivered, so task after task is submitted until one is held.
 *
 * @param next a new task, of what is paused
 * @returns the one that is held
 */
export async function waitUntilPauseIsKnown(baseUrl: string, next: () => WireTask): Promise<WireTask> {
  return eventually(async () => {
    const task = next();
    await submitNew(baseUrl, task);
    const { waiting_for: waitingFor } = await eventually(async () => {
      const shown = await getTask(baseUrl, task.id);
      expect(shown.state === 'delivered' || shown.timeline.length === 1, 'decided').to.equal(true);
      return shown;
    });
    expect(waitingFor?.code).to.equal('paused');
    return task;
  });
}

import { expect } from 'chai';

import { actionsFor, statesTakenBy, taskActions, takes } from '../../../../../shared/domain/task/state-actions.js';
import { taskStates } from '../../../../../shared/domain/task/task.js';

describe('what may be done with a task in which state', () => {
  it('is one table', () => {
    expect(Object.fromEntries(taskStates.map((state) => [state, actionsFor(state)]))).to.deep.equal({
      scheduled: ['send_now', 'cancel'],
      delivering: [],
      retrying: ['send_now', 'cancel'],
      delivered: [],
      dead_lettering: ['send_now', 'cancel'],
      dead_lettered: ['redrive'],
      parked: ['redrive', 'delete'],
      cancelled: [],
    });
  });

  it('is the same read by action', () => {
    for (const action of taskActions) for (const state of taskStates) expect(takes(action, state), `${action} ${state}`).to.equal((statesTakenBy[action] as readonly string[]).includes(state));
  });
});

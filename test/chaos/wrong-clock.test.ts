import { expect } from 'chai';

import { profile } from './profile.js';
import { scenario } from './scenario.js';

describe('chaos: the clock of a worker', () => {
  for (const [number, name, shiftMs] of [['12a', '5 min ahead', 300_000], ['12b', '5 min behind', -300_000]] as const) {
    scenario(number, name, async (scene) => {
      const { ledger, crew, receiver } = await scene.stage({ workers: 1 });
      await crew.hire({ NODE_OPTIONS: `--import=${new URL('./preload/shift-clock.mjs', import.meta.url).href}`, SHIFT_CLOCK_MS: String(shiftMs) });
      ledger.on('/hook', ({ headers }) => ({ kind: 'answer', status: headers['x-retry-attempt'] === '0' ? 500 : 200, delayMs: 20 }));
      ledger.on('/fails', { kind: 'answer', status: 500 });
      const submittedAt = Date.now();
      await ledger.submitAll([
        ...ledger.tasks(profile.tasks, { max_retries: 3 }),
        ...ledger.tasks(20, { max_retries: 1, destination: { url: receiver.url('/fails') } }),
        ...ledger.tasks(20, { max_retries: 1, initial_delay: 3 }),
      ]);
      ledger.faultIsOver();
      // A worker with the right time runs beside it. Both go by Redis' clock, so either of them takes what the other writes
      // down as due, and at the same time.
      const measured = await ledger.settle({ withinMs: 50_000 });
      expect(measured).to.include({ delivered: profile.tasks + 20, dead: 20 });
      const perTask = new Set(receiver.requestsTo('/hook').map(({ key }) => key));
      expect(perTask.size, 'one retry each').to.equal((profile.tasks + 20) * 2);
      return { ...measured, note: `all ended ${((Date.now() - submittedAt) / 1_000).toFixed(1)} s after the submission` };
    });
  }
});

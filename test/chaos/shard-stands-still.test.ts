import { expect } from 'chai';

import { profile } from './profile.js';
import { scenario } from './scenario.js';

const TWO_REBUILDS_MS = 240_000;

describe('chaos: a shard stands still', () => {
  // test/integration/workers/shard-watchdog.test.ts is the short form, with other times.
  scenario('19', 'a worker whose loop hangs for good, though it is built anew', async (scene) => {
    const { ledger, crew, service } = await scene.stage({ workers: 0 });
    const worker = await crew.hire({ NODE_OPTIONS: `--import=${new URL('./preload/hang-on-signal.mjs', import.meta.url).href}` });
    await ledger.submitAll(ledger.tasks(profile.tasks));
    await ledger.settle();
    process.kill(worker.pid, 'SIGUSR2');
    await ledger.submitAll(ledger.tasks(profile.tasks, { max_retries: 0 }));
    await worker.hasWritten(/its worker is built anew .*queue=deliver-0/, TWO_REBUILDS_MS);
    await worker.hasWritten(/this process ends/, TWO_REBUILDS_MS);
    const toldAt = performance.now();
    expect(await worker.ended()).to.equal(1);
    const tookMs = Math.round(performance.now() - toldAt);
    ledger.faultIsOver();
    const measured = await ledger.settle({ withinMs: 60_000 });
    expect(worker.lines.filter((line) => line.includes('its worker is built anew'))).to.have.lengthOf(2);
    expect(crew.restarts).to.equal(1);
    expect(measured.delivered).to.equal(measured.acked);
    expect(ledger.requestsWithAttempts(), 'no attempt is used').to.have.lengthOf(0);
    expect(service.output).to.match(/stopping, .* why="a shard stands still"/);
    return { ...measured, note: `built anew twice, then exit code 1 after ${tookMs} ms; the next worker sent what was due` };
  }, { isLongOnly: true, longMs: 400_000 });
});

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { expect } from 'chai';

import { createReceiver, type Receiver } from '../support/receiver.js';
import { Service } from '../support/service.js';
import { httpTask, submitNew, waitForState } from '../support/tasks.js';

const SEND_MS = 1_500;

describe('e2e: the clock of a worker is set during a send', () => {
  let folder: string;
  let clockFile: string;
  let receiver: Receiver;
  let service: Service;

  beforeEach(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'clock-'));
    clockFile = path.join(folder, 'shift');
    writeFileSync(clockFile, '0');
    receiver = await createReceiver();
    receiver.on('/hook', { kind: 'answer', delayMs: SEND_MS });
    receiver.on('/down', { kind: 'answer', delayMs: SEND_MS, status: 500 });
    // The lock is shorter than the send: it has to be renewed meanwhile.
    service = await Service.start({ workers: 0, settings: { ENVIRONMENT: 'prod', LOCK_DURATION: '1s', STALL_CHECK_INTERVAL: '300ms' } });
  });
  afterEach(async () => {
    await service.close();
    await receiver.close();
    rmSync(folder, { recursive: true });
  });

  for (const [name, stepMs] of [['back by a minute', -60_000], ['forward by an hour', 3_600_000]] as const) {
    it(`${name}: durations are those of the send, and it is sent once`, async () => {
      const worker = await service.startWorker({ NODE_OPTIONS: `--import=${new URL('./preload/set-clock.mjs', import.meta.url).href}`, CLOCK_FILE: clockFile });
      const delivered = httpTask(receiver.url('/hook'));
      const { dead_destination: _none, ...parked } = httpTask(receiver.url('/down'), { on_exhausted: 'park' });
      await submitNew(service.baseUrl, delivered);
      await submitNew(service.baseUrl, parked);
      await receiver.waitForRequests(2);
      writeFileSync(clockFile, String(stepMs));
      const shown = [await waitForState(service.baseUrl, delivered.id, 'delivered'), await waitForState(service.baseUrl, parked.id, 'parked')];
      for (const { timeline } of shown) {
        expect(timeline).to.have.lengthOf(1);
        expect(timeline[0]?.duration_ms).to.be.within(SEND_MS - 100, SEND_MS + 3_000);
      }
      expect(receiver.requests).to.have.lengthOf(2);
      await worker.stop();
      expect(worker.output).to.not.include('a worker died with a task').and.not.include('lost the lock');
      const logged = worker.lines.filter((line) => line.includes('"message":"attempt"')).map((line) => (JSON.parse(line) as { duration_ms: number }).duration_ms);
      expect(logged).to.have.lengthOf(2);
      for (const ms of logged) expect(ms).to.be.within(SEND_MS - 100, SEND_MS + 3_000);
    });
  }
});

import { expect } from 'chai';

import type { ServiceProcess } from '../support/service.js';
import { Ledger } from './ledger.js';
import { profile } from './profile.js';
import { NONE_IS_KILLED, scenario, type Measured, type Scene } from './scenario.js';

const PER_SECOND = 200;
/** As a kubelet asks and a service leaves out, in short. */
const PROBE_EVERY_MS = 100;
/** The receiver is a part of this process: beside other tests its answers take seconds, and none of them may come too late. */
const LIMITS = { short: { SHUTDOWN_TIMEOUT: '25s', DELIVERY_TIMEOUT: '20s' }, long: { SHUTDOWN_TIMEOUT: '10s', DELIVERY_TIMEOUT: '5s' } };
const TIMES = { ...NONE_IS_KILLED, SHUTDOWN_DELAY: '1s', ...LIMITS[profile.name] };

describe('chaos: a rolling restart', () => {
  scenario('22', `every process is replaced ${profile.rollingUpdates === 1 ? 'once' : `${profile.rollingUpdates} times`} under ${PER_SECOND} tasks/s: no request is refused, and no task is sent twice`, replaced, { longMs: 300_000 });
});

async function replaced(scene: Scene): Promise<Measured> {
  const { service, receiver } = await scene.stage({ workers: 0, settings: TIMES });
  const balancer = new Balancer();
  scene.onClose(async () => balancer.close());
  const ledger = new Ledger(receiver, balancer);
  ledger.on('/hook', { kind: 'answer', delayMs: 50 });
  balancer.add(service.baseUrl);
  const servers: ServiceProcess[] = [service.server];
  const startServer = async (): Promise<void> => {
    servers.push(await service.startServer());
    balancer.add(service.baseUrl);
  };
  await startServer();
  let workers = [await service.startWorker(), await service.startWorker()];

  const startedAt = performance.now();
  // On a crowded machine its timers are late, and it posts less: the row says how much it was.
  const stopLoad = ledger.startLoad(PER_SECOND, () => ledger.task({ max_retries: 0 }));
  for (let round = 0; round < profile.rollingUpdates; round += 1) {
    for (const old of servers.splice(0)) {
      await startServer();
      await endWell(old);
    }
    const before = workers;
    workers = [];
    for (const old of before) {
      workers.push(await service.startWorker());
      await endWell(old);
    }
  }
  ledger.faultIsOver();
  await stopLoad();
  const perSecond = ledger.posts.length / ((performance.now() - startedAt) / 1_000);
  if (profile.name === 'long') expect(perSecond).to.be.at.least(PER_SECOND * 0.9);
  const measured = await ledger.settle({ withinMs: 60_000 });
  expect(ledger.posts.filter(({ status }) => status !== 201), 'every request is taken').to.deep.equal([]);
  expect(ledger.requestsWithAttempts(), 'no attempt is used').to.have.lengthOf(0);
  expect(measured).to.include({ delivered: measured.acked, refused: 0, lost: 0, duplicates: 0 });
  return { ...measured, note: `${Math.round(perSecond)} requests/s; ${4 * profile.rollingUpdates} processes replaced, all with exit code 0` };
}

/** What a service of Kubernetes does: it hands requests, in turn, to those that say that they are ready. */
class Balancer {
  readonly #ready = new Set<string>();
  readonly #timer: NodeJS.Timeout;
  readonly #all = new Set<string>();
  #turn = 0;

  constructor() {
    this.#timer = setInterval(() => { for (const url of this.#all) void this.#probe(url); }, PROBE_EVERY_MS);
  }

  /** One that is ready. */
  add(url: string): void {
    this.#all.add(url);
    this.#ready.add(url);
  }

  get baseUrl(): string {
    const ready = [...this.#ready];
    this.#turn += 1;
    return ready[this.#turn % ready.length] ?? 'http://127.0.0.1:9';
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #probe(url: string): Promise<void> {
    const isReady = await fetch(`${url}/readyz`).then(({ ok }) => ok, () => false);
    if (isReady) this.#ready.add(url);
    else this.#ready.delete(url);
  }
}

async function endWell(process: ServiceProcess): Promise<void> {
  expect(await process.stop(), process.output).to.equal(0);
}

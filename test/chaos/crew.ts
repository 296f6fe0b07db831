import type { Service, ServiceProcess, Settings } from '../support/service.js';

/** A supervisor: as many workers as it was told to run, one that died is started again. */
export class Crew {
  readonly #members = new Map<ServiceProcess, Settings>();
  readonly #starting = new Set<Promise<void>>();
  #isStopped = false;
  /** How often one was started again. */
  restarts = 0;

  constructor(private readonly service: Service) {}

  async hire(settings: Settings = {}): Promise<ServiceProcess> {
    const worker = await this.service.startWorker(settings);
    this.#members.set(worker, settings);
    void this.#replaceWhenDead(worker);
    return worker;
  }

  /** Those that are up. */
  get members(): readonly ServiceProcess[] {
    return [...this.#members.keys()].filter(({ isRunning }) => isRunning);
  }

  /** From now on no process is started again; resolves when those that were being started are up. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.allSettled(this.#starting);
  }

  async #replaceWhenDead(worker: ServiceProcess): Promise<void> {
    await worker.ended();
    const settings = this.#members.get(worker);
    this.#members.delete(worker);
    if (this.#isStopped) return;
    this.restarts += 1;
    const starting = this.hire(settings).then(
      () => undefined,
      () => undefined, // one that was killed before it was up is a crash like any other: the test sees what is lost
    );
    this.#starting.add(starting);
    await starting;
    this.#starting.delete(starting);
  }
}

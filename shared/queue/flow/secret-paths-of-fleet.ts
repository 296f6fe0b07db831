import { GrowingPathMask } from '../../domain/destinations/growing-path-mask.js';
import type { PathMask } from '../../domain/destinations/path-mask.js';
import { RepeatedStep } from '../../lifecycle/repeated-step.js';
import type { FlowStore } from './flow-store.js';

const LOOK_EVERY_MS = 1_000;

export interface SecretPathsOptions {
  /** SECRET_PATH_HOSTS of this process. */
  readonly own: readonly string[];
  readonly share: (own: readonly string[]) => ReturnType<FlowStore['shareSecretPathHosts']>;
  /** Called when other paths are hidden than before; not for the first read. */
  readonly onChange?: () => void;
}

/**
 * Which paths this process hides: those of its own SECRET_PATH_HOSTS, and those of every other process. So one that was started without
 * a host shows nothing that the others hide, and names its endpoints as they do. A change is known everywhere within a second or so.
 */
export class SecretPathsOfFleet {
  readonly #growing: GrowingPathMask;
  readonly #steps = new RepeatedStep(() => this.#look());
  #tellFirst: () => void = () => undefined;
  /** Resolves when the fleet's hosts have been read once. */
  readonly firstRead = new Promise<void>((resolve) => { this.#tellFirst = resolve; });
  #hasRead = false;

  constructor(private readonly options: SecretPathsOptions) {
    this.#growing = new GrowingPathMask(options.own);
  }

  get mask(): PathMask {
    return this.#growing.mask;
  }

  /** Looks at regular times from now on. */
  start(): void {
    this.#steps.start();
  }

  async stop(): Promise<void> {
    await this.#steps.stop();
  }

  /** Looks once: a process calls it before it shows or names anything. @throws when Redis fails */
  async read(): Promise<void> {
    const { own, share, onChange } = this.options;
    const hasChanged = this.#growing.use(await share(own));
    const isFirst = !this.#hasRead;
    this.#hasRead = true;
    if (isFirst) this.#tellFirst();
    else if (hasChanged) onChange?.();
  }

  async #look(): Promise<number> {
    // What failed is in the log already: see redis-watch.ts and refusal-log.ts. What is known stays in use.
    await this.read().catch(() => undefined);
    return LOOK_EVERY_MS;
  }
}

import { hiddenName } from '../../shared/domain/destinations/http.js';
import type { PathMask } from '../../shared/domain/destinations/path-mask.js';
import { RequestError } from '../../shared/domain/errors.js';
import { spelledNow } from '../../shared/domain/flow/flow-key.js';
import { SealedTextError, type SecretBox } from '../../shared/domain/secrets/secret-box.js';
import type { Logger } from '../../shared/logging/logger.js';
import { printError } from '../../shared/logging/print-error.js';
import { lastSetAt, resealed, type StoredCredentials } from '../../shared/queue/credentials/stored-credentials.js';
import type { FleetStores } from '../../shared/queue/tasks/fleet-stores.js';
import type { FleetSettings } from './fleet-settings.js';

export interface HiddenNamesOptions {
  readonly fleet: Pick<FleetStores, 'withFlow' | 'withCredentials'>;
  /** Which brokers the workers take for the default cluster. */
  readonly fleetSettings: Pick<FleetSettings, 'view'>;
  readonly mask: PathMask;
  readonly secrets: SecretBox;
  readonly logger: Logger;
}

/**
 * By then every process hides the same paths, ms. Before that one would look for a pause under the open name. Those that hide the path
 * already find it under both.
 */
const MOVED_AFTER_MS = 3_000;
const AGAIN_AFTER_MS = 5_000;

/**
 * What is stored under the open path of an endpoint goes to its hidden name, once SECRET_PATH_HOSTS hides it: a pause, limits and
 * credentials have to hold on, and nobody could name the old place any more. So do limits and a pause that an earlier version has stored
 * under a spelling that is none any more, such as `kafka://default/`.
 */
export class HiddenNames {
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(private readonly options: HiddenNamesOptions) {}

  /** Other paths are hidden now. */
  moveSoon(): void {
    this.#moveIn(MOVED_AFTER_MS);
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  #moveIn(ms: number): void {
    clearTimeout(this.#timer);
    if (!this.#isStopped) this.#timer = setTimeout(() => void this.#move(), ms).unref();
  }

  async #move(): Promise<void> {
    try {
      await this.#movePolicies();
      await this.#moveCredentials();
    } catch (error) {
      // Why Redis does not answer is in the log: see redis-watch.ts and refusal-log.ts.
      if (!(error instanceof RequestError)) this.options.logger.warn('limits, pauses and credentials of names that are hidden or spelled otherwise now could not be moved to what they are called now', { error: printError(error) });
      this.#moveIn(AGAIN_AFTER_MS);
    }
  }

  async #movePolicies(): Promise<void> {
    const { fleet, fleetSettings, mask, logger } = this.options;
    const { changes } = await fleet.withFlow((store) => store.changesSince(-1));
    const { defaultBrokers } = await fleetSettings.view();
    for (const { kind, name } of changes) {
      if (kind !== 'policy') continue;
      const now = spelledNow(name, { defaultBrokers, mask });
      if (now === name || !(await fleet.withFlow((store) => store.movePolicy(name, now)))) continue;
      // The old name may hold a secret, so it is not logged.
      if (hiddenName(name, mask) === name) logger.info('limits and pause of a name go to what it is called now', { destination: now });
      else logger.info('limits and pause of a path that is hidden now go to its hidden name', { destination: now });
    }
  }

  async #moveCredentials(): Promise<void> {
    const { fleet, logger } = this.options;
    const { stored = [] } = await fleet.withCredentials((store) => store.read());
    const byKey = new Map(stored.map((each) => [each.key, each] as const));
    for (const before of stored) {
      const hidden = hiddenName(before.key, this.options.mask);
      if (hidden === before.key) continue;
      const there = byKey.get(hidden);
      // The later decision holds.
      if (there === undefined || lastSetAt(there) < lastSetAt(before)) {
        const after = this.#resealed(before, hidden);
        if (after === undefined) continue;
        // The copy first: between the two changes a worker finds both, and both say the same.
        if ((await fleet.withCredentials((store) => store.change(there, after, stored.length + 1))) !== 'done') continue;
      }
      await fleet.withCredentials((store) => store.change(before, { key: before.key, members: {} }, stored.length + 1));
      logger.info('credentials of a path that is hidden now go to its hidden name', { destination: hidden });
    }
  }

  /** What this API cannot decrypt stays where it is: workers find it there, too. */
  #resealed(before: StoredCredentials, key: string): StoredCredentials | undefined {
    try {
      return resealed(before, key, this.options.secrets);
    } catch (error) {
      if (error instanceof SealedTextError) return undefined;
      throw error;
    }
  }
}

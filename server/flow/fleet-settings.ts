import { RequestError } from '../../shared/domain/errors.js';
import { readReportHead } from '../../shared/domain/flow/flow-report.js';
import { compareFacts, factsOf, settingsInForce, type FactDifference, type SettingsInForce, type SharedSettings } from '../../shared/domain/flow/worker-facts.js';
import type { Logger } from '../../shared/logging/logger.js';
import { withinLimit } from '../../shared/lifecycle/time-limit.js';
import type { WorkerReport } from '../../shared/queue/flow/flow-store.js';
import type { FleetStores } from '../../shared/queue/tasks/fleet-stores.js';

/** A worker's settings change only when it starts, so an answer may be used for this long, ms. */
const GOOD_FOR_MS = 2_000;
/** How long an answer that needs only settings waits for the reports, ms, when it knows those of the last time. LastFlow reads them every 5 s. */
const KNOWN_LIMIT_MS = 150;
/** The same until they are read for the first time: the answer has a second for all that it asks. */
const FIRST_LIMIT_MS = 400;

export interface FleetSettingsOptions {
  readonly fleet: Pick<FleetStores, 'withFlow'>;
  /** The facts of this API. */
  readonly own: SharedSettings;
  readonly logger: Logger;
}

/** What the workers report about their settings. */
export interface FleetView extends SettingsInForce {
  /** It is empty when all workers and this API agree. */
  readonly differences: readonly FactDifference[];
  /** How often a worker of a shard hung and was built anew, summed over the workers that report. */
  readonly rebuilds: number;
  /** Room for sends in all workers that report. */
  readonly slots: number;
}

/**
 * The settings that tasks are really sent by: the workers report them. Without a worker, they are this API's own.
 * Differences are logged once per change: LastFlow, which looks at regular times, hands over what it reads, so the log tells of them even
 * when no request comes.
 */
export class FleetSettings {
  #view: Promise<FleetView> | undefined;
  #readAt = 0;
  #lastKnown: SettingsInForce;
  #isKnown = false;
  #logged = '';

  constructor(private readonly options: FleetSettingsOptions) {
    this.#lastKnown = settingsInForce(options.own, []);
  }

  /** The answer is at most 2 s old. @throws RequestError redis_unavailable when Redis does not answer */
  view(): Promise<FleetView> {
    const isGood = performance.now() - this.#readAt < GOOD_FOR_MS;
    return isGood && this.#view !== undefined ? this.#view : this.learn(this.options.fleet.withFlow((store) => store.reports()));
  }

  /** Takes reports that are being read. They may fail: then who asks next reads again. @returns what they say, or their failure */
  learn(reports: Promise<readonly WorkerReport[]>): Promise<FleetView> {
    this.#readAt = performance.now();
    const view = this.#viewOf(reports);
    this.#view = view;
    view.catch(() => {
      if (this.#view === view) this.#view = undefined;
    });
    return view;
  }

  /**
   * The settings for an answer that shows what is known: where the reports cannot be read within `limitMs`, those of the last time,
   * at first this API's own. Not for a change: it would be written under a name that no worker heeds. It takes `view`.
   * @throws a bug of ours
   */
  async lastKnown(limitMs: number): Promise<SettingsInForce> {
    try {
      return await withinLimit(this.view(), limitMs, () => new RequestError('redis_unavailable', `no answer within ${limitMs} ms`));
    } catch (error) {
      if (error instanceof RequestError) return this.#lastKnown; // its cause is in the log: see redis-watch.ts and refusal-log.ts
      throw error;
    }
  }

  /**
   * The settings for an answer about tasks, which can be read without the reports: on a cluster these stand in one slot, whose node may
   * be away alone. Then those of the last time count, at first this API's own. Not for a change, as above. It takes 0.15 s at most, or 0.4 s
   * until they have been read once.
   * @throws a bug of ours
   */
  inForce(): Promise<SettingsInForce> {
    return this.lastKnown(this.#isKnown ? KNOWN_LIMIT_MS : FIRST_LIMIT_MS);
  }

  async #viewOf(reports: Promise<readonly WorkerReport[]>): Promise<FleetView> {
    const { own } = this.options;
    // A report that has lapsed belongs to a worker that is about to count as gone.
    const read = (await reports).flatMap(({ report }) => (report === undefined ? [] : [readReportHead(report)]));
    const workers = read.map(({ facts }) => facts);
    const differences = compareFacts(factsOf(own), workers);
    this.#log(differences);
    const inForce = settingsInForce(own, workers);
    this.#lastKnown = inForce;
    this.#isKnown = true;
    return { ...inForce, differences, rebuilds: read.reduce((sum, { rebuilds }) => sum + rebuilds, 0), slots: read.reduce((sum, { slots }) => sum + (slots?.total ?? 0), 0) };
  }

  #log(differences: readonly FactDifference[]): void {
    const text = differences.map(printDifference).join('; ');
    if (text === this.#logged) return;
    this.#logged = text;
    if (text === '') this.options.logger.info('workers and this API go by the same settings again');
    else this.options.logger.warn('workers and this API go by different settings: names and states are shown as most workers have them', {
      differences: text,
      ...(differences.some(({ name }) => name === 'SECRET_PATH_HOSTS') && { secret_path_hosts: 'every process hides the paths of all these hosts' }),
    });
  }
}

/** `FLOW_CIRCUIT: off (2 workers), on (this API)` */
function printDifference({ name, values }: FactDifference): string {
  const printed = values.map(({ value, workers, isOwn }) => {
    const holders = [...(workers === 0 ? [] : [workers === 1 ? '1 worker' : `${workers} workers`]), ...(isOwn ? ['this API'] : [])];
    return `${value === undefined ? 'not reported' : value === '' ? 'none' : value} (${holders.join(' and ')})`;
  });
  return `${name}: ${printed.join(', ')}`;
}

/** For GET /stats. */
export function toWireWorkerFacts(differences: readonly FactDifference[]): object {
  return {
    is_agreed: differences.length === 0,
    differences: differences.map(({ name, values }) => ({ name, values: values.map(({ value, workers, isOwn }) => ({ value: value ?? null, workers, is_own: isOwn })) })),
  };
}

import { destinationTypeNames, type DestinationType } from '../../shared/domain/destinations/destination.js';
import type { RequestErrorCode } from '../../shared/domain/request-errors.js';
import { httpMethods, refusalCodes } from '../../shared/telemetry/metric-rows.js';
import type { Metrics } from '../../shared/telemetry/metrics.js';
import type { Counted, Distribution } from '../../shared/telemetry/series.js';
import type { AnswerTiming } from '../http/request-pipeline.js';

/** A request that belongs to no row of the route table, or has a method that no row has. */
const OTHER = 'other';
/** The client went away before an answer began. */
const NO_STATUS = 'none';

/** Counts what this API process does. */
export class ApiMetrics {
  readonly #created: Readonly<Record<DestinationType, Counted>>;
  readonly #stalled: Counted;
  readonly #requests = new Map<string, Distribution>();
  readonly #routes: ReadonlySet<string>;

  /** @param routes the metric labels of the route table: no other label is ever exported */
  constructor(
    private readonly metrics: Metrics,
    routes: readonly string[],
  ) {
    this.#routes = new Set(routes);
    this.#stalled = metrics.counter('kafka_retry_tasks_stalled_total', {});
    // Every type of the list is in it, and fromEntries has no type for that.
    this.#created = Object.fromEntries(destinationTypeNames.map((type) => [type, metrics.counter('kafka_retry_tasks_created_total', { destination_type: type })])) as Record<DestinationType, Counted>;
  }

  /** Tasks that a killed worker held and that this process has given back: it stands in for a second worker. */
  stalled(tasks: number): void {
    this.#stalled.value += tasks;
  }

  created(type: DestinationType): void {
    this.#created[type].value += 1;
  }

  readonly answered = ({ metricLabel, method, status, durationMs }: AnswerTiming): void => {
    const key = `${method} ${metricLabel} ${status ?? ''}`;
    let durations = this.#requests.get(key);
    if (durations === undefined) {
      durations = this.metrics.histogram('kafka_retry_http_request_duration_seconds', this.#labelsOf(metricLabel, method, status));
      // A client chooses the method, so what has another one than ours is looked up anew each time.
      if (isOurs(method)) this.#requests.set(key, durations);
    }
    durations.observe(durationMs / 1_000);
  };

  /** From now on each scrape shows how many requests were refused. */
  showRefusals(counts: ReadonlyMap<RequestErrorCode, number>): void {
    const series = refusalCodes.map((code) => [code, this.metrics.counter('kafka_retry_requests_refused_total', { code })] as const);
    this.metrics.onScrape(() => {
      for (const [code, counted] of series) counted.value = counts.get(code) ?? 0;
    });
  }

  #labelsOf(label: string, method: string, status: number | null): { method: (typeof httpMethods)[number]; route: string; status: string } {
    return { method: isOurs(method) ? method : OTHER, route: this.#routes.has(label) ? label : OTHER, status: status === null ? NO_STATUS : String(status) };
  }
}

function isOurs(method: string): method is (typeof httpMethods)[number] {
  const methods: readonly string[] = httpMethods;
  return method !== OTHER && methods.includes(method);
}

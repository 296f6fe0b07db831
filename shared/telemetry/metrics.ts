import { collectDefaultMetrics, Registry, type Metric } from 'prom-client';
import { metricRow, metricsOf, type LabelsOf, type MetricName, type MetricRow, type MetricSource, type NameOf } from './metric-rows.js';
import { combinations, Distribution, type Counted } from './series.js';

type Labels = Readonly<Record<string, string>>;

/** One line of the text: a value, and the name if it is not that of the metric. */
interface Sample {
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/** Gauges of prom-client whose names say that they count: promtool refuses them. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

/**
 * The metrics of one process: the rows of metric-rows.ts that it exports, and those of Node that prom-client has. The counting is done
 * here, in memory, and prom-client prints the text.
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly #series = new Map<MetricName, SeriesOf>();
  readonly #collectors: (() => void | Promise<void>)[] = [];

  constructor(readonly source: MetricSource) {
    for (const name of metricsOf(source)) {
      const series = new SeriesOf(name, metricRow(name));
      this.#series.set(name, series);
      // prom-client asks a metric for its name and its values, and for nothing else. Its types name only its own classes.
      this.#registry.registerMetric(series as unknown as Metric);
    }
  }

  /** Adds what Node itself measures: CPU, memory, the event loop. It belongs to the whole process, so it is asked for once, by main.ts. */
  addProcess(): void {
    collectDefaultMetrics({ register: this.#registry });
    for (const name of MISNAMED) this.#registry.removeSingleMetric(name);
  }

  /** The series of these labels, to be kept: `series.value += 1` is all that counting costs. @throws Error for a metric of another process */
  counter<N extends NameOf<'counter'>>(name: N, labels: LabelsOf<N>): Counted {
    return this.#of(name).counted(plain(labels));
  }

  /** The series of these labels, to be kept. @throws Error for a metric of another process */
  histogram<N extends NameOf<'histogram'>>(name: N, labels: LabelsOf<N>): Distribution {
    return this.#of(name).distribution(plain(labels));
  }

  /** Replaces all series of a gauge. @throws Error for a metric of another process */
  setGauge<N extends NameOf<'gauge'>>(name: N, values: readonly (readonly [labels: LabelsOf<N>, value: number])[]): void {
    this.#of(name).replace(values.map(([labels, value]) => [plain(labels), value]));
  }

  /** @param collect called before each scrape, which waits for it. It must not fail */
  onScrape(collect: () => void | Promise<void>): void {
    this.#collectors.push(collect);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The text of a scrape. */
  async text(): Promise<string> {
    for (const collect of this.#collectors) await collect();
    return this.#registry.metrics();
  }

  #of(name: MetricName): SeriesOf {
    const series = this.#series.get(name);
    if (series === undefined) throw new Error(`${name} is not exported by this process (${this.source})`);
    return series;
  }
}

function plain<N extends MetricName>(labels: LabelsOf<N>): Labels {
  // Every value is a text, which the compiler does not see while the metric is not known.
  return labels as Labels;
}

/** All series of one metric, in the form in which prom-client asks for them. */
class SeriesOf {
  readonly help: string;
  readonly type: MetricRow['kind'];
  readonly #bounds: readonly number[];
  readonly #counted = new Map<string, { readonly labels: Labels; readonly counted: Counted }>();
  readonly #distributions = new Map<string, { readonly labels: Labels; readonly distribution: Distribution }>();

  constructor(
    readonly name: MetricName,
    { kind, help, buckets = [], labels }: MetricRow,
  ) {
    this.help = help;
    this.type = kind;
    this.#bounds = buckets;
    // A gauge has a series only while its value is known, and of an open label the values are not known before.
    const closed = Object.entries(labels).flatMap(([label, values]) => ('bounded' in values ? [] : [[label, values] as const]));
    if (kind === 'gauge' || closed.length < Object.keys(labels).length) return;
    for (const combination of combinations(Object.fromEntries(closed))) {
      if (kind === 'counter') this.counted(combination);
      else this.distribution(combination);
    }
  }

  counted(labels: Labels): Counted {
    const key = keyOf(labels);
    const known = this.#counted.get(key) ?? { labels, counted: { value: 0 } };
    this.#counted.set(key, known);
    return known.counted;
  }

  distribution(labels: Labels): Distribution {
    const key = keyOf(labels);
    const known = this.#distributions.get(key) ?? { labels, distribution: new Distribution(this.#bounds) };
    this.#distributions.set(key, known);
    return known.distribution;
  }

  replace(values: readonly (readonly [Labels, number])[]): void {
    this.#counted.clear();
    for (const [labels, value] of values) this.counted(labels).value = value;
  }

  async get(): Promise<{ readonly name: string; readonly help: string; readonly type: string; readonly values: readonly Sample[] }> {
    const { name, help, type } = this;
    const counted = [...this.#counted.values()].map(({ labels, counted: { value } }) => ({ labels, value }));
    return { name, help, type, values: [...counted, ...[...this.#distributions.values()].flatMap((each) => samplesOf(name, each))] };
  }
}

function keyOf(labels: Labels): string {
  return Object.keys(labels).sort().map((name) => labels[name]).join('\n');
}

function samplesOf(name: string, { labels, distribution: { bounds, counts, sum } }: { readonly labels: Labels; readonly distribution: Distribution }): Sample[] {
  let below = 0;
  const buckets = counts.map((count, bucket) => ({ metricName: `${name}_bucket`, labels: { ...labels, le: bounds[bucket] ?? '+Inf' }, value: (below += count) }));
  return [...buckets, { metricName: `${name}_sum`, labels, value: sum }, { metricName: `${name}_count`, labels, value: below }];
}

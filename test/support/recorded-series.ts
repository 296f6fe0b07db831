import type { Scrape } from './scrape.js';

/** What one metric told at each scrape; undefined: its process did not answer. */
export class RecordedSeries {
  readonly #values = new Map<string, (number | undefined)[]>();
  #scrapes = 0;

  /** @param names of metrics that are kept. @param scrapes by `instance`; undefined: it did not answer */
  constructor(private readonly names: readonly string[]) {}

  take(scrapes: ReadonlyMap<string, Scrape | undefined>): void {
    for (const [instance, scrape] of scrapes) {
      for (const [series, value] of scrape?.series ?? []) {
        const [name = '', labels = ''] = series.split(/[{}]/);
        if (!this.names.includes(name)) continue;
        const key = `${name}{${[`instance="${instance}"`, labels].filter((part) => part !== '').join(',')}}`;
        const values = this.#values.get(key) ?? Array<undefined>(this.#scrapes).fill(undefined);
        values.push(value);
        this.#values.set(key, values);
      }
    }
    this.#scrapes += 1;
    for (const values of this.#values.values()) if (values.length < this.#scrapes) values.push(undefined);
  }

  /** As `input_series` of promtool, in the order of their names. */
  get inputs(): readonly { readonly series: string; readonly values: string }[] {
    return [...this.#values].sort(([a], [b]) => (a < b ? -1 : 1)).map(([series, values]) => ({ series, values: printValues(values) }));
  }
}

/**
 * In the notation of promtool: 1, 1, 1, nothing, nothing, 0.25 -> `1x2 stale _ 0.25`. Prometheus marks a series as stale at the first scrape
 * that does not have it.
 */
export function printValues(values: readonly (number | undefined)[]): string {
  const parts: string[] = [];
  for (let at = 0; at < values.length; ) {
    const value = values[at];
    let end = at + 1;
    while (end < values.length && values[end] === value) end += 1;
    const times = end - at;
    if (value !== undefined) parts.push(times === 1 ? printNumber(value) : `${printNumber(value)}x${times - 1}`);
    else if (at === 0) parts.push(`_x${times}`);
    else parts.push(times === 1 ? 'stale' : `stale _x${times - 1}`);
    at = end;
  }
  return parts.join(' ');
}

function printNumber(value: number): string {
  return String(Number(value.toFixed(6)));
}

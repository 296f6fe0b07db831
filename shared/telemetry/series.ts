/** One series of a counter. It is counted in the hot path, by `series.value += 1`: a call of the library costs 20 times as much. */
export interface Counted {
  value: number;
}

/** One series of a histogram. */
export class Distribution {
  /** How often a value fell into each bucket; the last one is above all bounds. */
  readonly counts: number[];
  sum = 0;

  /** @param bounds upper bounds, which belong to their buckets; the smallest first */
  constructor(readonly bounds: readonly number[]) {
    this.counts = new Array<number>(bounds.length + 1).fill(0);
  }

  observe(value: number): void {
    const { bounds, counts } = this;
    let bucket = 0;
    // Most values belong into one of the first buckets.
    while (bucket < bounds.length && value > (bounds[bucket] ?? Infinity)) bucket += 1;
    counts[bucket] = (counts[bucket] ?? 0) + 1;
    this.sum += value;
  }
}

/** All combinations of the values of closed labels: `{a: ['1', '2'], b: ['x']}` -> `[{a: '1', b: 'x'}, {a: '2', b: 'x'}]`. */
export function combinations(labels: Readonly<Record<string, readonly string[]>>): Record<string, string>[] {
  return Object.entries(labels).reduce<Record<string, string>[]>((all, [name, values]) => all.flatMap((chosen) => values.map((value) => ({ ...chosen, [name]: value }))), [{}]);
}

/** One measured side of a pair, a value per round. */
export interface Series {
  readonly name: string;
  readonly values: number[];
}

export interface Comparison {
  readonly figure: string;
  readonly unit: string;
  readonly product: Series;
  readonly baseline: Series;
  /** Lowest ratio that the design accepts. */
  readonly bar: number;
}

export interface Summary {
  readonly figure: string;
  readonly unit: string;
  readonly product: number;
  readonly baseline: string;
  readonly baselineValue: number;
  readonly ratio: number;
  readonly ratios: readonly number[];
  readonly bar: number;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}

/** The ratio is the median of the rounds' own ratios: both sides of a round met the same machine. */
export function summarize({ figure, unit, product, baseline, bar }: Comparison): Summary {
  const ratios = product.values.map((value, index) => value / (baseline.values[index] ?? NaN));
  return { figure, unit, product: median(product.values), baseline: baseline.name, baselineValue: median(baseline.values), ratio: median(ratios), ratios, bar };
}

export function printTable(summaries: readonly Summary[]): string {
  const head = ['figure', 'product', 'baseline', 'value', 'ratio', 'lowest..highest', 'bar'];
  const rows = summaries.map(({ figure, unit, product, baseline, baselineValue, ratio, ratios, bar }) => [
    figure,
    `${Math.round(product)} ${unit}`,
    baseline,
    `${Math.round(baselineValue)} ${unit}`,
    ratio.toFixed(2),
    `${Math.min(...ratios).toFixed(2)}..${Math.max(...ratios).toFixed(2)}`,
    `${bar.toFixed(2)} ${ratio >= bar ? 'met' : 'MISSED'}`,
  ]);
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const print = (row: readonly string[]): string => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [print(head), `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`, ...rows.map(print)].join('\n');
}

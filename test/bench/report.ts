import { median } from './percentile.js';

/** One measured side of a pair, a value per round. */
export interface Series {
  readonly name: string;
  readonly values: number[];
}

export interface Comparison {
  readonly figure: string;
  readonly unit: string;
  readonly product: Series;
  /** Measured in the same rounds. Left out: the figure stands alone. */
  readonly baseline?: Series;
  /** Lowest ratio that the design accepts. */
  readonly bar?: number;
  /** Highest ratio that it accepts, where less is better. */
  readonly highestRatio?: number;
  /** Highest value that it accepts, in `unit`. */
  readonly limit?: number;
  /** Lowest value that it accepts, in `unit`. */
  readonly least?: number;
  /** A value above `limit` is accepted too while its ratio is not above this: a slow machine needs longer for both sides. */
  readonly limitOrRatio?: number;
}

/** A comparison with its verdict, as it stands in the JSON file. */
export interface Summary {
  readonly figure: string;
  readonly unit: string;
  /** Median of the rounds. */
  readonly product: number;
  readonly productValues: readonly number[];
  readonly baseline?: { readonly name: string; readonly value: number; readonly values: readonly number[] };
  /** Median of the rounds' own ratios, since both sides of a round met the same machine. */
  readonly ratio?: number;
  readonly ratios?: readonly number[];
  readonly bar?: { readonly text: string; readonly isMet: boolean };
}

export function summarize(comparison: Comparison): Summary {
  const { figure, unit, product, baseline } = comparison;
  const value = median(product.values);
  const ratios = baseline === undefined ? [] : product.values.map((each, index) => each / (baseline.values[index] ?? NaN));
  const ratio = median(ratios);
  const bar = judge(comparison, value, ratio);
  return {
    figure,
    unit,
    product: value,
    productValues: product.values,
    ...(baseline === undefined ? {} : { baseline: { name: baseline.name, value: median(baseline.values), values: baseline.values }, ratio, ratios }),
    ...(bar === undefined ? {} : { bar }),
  };
}

function judge({ unit, bar, highestRatio, limit, least, limitOrRatio }: Comparison, value: number, ratio: number): Summary['bar'] {
  const verdicts = [
    ...(bar === undefined ? [] : [{ text: `>= ${bar.toFixed(2)}`, isMet: ratio >= bar }]),
    ...(highestRatio === undefined ? [] : [{ text: `<= ${highestRatio.toFixed(2)}`, isMet: ratio <= highestRatio }]),
    ...(limit === undefined ? [] : [judgeLimit(limit, limitOrRatio, unit, value, ratio)]),
    ...(least === undefined ? [] : [{ text: `>= ${printValue(least, unit)}`, isMet: value >= least }]),
  ];
  if (verdicts.length === 0) return undefined;
  return { text: verdicts.map(({ text }) => text).join(', '), isMet: verdicts.every(({ isMet }) => isMet) };
}

function judgeLimit(limit: number, orRatio: number | undefined, unit: string, value: number, ratio: number): { text: string; isMet: boolean } {
  const text = `<= ${printValue(limit, unit)}`;
  if (orRatio === undefined) return { text, isMet: value <= limit };
  return { text: `${text} or ratio <= ${orRatio.toFixed(2)}`, isMet: value <= limit || ratio <= orRatio };
}

const HEAD = ['figure', 'service', 'lowest..highest', 'beside', 'value', 'ratio', 'lowest..highest', 'bar'];

/** A Markdown table, padded so that it is readable in a terminal too. */
export function printTable(summaries: readonly Summary[]): string {
  const rows = summaries.map(({ figure, unit, product, productValues, baseline, ratio, ratios = [], bar }) => [
    figure,
    printValue(product, unit),
    printSpread(productValues, printNumber),
    baseline?.name ?? '',
    baseline === undefined ? '' : printValue(baseline.value, unit),
    ratio === undefined ? '' : printRatio(ratio),
    printSpread(ratios, printRatio),
    bar === undefined ? '' : `${bar.text} ${bar.isMet ? 'met' : '**MISSED**'}`,
  ]);
  const widths = HEAD.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const print = (row: readonly string[]): string => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [print(HEAD), `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`, ...rows.map(print)].join('\n');
}

function printSpread(values: readonly number[], print: (value: number) => string): string {
  // One round has no spread.
  return values.length < 2 ? '' : `${print(Math.min(...values))}..${print(Math.max(...values))}`;
}

function printRatio(ratio: number): string {
  return ratio.toFixed(ratio < 0.1 ? 3 : 2);
}

function printValue(value: number, unit: string): string {
  return unit === '/s' ? `${printNumber(value)}/s` : `${printNumber(value)} ${unit}`;
}

function printNumber(value: number): string {
  // Two digits of what is below 1: 0.017 us would read as nothing at all.
  if (Math.abs(value) < 1) return value.toLocaleString('en-US', { maximumSignificantDigits: 2 });
  return value.toLocaleString('en-US', { maximumFractionDigits: Math.abs(value) < 100 ? 1 : 0 });
}

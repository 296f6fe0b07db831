/** Values by the names of their columns. */
export type Row = Readonly<Record<string, unknown>>;

export interface TableRules {
  /** Lines are cut to this width; undefined: they are not cut. */
  readonly columns: number | undefined;
  readonly hasHead: boolean;
  /** In this order; the default is the order of the first row. */
  readonly names?: readonly string[];
  /** Of the columns; the default is what the rows need. */
  readonly widths?: readonly number[] | undefined;
  /** `2026-11-30`, in UTC: of an instant of this day the time is shown alone. */
  readonly today?: string | undefined;
}

const GAP = '  ';
/** A longer cell would push all others out of sight. */
const WIDEST_CELL = 60;

/** Rows under each other, two spaces between the columns, a line break behind each. */
export function printTable(rows: readonly Row[], { columns, hasHead, names = Object.keys(rows[0] ?? {}), widths, today }: TableRules): string {
  const cells = rows.map((row) => names.map((name) => withoutDay(printCell(row[name]), today)));
  const lines = hasHead ? [names.map((name) => name.toUpperCase()), ...cells] : cells;
  const wide = names.map((_, nth) => widths?.[nth] ?? Math.min(WIDEST_CELL, Math.max(...lines.map((line) => lengthOf(line[nth])))));
  return lines.map((line) => `${cut(line.map((cell, nth) => (nth === line.length - 1 ? cell : cell.padEnd(wide[nth] ?? 0))).join(GAP), columns)}\n`).join('');
}

/**
 * Those of the columns that have room in a terminal, in their order: the first one, and each further one that fits beside those before it. Columns are dropped whole, because
 * half a value may be read as another one.
 */
export function columnsThatFit<Name extends string>(rows: readonly Row[], names: readonly Name[], columns: number | undefined, today?: string): readonly Name[] {
  if (columns === undefined) return names;
  let used = -GAP.length;
  return names.filter((name, nth) => {
    const width = Math.min(WIDEST_CELL, Math.max(name.length, ...rows.map((row) => lengthOf(withoutDay(printCell(row[name]), today)))));
    if (nth > 0 && used + GAP.length + width > columns) return false;
    used += GAP.length + width;
    return true;
  });
}

/** Whether an instant of another day than `today` has no room in its column, which was made for the time alone. */
export function outgrows(rows: readonly Row[], { names, widths, today }: { readonly names: readonly string[]; readonly widths: readonly number[]; readonly today: string }): boolean {
  return rows.some((row) => names.some((name, nth) => {
    const text = withoutDay(printCell(row[name]), today);
    return INSTANT.test(text) && lengthOf(text) > (widths[nth] ?? Infinity);
  }));
}

const INSTANT = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?Z$/;

/** `2026-11-30T13:00:58.120Z` -> `13:00:58Z` */
function withoutDay(text: string, today: string | undefined): string {
  const [, day, time] = INSTANT.exec(text) ?? [];
  return day === undefined || day !== today ? text : `${time}Z`;
}

/**
 * Text of one value: `{"rate":5,"burst":null}` -> `rate=5`, `["a","b"]` -> `a, b`; nothing is `-`. Programs read `--output json`.
 *
 * Nothing that a client has chosen may move the cursor of a terminal: control characters are shown.
 */
function printCell(value: unknown): string {
  return printValue(value).replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
}

function printValue(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? '-' : value.map(printPart).join(', ');
  if (typeof value !== 'object' || value === null) return printPart(value);
  // A group of what has no value is a group like the others.
  const members = Object.entries(value).filter(([name, each]) => name === 'value' || (each !== null && each !== undefined));
  return members.length === 0 ? '-' : members.map(([name, each]) => `${name}=${printPart(each)}`).join(' ');
}

function printPart(value: unknown): string {
  if (value === null || value === undefined) return '-';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function cut(line: string, columns: number | undefined): string {
  const trimmed = line.trimEnd();
  if (columns === undefined || columns < 10 || lengthOf(trimmed) <= columns) return trimmed;
  return `${[...trimmed].slice(0, columns - 1).join('')}\u2026`;
}

function lengthOf(text: string | undefined): number {
  return [...(text ?? '')].length;
}

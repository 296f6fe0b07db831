import type { Writable } from 'node:stream';
import type { Progress } from './progress.js';
import { columnsThatFit, outgrows, printTable, type Row } from './table.js';

export const outputForms = ['table', 'json', 'ndjson'] as const;
export type OutputForm = (typeof outputForms)[number];

/** Rows of a table are printed when so many have come, so that their columns have one width. */
const ROWS_AT_ONCE = 100;
/** Rows that come slowly are not waited for any longer. */
const PRINT_AFTER_MS = 200;

/**
 * Writes data, and nothing else, to standard output. What is said to a person goes to standard error.
 *
 * | form | one object | a list |
 * |---|---|---|
 * | `table` | a line for each field, and for each part of a list in it | a line for each row |
 * | `json` | the object | an array, which is closed also when the list ends early |
 * | `ndjson` | a line | a line for each item |
 */
export class Output {
  constructor(
    private readonly stream: Writable,
    readonly form: OutputForm,
    /** Columns that do not fit in this width are left out, and rows are cut to it; undefined: it is no terminal. */
    private readonly columns: number | undefined,
    private readonly signal: AbortSignal,
    /** Aborts when nothing can be written any more. What is written then, by a command that goes on, goes nowhere. */
    private readonly ended: AbortSignal,
    /** Goes away before something is written: both may be on one screen. */
    private readonly progress: Progress,
    /** Tells a person something that is no data. */
    private readonly tell: (text: string) => void = () => undefined,
  ) {}

  async object(value: object): Promise<void> {
    // Lines are not cut here, because what is behind the edge of the terminal could not be seen in another way.
    if (this.form === 'table') return this.#write(printTable(Object.entries(value).flatMap(fieldRows), { columns: undefined, hasHead: false }));
    return this.#write(`${this.form === 'json' ? JSON.stringify(value, undefined, 2) : JSON.stringify(value)}\n`);
  }

  /** @param columns the fields that a table shows */
  async list<T extends object>(items: AsyncIterable<T> | Iterable<T>, columns: readonly (keyof T & string)[]): Promise<number> {
    switch (this.form) {
      case 'ndjson':
        return this.#each(items, (item) => `${JSON.stringify(item)}\n`);
      case 'json':
        return this.#array(items);
      case 'table':
        return this.#table(items, columns);
    }
  }

  /** A text as it is, such as a line of NDJSON whatever the form is. */
  async text(text: string): Promise<void> {
    return this.#write(text);
  }

  /** Waits until all has been written, or cannot be. */
  async flush(): Promise<void> {
    if (!this.ended.aborted) await new Promise<void>((resolve) => { this.stream.write('', () => resolve()); });
    // The event that says why comes behind the answer to the write.
    await new Promise((resolve) => { setImmediate(resolve); });
  }

  async #each<T>(items: AsyncIterable<T> | Iterable<T>, print: (item: T) => string): Promise<number> {
    let count = 0;
    for await (const item of items) {
      await this.#write(print(item));
      count += 1;
    }
    return count;
  }

  async #array<T>(items: AsyncIterable<T> | Iterable<T>): Promise<number> {
    let count = 0;
    try {
      await this.#write('[');
      for await (const item of items) {
        await this.#write(`${count === 0 ? '\n' : ',\n'}${JSON.stringify(item)}`);
        count += 1;
      }
      return count;
    } finally {
      // A parser must be able to read what came before a failure or Ctrl-C.
      if (!this.ended.aborted) this.stream.write(count === 0 ? ']\n' : '\n]\n');
    }
  }

  async #table<T extends object>(items: AsyncIterable<T> | Iterable<T>, columns: readonly (keyof T & string)[]): Promise<number> {
    let count = 0;
    let rows: Row[] = [];
    let widths: readonly number[] | undefined;
    let names = columns;
    let timer: NodeJS.Timeout | undefined;
    const print = async (): Promise<void> => {
      clearTimeout(timer);
      // A list that goes on may see the next day.
      const today = this.columns === undefined ? undefined : new Date().toISOString().slice(0, 10);
      // Rows of another day, behind such of today alone, begin anew: in their column they would push all others aside.
      if (widths !== undefined && today !== undefined && outgrows(rows, { names, widths, today })) widths = undefined;
      if (widths === undefined) {
        names = columnsThatFit(rows, columns, this.columns, today);
        const left = columns.filter((name) => !names.includes(name));
        if (left.length > 0) this.tell(`no room for ${left.join(', ')}: a wider terminal or --output ndjson shows ${left.length === 1 ? 'it' : 'them'}`);
      }
      const table = printTable(rows, { columns: this.columns, hasHead: widths === undefined, names, widths, today });
      widths ??= widthsOf(table);
      rows = [];
      await this.#write(table);
    };
    try {
      for await (const item of items) {
        // Only the fields that are shown are kept.
        rows.push(Object.fromEntries(columns.map((name) => [name, item[name]])));
        count += 1;
        if (rows.length === ROWS_AT_ONCE) await print();
        // Why a write failed is the reason of the signal, which the next write or item meets.
        else if (rows.length === 1) timer = setTimeout(() => void print().catch(() => undefined), PRINT_AFTER_MS);
      }
      // A head alone says that nothing is there.
      if (count === 0) await print();
    } finally {
      clearTimeout(timer);
      if (rows.length > 0) await print();
    }
    return count;
  }

  /** Waits while the reader is slow, so that a list of millions is not held in memory. */
  async #write(text: string): Promise<void> {
    this.signal.throwIfAborted();
    this.progress.clear();
    if (this.ended.aborted || this.stream.write(text)) return;
    await new Promise<void>((resolve, reject) => {
      const end = (): void => {
        this.stream.off('drain', onDrain);
        this.signal.removeEventListener('abort', onAbort);
        this.ended.removeEventListener('abort', onDrain);
      };
      const onDrain = (): void => {
        end();
        resolve();
      };
      const onAbort = (): void => {
        end();
        reject(this.signal.reason instanceof Error ? this.signal.reason : new Error('aborted'));
      };
      this.stream.once('drain', onDrain);
      this.signal.addEventListener('abort', onAbort, { once: true });
      // A verb that only looks ends at its next write.
      this.ended.addEventListener('abort', onDrain, { once: true });
    });
  }
}

const isGroup = (value: unknown): value is object => typeof value === 'object' && value !== null && !Array.isArray(value);

/** One row; for a list of objects, such as a timeline, one for each of them. Groups inside of a group have rows of their own: `counts.held`. */
function fieldRows([field, value]: readonly [string, unknown]): Row[] {
  if (isGroup(value)) {
    const members = Object.entries(value);
    const groups = members.filter(([, each]) => isGroup(each));
    const others = members.filter(([, each]) => !isGroup(each));
    if (groups.length > 0) return [...(others.length === 0 ? [] : [{ field, value: Object.fromEntries(others) }]), ...groups.flatMap(([name, each]) => fieldRows([`${field}.${name}`, each]))];
  }
  const isList = Array.isArray(value) && value.some((each) => typeof each === 'object');
  return isList ? value.map((each: unknown, nth) => ({ field: nth === 0 ? field : '', value: each })) : [{ field, value }];
}

/** Later rows are set under the head of the first ones. */
function widthsOf(table: string): readonly number[] {
  const [head = ''] = table.split('\n');
  return [...head.matchAll(/\S+ */g)].map(([cell]) => cell.length - 2);
}

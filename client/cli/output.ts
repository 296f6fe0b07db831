import type { Writable } from 'node:stream';
import { printTable, type Row } from './table.js';

export const outputForms = ['table', 'json', 'ndjson'] as const;
export type OutputForm = (typeof outputForms)[number];

/** Rows of a table are printed when so many have come, so that their columns have one width. */
const ROWS_AT_ONCE = 100;

/**
 * Writes data, and nothing else, to standard output. What is said to a person goes to standard error.
 *
 * | form | one object | a list |
 * |---|---|---|
 * | `table` | a line for each field | a line for each row |
 * | `json` | the object | an array, which is closed also when the list ends early |
 * | `ndjson` | a line | a line for each item |
 */
export class Output {
  constructor(
    private readonly stream: Writable,
    readonly form: OutputForm,
    /** Rows are cut to this width; undefined: it is no terminal. */
    private readonly columns: number | undefined,
    private readonly signal: AbortSignal,
  ) {}

  async object(value: object): Promise<void> {
    if (this.form === 'table') return this.#write(printTable(Object.entries(value).map(([field, each]) => ({ field, value: each as unknown })), { columns: this.columns, hasHead: false }));
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
      this.stream.write(count === 0 ? ']\n' : '\n]\n');
    }
  }

  async #table<T extends object>(items: AsyncIterable<T> | Iterable<T>, columns: readonly (keyof T & string)[]): Promise<number> {
    let count = 0;
    let rows: Row[] = [];
    let widths: readonly number[] | undefined;
    const print = async (): Promise<void> => {
      const table = printTable(rows, { columns: this.columns, hasHead: widths === undefined, names: columns, widths });
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
      }
    } finally {
      if (rows.length > 0) await print();
    }
    return count;
  }

  /** Waits while the reader is slow, so that a list of millions is not held in memory. */
  async #write(text: string): Promise<void> {
    this.signal.throwIfAborted();
    if (this.stream.write(text)) return;
    await new Promise<void>((resolve, reject) => {
      const end = (): void => {
        this.stream.off('drain', onDrain);
        this.signal.removeEventListener('abort', onAbort);
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
    });
  }
}

/** Later rows are set under the head of the first ones. */
function widthsOf(table: string): readonly number[] {
  const [head = ''] = table.split('\n');
  return [...head.matchAll(/\S+ */g)].map(([cell]) => cell.length - 2);
}

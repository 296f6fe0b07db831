export interface ReadOptions {
  /** At most so many items; default: all. */
  readonly limit?: number | undefined;
  /** Called behind each page. Where little matches, a page may hold nothing. */
  readonly onPage?: ((page: ReadPage) => void) | undefined;
}

/** What is known when a page was read, of all pages until then. */
export interface ReadPage {
  /** So many items were looked at. */
  readonly scanned: number;
  /** So many of them could not be read, so they are not in the list. */
  readonly notRead: number;
  /** false: some were not looked at, because too many stand in one place. */
  readonly isComplete: boolean;
}

/** What is asked for: the parameters that every list has. */
interface Part {
  readonly limit: number;
  readonly cursor: string | undefined;
}

interface Page<T> {
  readonly items: readonly T[];
  readonly next_cursor: string | null;
  readonly scanned?: number;
  readonly not_read?: number;
  readonly is_complete?: boolean;
}

const LARGEST_PAGE = 1_000;

/** The items of a list. It goes on until there is no cursor: a page may be short, or empty, and not the last one. */
export async function* readPages<T>({ limit = Infinity, onPage }: ReadOptions, read: (part: Part) => Promise<Page<T>>): AsyncGenerator<T, void, undefined> {
  let left = limit;
  let [scanned, notRead, isComplete] = [0, 0, true];
  for (let cursor: string | undefined; left > 0; ) {
    const page = await read({ limit: Math.min(left, LARGEST_PAGE), cursor });
    scanned += page.scanned ?? 0;
    notRead += page.not_read ?? 0;
    isComplete &&= page.is_complete ?? true;
    onPage?.({ scanned, notRead, isComplete });
    for (const item of page.items) {
      yield item;
      left -= 1;
      if (left <= 0) return;
    }
    if (page.next_cursor === null) return;
    cursor = page.next_cursor;
  }
}

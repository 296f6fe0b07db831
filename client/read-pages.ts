export interface ReadOptions {
  /** At most so many items; default: all. */
  readonly limit?: number | undefined;
  /** Called behind each page. Where little matches, a page may hold nothing. */
  readonly onPage?: ((page: { readonly scanned: number }) => void) | undefined;
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
}

const LARGEST_PAGE = 1_000;

/** The items of a list. It goes on until there is no cursor: a page may be short, or empty, and not the last one. */
export async function* readPages<T>({ limit = Infinity, onPage }: ReadOptions, read: (part: Part) => Promise<Page<T>>): AsyncGenerator<T, void, undefined> {
  let left = limit;
  let scanned = 0;
  for (let cursor: string | undefined; left > 0; ) {
    const page = await read({ limit: Math.min(left, LARGEST_PAGE), cursor });
    scanned += page.scanned ?? 0;
    onPage?.({ scanned });
    for (const item of page.items) {
      yield item;
      left -= 1;
      if (left <= 0) return;
    }
    if (page.next_cursor === null) return;
    cursor = page.next_cursor;
  }
}

/**
 * Finds what is stored for the place that a send goes to. Of its endpoint, the longest stored prefix of it, and its host, the nearest
 * holds alone. A prefix ends where a part of the path does:
 *
 * | stored | holds for |
 * |---|---|
 * | `https://api.example.com/orders` | `/orders`, `/orders/5`, not `/orders2` |
 * | `https://api.example.com` | all other paths of that origin |
 */
export class CredentialIndex<V> {
  readonly #byHost = new Map<string, Map<string, V>>();

  /** @param entries by canonical key; `hostOf` gives the host of a key, undefined for one that has none */
  constructor(entries: Iterable<readonly [key: string, value: V]>, hostOf: (key: string) => string | undefined) {
    for (const [key, value] of entries) {
      const host = hostOf(key);
      if (host === undefined) continue;
      let paths = this.#byHost.get(host);
      if (paths === undefined) this.#byHost.set(host, (paths = new Map<string, V>()));
      paths.set(key.slice(host.length), value);
    }
  }

  /** Nearly all hosts have none: this is one look-up in memory. */
  has(host: string): boolean {
    return this.#byHost.has(host);
  }

  /**
   * @param host  origin or cluster, as flowOf names it
   * @param path  as keys have it: masked, beginning with a slash
   * @param exact the path in the key of the endpoint, which differs for a long one
   */
  find(host: string, path: string, exact: string = path): V | undefined {
    const paths = this.#byHost.get(host);
    if (paths === undefined) return undefined;
    const found = paths.get(exact);
    if (found !== undefined) return found;
    for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) {
      // `/orders/` is a key of its own, and a prefix of what is in it.
      const value = paths.get(path.slice(0, end)) ?? (path.charAt(end) === '/' ? paths.get(path.slice(0, end + 1)) : undefined);
      if (value !== undefined) return value;
    }
    return paths.get('/') ?? paths.get('');
  }
}

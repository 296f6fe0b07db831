/**
 * Counts by a closed list of names. Each of them is there from the start: a series that first appears with its first event would hide
 * that event from whoever looks at its growth.
 */
export class ClosedCounter<Name extends string> {
  readonly #counts: Map<Name, number>;

  constructor(names: readonly Name[]) {
    this.#counts = new Map(names.map((name) => [name, 0]));
  }

  add(name: Name): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }

  /** Since the start of the process. */
  get counts(): ReadonlyMap<Name, number> {
    return this.#counts;
  }
}

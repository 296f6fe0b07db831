/**
 * A woken task that has not come after this time, ms, was fetched by another process. With a longer time each worker of a
 * fleet would keep slots empty for tasks that others send. A task that comes later is only put back once more.
 */
const EXPECT_FOR_MS = 60;

/** Tasks that we woke in one call and that are not here yet. They will take the room of their flow and of their host. */
interface Woken {
  count: number;
  readonly at: number;
}

/** Woken jobs that are on their way, by the id of a flow or a host, the oldest first. */
export class ExpectedTasks {
  readonly #woken = new Map<string, Woken[]>();

  get size(): number {
    return this.#woken.size;
  }

  expect(id: string, count: number, at: number): Woken {
    const woken = { count, at };
    const all = this.#woken.get(id);
    if (all === undefined) this.#woken.set(id, [woken]);
    else all.push(woken);
    return woken;
  }

  /** @returns false: none was expected */
  arrived(id: string): boolean {
    const expected = this.#woken.get(id)?.find(({ count }) => count > 0);
    if (expected === undefined) return false;
    expected.count -= 1;
    return true;
  }

  /** Forgets those that other processes fetched: they never arrive here. */
  forgetLate(now: number): void {
    for (const id of this.#woken.keys()) this.count(id, now);
  }

  count(id: string, now: number): number {
    const all = this.#woken.get(id);
    if (all === undefined) return 0;
    const current = all.filter(({ count, at }) => count > 0 && at >= now - EXPECT_FOR_MS);
    if (current.length === 0) this.#woken.delete(id);
    else this.#woken.set(id, current);
    return current.reduce((sum, { count }) => sum + count, 0);
  }
}

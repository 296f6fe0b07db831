/** Sends remembered in one half: some 150 bytes each. */
const MOST_IN_HALF = 500;

/** A send that was counted for "the others" of a host, because its endpoint was not known. */
export interface FirstSend<Row> {
  readonly row: Row;
  readonly result: 'delivered' | 'failed';
  readonly ms: number;
}

/** The first sends of endpoints that are not known yet, by the id of the flow: the last 500 to 1,000 of them. */
export class FirstSends<Row> {
  #now = new Map<string, FirstSend<Row>>();
  #before = new Map<string, FirstSend<Row>>();

  remember(id: string, send: FirstSend<Row>): void {
    if (this.#now.size >= MOST_IN_HALF) {
      this.#before = this.#now;
      this.#now = new Map();
    }
    this.#now.set(id, send);
  }

  take(id: string): FirstSend<Row> | undefined {
    const found = this.#now.get(id) ?? this.#before.get(id);
    this.#now.delete(id);
    this.#before.delete(id);
    return found;
  }
}

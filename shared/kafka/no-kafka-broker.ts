/** Bytes came that no Kafka broker sends. The text names what was wrong with them, and never repeats them. */
export class NoKafkaBroker extends Error {
  constructor(why: string) {
    super(`the other side is no Kafka broker: ${why}`);
    this.name = 'NoKafkaBroker';
  }
}

/** A Kafka broker, but one that is too old or too new: we share no version of a request that we need. */
export class NoCommonVersion extends Error {
  constructor(what: string) {
    super(`the broker offers no version of ${what} that this service speaks`);
    this.name = 'NoCommonVersion';
  }
}

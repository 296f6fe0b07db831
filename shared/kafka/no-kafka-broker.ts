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

/** The other side does not know the password of the login, so it is not the broker that we share it with. */
export class ServerNotProven extends Error {
  constructor() {
    super('the broker has not proved that it knows the password: its signature is wrong. Another server may answer in its place');
    this.name = 'ServerNotProven';
  }
}

/** The broker refuses the login. */
export class LoginRefused extends Error {
  /** @param reason the broker's word, such as `unknown-user` */
  constructor(reason: string) {
    super(`the broker refuses the login: ${reason}`);
    this.name = 'LoginRefused';
  }
}

/** The broker has told its versions, and has closed the connection at the first request after that. */
export class ClosedAtFirstRequest extends Error {
  constructor(options: ErrorOptions) {
    super('the broker closed the connection at the first request: it may ask for a login, and this connection has none', options);
    this.name = 'ClosedAtFirstRequest';
  }
}

/** What the exit code says; docs/CLI.md has the same table, and a test compares them. */
export const EXIT = {
  /** Done. Also when the reader of the output has gone: it has got what it wanted, and what was to be changed is changed. */
  done: 0,
  /** The service or a proxy in front of it refused it, or a part of it was not done. */
  refused: 1,
  /** The command line is wrong. Nothing was asked. */
  usage: 2,
  /** Nothing is known under this id. */
  notFound: 3,
  /** The service did not answer, or answered 503 to every try; or what answered is another program. */
  noAnswer: 4,
  /** `wait` has reached its time limit. */
  timedOut: 5,
  /** The question was answered with no, or there was no terminal to ask. Nothing was changed. */
  notConfirmed: 6,
  /** Ctrl-C. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** The command line is wrong: exit code 2, and the usage of the command. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Nothing was changed, because it was not confirmed. */
export class NotConfirmedError extends Error {
  override readonly name = 'NotConfirmedError';
}

/** The reader of our output has gone: a verb that only looks has nothing left to do. */
export class NoReaderError extends Error {
  override readonly name = 'NoReaderError';
}

/** The output cannot be written, such as to a full disk. */
export class OutputError extends Error {
  override readonly name = 'OutputError';
}

/** Ctrl-C, or the system's wish that we end. */
export class InterruptedError extends Error {
  override readonly name = 'InterruptedError';
}

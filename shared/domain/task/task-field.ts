import type { FieldCheck } from '../field-check.js';
import type { Jitter } from './retry-policy.js';
import type { Task } from './task.js';

/**
 * One field of a task. Everything about a field stands in its row: the schema, the fast check, the stored form, the
 * content hash, the answers of the API and docs/TASK-FIELDS.md are made from the table in task-fields.ts.
 *
 * To add a field: a member of Task (or of RetryPolicy), and its row; without the row it does not compile.
 */
export interface TaskField<V> {
  /** Its value in a task. Not found by its name: a look-up by a name that varies is slower, and not checked by the compiler. */
  read(task: Task): V;
  /** Its name in requests and answers. */
  readonly wire: string;
  /** `unless_parked`: needed unless on_exhausted is park. */
  readonly presence: 'always' | 'optional' | 'unless_parked';
  /** A function where it depends on the deployment. */
  readonly check: FieldCheck | DestinationCheck | ((rules: TaskRules) => FieldCheck);
  /** @param value checked. @param wire the whole request, checked */
  parse(value: unknown, wire: CheckedFields): V;
  /** The value of a task that does not say it. Asked only where it may be left out. */
  absent(wire: CheckedFields, rules: TaskRules): V;
  /** `absent` for people; undefined: a task without it has none. */
  readonly fallback?: string;
  readonly doc: string;

  /** Its name in a job's data, one letter. Letters are taken for ever: old data is read as long as there is any. */
  readonly letter: string;
  /** @returns JSON, or undefined: it is not written, and `decode` of undefined gives the value back */
  encode(value: V, task: Task): unknown;
  /** @param stored outside input: another version, or a person, may have written it. @param sibling another field of the data, by its letter */
  decode(stored: unknown, sibling: (letter: string) => unknown): V | Unreadable;

  /**
   * Whether it belongs to the content, which decides whether a task that is sent again is the same one.
   * `positional`: fields of 0.1.0, by their place in the table. `named`: later ones, under their wire name and only where
   * they are written, so that the hash of a task that does not say them stays what it was. `none`: another value is no
   * other task.
   */
  readonly content: 'positional' | 'named' | 'none';
  /** JSON that is the same for the same value. Default: the value. */
  canonical?(value: V): unknown;

  /** Where GET /tasks/:id shows it; `nowhere`: not by this table. */
  readonly shown: 'head' | 'body' | 'policy' | 'nowhere';
  /** Its fields there. Default: the value under its wire name; nothing where it is undefined. */
  show?(value: V): Readonly<Record<string, unknown>>;
}

/** A destination is two fields: an object, and its type. */
export interface DestinationCheck {
  readonly kind: 'destination';
  /** Wire name of the field that holds the type. */
  readonly typeField: string;
  /** Wire name of the type that holds where `typeField` is left out; undefined: it may not be. */
  readonly elseTypeField?: string;
  readonly typeDoc: string;
}

/** What the deployment says of tasks. */
export interface TaskRules {
  /** Largest message_data, bytes of UTF-8. */
  readonly maxMessageBytes: number;
  /** The jitter of a task that names none. */
  readonly defaultJitter: Jitter;
}

export type CheckedFields = Readonly<Record<string, unknown>>;

export const UNREADABLE = Symbol('unreadable');
export type Unreadable = typeof UNREADABLE;

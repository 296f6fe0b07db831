import type { PathMask } from '../destinations/path-mask.js';
import type { FieldCheck } from '../field-check.js';
import type { Jitter } from './retry-policy.js';
import type { Task } from './task.js';

/**
 * One field of a task. Everything about a field stands in its row. The schema, the fast check, the stored form, the
 * content hash, the answers of the API and docs/TASK-FIELDS.md are made from the table in task-fields.ts.
 *
 * To add a field, add a member of Task (or of RetryPolicy) and its row. Without the row it does not compile.
 */
export interface TaskField<V> {
  /** Reads its value from a task. A look-up by a name that varies would be slower, and the compiler would not check it. */
  read(task: Task): V;
  /** Its name in requests and answers. */
  readonly wire: string;
  /** `unless_parked`: needed unless on_exhausted is park. */
  readonly presence: 'always' | 'optional' | 'unless_parked';
  /** It is a function if it depends on the deployment. */
  readonly check: FieldCheck | DestinationCheck | ((rules: TaskRules) => FieldCheck);
  /** @param value checked. @param wire the whole request, checked */
  parse(value: unknown, wire: CheckedFields): V;
  /** The default value, for a field that may be left out. */
  absent(wire: CheckedFields, rules: TaskRules): V;
  /** `absent` in words for people; undefined means that the task has no value. */
  readonly fallback?: string;
  readonly doc: string;

  /** Its name in a job's data, one letter. A letter is never used again, because old data has to stay readable. */
  readonly letter: string;
  /** @returns JSON; undefined means that it is not written, and then `decode` of undefined gives the value back */
  encode(value: V, task: Task): unknown;
  /**
   * @param stored input from outside: another version, or a person, may have written it. @param sibling another field of
   * the data, by its letter
   */
  decode(stored: unknown, sibling: (letter: string) => unknown): V | Unreadable;

  /**
   * Whether it belongs to the content, which decides whether a task that is sent again is the same one. `positional`:
   * fields of 0.1.0, by their place in the table. `named`: later fields, under their wire name and only if they are
   * written, so that the hash of a task without them stays the same. `none`: a different value does not make it another
   * task.
   */
  readonly content: 'positional' | 'named' | 'none';
  /** JSON that is the same for the same value. The default is the value itself. */
  canonical?(value: V): unknown;

  /** It can not be changed once the task was accepted: PATCH /tasks/:id refuses it. */
  readonly isFixed?: true;
  /**
   * Its fields in a request that would give this value again, with secrets. The default is the value under its wire name, and
   * nothing when it is undefined.
   */
  submitted?(value: V): Readonly<Record<string, unknown>>;

  /** Where GET /tasks/:id shows it; `nowhere` means not by this table: what a summary has too is shown by its rule. */
  readonly shown: 'body' | 'policy' | 'nowhere';
  /** Its fields there, without secrets. The default is the value under its wire name, and nothing when it is undefined. */
  show?(value: V, mask: PathMask): Readonly<Record<string, unknown>>;
}

/** A destination consists of two fields: an object, and its type. */
export interface DestinationCheck {
  readonly kind: 'destination';
  /** Wire name of the field that holds the type. */
  readonly typeField: string;
  /** Wire name of the type that applies when `typeField` is left out; undefined means that it must be given. */
  readonly elseTypeField?: string;
  readonly typeDoc: string;
}

/** Settings of the deployment that concern tasks. */
export interface TaskRules {
  /** Largest message_data, bytes of UTF-8. */
  readonly maxMessageBytes: number;
  /** The jitter of a task that names none. */
  readonly defaultJitter: Jitter;
}

export type CheckedFields = Readonly<Record<string, unknown>>;

export const UNREADABLE = Symbol('unreadable');
export type Unreadable = typeof UNREADABLE;

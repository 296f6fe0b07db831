import type { FieldCheck } from '../field-check.js';

/**
 * One type of destination: everything that differs by type stands in its row, but for the sending (its adapter in
 * workers/adapters). To add a type: a file like http.ts, a line in destination.ts, an adapter folder and its line in
 * registry.ts.
 *
 * @typeParam D  a destination as we know it
 * @typeParam W  the same as clients write it: the object in `destination`
 * @typeParam R  what proves a delivery
 */
export type DestinationRow<D extends AnyDestination, W extends object, R extends object> = RowBase<D, W, R> & Storage<D>;

/** The names in any member of a union. */
type NameIn<W> = W extends unknown ? Extract<keyof W, string> : never;

export interface AnyDestination {
  readonly type: string;
}

interface RowBase<D extends AnyDestination, W extends object, R extends object> {
  readonly type: D['type'];
  /** Every field of the wire form, in the order in which they are documented. */
  readonly fields: { readonly [Name in keyof W]-?: DestinationField };
  /** Fields that are given together or not at all. */
  readonly together?: readonly NameIn<W>[];
  /** A rule about several fields, asked when each for itself is right. @returns a complaint, or undefined */
  checkAll?(wire: W): string | undefined;
  /** @param wire checked by `fields`, `together` and `checkAll` */
  parse(wire: W): D;
  /** The form that GET /tasks/:id shows: the wire form with masked passwords. Never throws. */
  toWire(destination: D): object;
  /** The fields of a receipt, and their names in GET /tasks/:id. A field that two types have has the same name in both. */
  readonly receipt: { readonly [Name in keyof R]-?: string };
  /** Never set: it carries R, which the compiler cannot find out from the names alone. */
  readonly receiptType?: R;
  /**
   * For logs, job names and `x-retry-original-destination`: tells the place, and nothing that opens it. It begins with
   * the type. Never throws: a log line about a broken destination would keep the task from ever being decided.
   */
  print(destination: D): string;
  /** JSON of all that a client said of it, spelt one way: the content hash is taken over it. It begins with the type. */
  canonical(destination: D): readonly unknown[];
  /** Whose failures and limits its sends count for; see flowOf. Never throws. */
  flow(destination: D, defaultBrokers: ReadonlySet<string>): FlowNames;
  /** What follows the host in the name of its endpoint, unmasked and as it is sent: `/orders`. See endpoint-path.ts. Never throws. */
  endpointPath(destination: D): string;
  /** Whether a segment of that path may be a token, which is shown as a hash. */
  readonly hasSecretPaths: boolean;
  /** One spelling of a name that an operator wrote; undefined: it is no name of a destination of this type. */
  canonicalName(name: string, defaultBrokers: ReadonlySet<string>): string | undefined;
  /** The host in a canonical name of this type; undefined: it is none. */
  hostOfName(name: string): string | undefined;
}

/** `host`: who fails together. `key`: what limits and pauses are set for, inside the host or the same as it. */
export interface FlowNames {
  readonly key: string;
  readonly host: string;
}

export interface DestinationField {
  readonly check: FieldCheck;
  readonly isRequired: boolean;
  /** For people, in the docs. */
  readonly doc: string;
}

/**
 * How a destination stands in a job's data: short names, no defaults. destination.ts adds the type as `y`.
 *
 * Version 1 of the data began without a tag. Its two types are told apart by a field, so these two letters, and the tag,
 * are taken for ever: a type that wrote them would be read as Kafka or HTTP by workers of 0.1.0. To those a destination
 * without both letters is unreadable, which is right: they leave such a task to newer workers.
 */
type Storage<D extends AnyDestination> =
  | { readonly mark?: never; encode(destination: D): TaggedFields; decode(stored: StoredFields): D | undefined }
  | { readonly mark: 'u' | 't'; encode(destination: D): StoredFields; decode(stored: StoredFields): D | undefined };

/** Outside input: another version, or a person, may have written it. decode answers undefined for what is not right. */
export type StoredFields = Readonly<Record<string, unknown>>;

export type TaggedFields = StoredFields & { readonly [Letter in 'u' | 't' | 'y']?: never };

import type { FieldCheck } from '../field-check.js';
import type { Flow } from './flow.js';
import type { PathMask } from './path-mask.js';

/**
 * One type of destination. Everything that differs by type stands in its row, except the sending (its adapter in
 * workers/adapters). To add a type: a file like http.ts, a row in destination.ts, an adapter folder and its row in
 * registry.ts.
 *
 * @typeParam D  a destination in our own form
 * @typeParam W  the same in the form of clients: the object in `destination`
 * @typeParam R  what proves a delivery
 */
export type DestinationRow<D extends AnyDestination, W extends object, R extends object> = RowBase<D, W, R> & Storage<D>;

/** The names of fields in any member of a union. */
type NameIn<W> = W extends unknown ? Extract<keyof W, string> : never;

export interface AnyDestination {
  readonly type: string;
}

interface RowBase<D extends AnyDestination, W extends object, R extends object> {
  readonly type: D['type'];
  /** Every field of the wire form, in the order of the docs. */
  readonly fields: { readonly [Name in keyof W]-?: DestinationField };
  /** Fields that must be given together or not at all. */
  readonly together?: readonly NameIn<W>[];
  /** A rule about several fields, asked when each of them is right by itself. @returns a complaint, or undefined */
  checkAll?(wire: W): string | undefined;
  /** @param wire checked by `fields`, `together` and `checkAll` */
  parse(wire: W): D;
  /** The opposite of parse: the wire form as it was submitted, with its secrets. It never throws. */
  unparse(destination: D): W;
  /** The same with *** in place of each secret: see hidden-login.ts. Left out for a type that has none. */
  hideSecrets?(wire: W): W;
  /**
   * Puts the secrets of the destination before a change where the new one has ***, as long as it goes to the same scheme, host and
   * port. `fields` and `checkAll` refuse each *** that is left.
   * @param wire not checked yet. It never throws
   */
  keepSecrets?(wire: UncheckedFields, old: W): UncheckedFields;
  /**
   * The destination as it is stored where there is a key: its secret fields encrypted. `open` is the opposite, and throws what its
   * second argument throws. Left out, like the next two, for a type without such fields.
   */
  seal?(destination: D, seal: (text: string) => string): D;
  open?(destination: D, open: (text: string) => string): D;
  isSealed?(destination: D): boolean;
  /** It has fields that must not be stored as they are: see SECRETS_KEYS. */
  hasSecretFields?(destination: D): boolean;
  /** The wire form that GET /tasks/:id shows, without any secret. It never throws. */
  toWire(destination: D, mask: PathMask): object;
  /** The fields of a receipt, and their names in GET /tasks/:id. A field that two types share has the same name in both. */
  readonly receipt: { readonly [Name in keyof R]-?: string };
  /** Never set: it carries the type R, which the compiler cannot infer from the names. */
  readonly receiptType?: R;
  /**
   * A text for job names: it says where, without any secret. It begins with the type. It never throws: if it did, a broken
   * destination would keep its task from ever being decided.
   */
  print(destination: D, mask: PathMask): string;
  /** Parts of it that must not be shown, as they are sent; without-secrets.ts finds their other spellings. It never throws. */
  secretTexts(destination: D, mask: PathMask): readonly string[];
  /** JSON of everything that a client said about it, in one spelling, for the content hash. It begins with the type. */
  canonical(destination: D): readonly unknown[];
  /** The flow of deliveries without a flow_key; see flowOf. It never throws. */
  flow(destination: D, defaultBrokers: ReadonlySet<string>, mask: PathMask): Flow;
  /**
   * Where a connection goes that sends to it, as far as the client says so; undefined when the operator does. The address policy judges
   * it when a task is submitted. It never throws.
   */
  dials(destination: D, defaultBrokers: ReadonlySet<string>): Dials | undefined;
  /** The path in the name of its endpoint, such as `/orders`. Host and path together are the endpoint. It never throws. */
  endpointPath(destination: D, mask: PathMask): string;
  /** The canonical form of a name that an operator wrote; undefined when no destination of this type has such a name. */
  canonicalName(name: string, defaultBrokers: ReadonlySet<string>, mask: PathMask): string | undefined;
  /** The host in a canonical name of this type; undefined for other names. */
  hostOfName(name: string): string | undefined;
}

export interface Dials {
  /** The field that names it, for a complaint. */
  readonly field: string;
  /** A name or an address, in the client's spelling or a parser's. */
  readonly host: string;
  readonly port: number;
}

/** An object of a request, before any check. */
export type UncheckedFields = Readonly<Record<string, unknown>>;

export interface DestinationField {
  readonly check: FieldCheck;
  readonly isRequired: boolean;
  /** The name of the type for people, in the docs. */
  readonly doc: string;
}

/**
 * The form of a destination in a job's data: short names, no defaults. destination.ts adds the type as `y`.
 *
 * Version 1 of the data began without a tag. Its two types are told apart by a field. So these two letters, and the tag,
 * must never be used for anything else: workers of 0.1.0 would read a type that wrote them as Kafka or HTTP. A
 * destination without both letters is unreadable to those workers. This is right: they leave such a task to newer
 * workers.
 */
type Storage<D extends AnyDestination> =
  | { readonly mark?: never; encode(destination: D): TaggedFields; decode(stored: StoredFields): D | undefined }
  | { readonly mark: 'u' | 't'; encode(destination: D): StoredFields; decode(stored: StoredFields): D | undefined };

/**
 * The input is from outside: another version, or a person, may have written it. decode answers undefined for wrong
 * fields.
 */
export type StoredFields = Readonly<Record<string, unknown>>;

export type TaggedFields = StoredFields & { readonly [Letter in 'u' | 't' | 'y']?: never };

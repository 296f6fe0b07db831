import type { DestinationRow, StoredFields } from './destination-row.js';
import { httpType } from './http.js';
import { kafkaType } from './kafka.js';
import type { PathMask } from './path-mask.js';

/** Every type of destination, in the order of the docs and of error texts. To add one, see DestinationRow. */
export const destinationTypes = rowsByType({
  kafka: kafkaType,
  http: httpType,
});

type Rows = typeof destinationTypes;

export type DestinationType = keyof Rows;

/** The place that a task is sent to. */
export type Destination = { [T in DestinationType]: ReturnType<Rows[T]['parse']> }[DestinationType];

/** The object in `destination`, as clients write it. */
export type WireDestination = { [T in DestinationType]: Parameters<Rows[T]['parse']>[0] }[DestinationType];

/** Proof of a delivery, to show to a person: the HTTP status, or partition and offset. */
export type Receipt = { [T in DestinationType]: NonNullable<Rows[T]['receiptType']> }[DestinationType];

/** A row under the name of another type does not compile. */
function rowsByType<const R extends { readonly [T in keyof R]: { readonly type: T } }>(rows: R): R {
  return rows;
}

/**
 * The row of a destination whose type is known only at run time. A method of a row takes only its own type, and the
 * compiler does not check this here. So hand a destination, or its wire form, only to the row that its type names.
 */
export function rowOf(type: DestinationType): DestinationRow<Destination, WireDestination, Receipt> {
  return destinationTypes[type];
}

export const destinationTypeNames: readonly DestinationType[] = Object.values(destinationTypes).map(({ type }) => type);

export function isDestinationType(name: unknown): name is DestinationType {
  return typeof name === 'string' && Object.hasOwn(destinationTypes, name);
}

/**
 * A destination for job names: it says where, and contains no secret. Everything else has its key.
 * `http https://api.example.com/hook?...`, `kafka orders@broker-1:9092`, `kafka orders@default`.
 */
export function printDestination(destination: Destination, mask: PathMask): string {
  return rowOf(destination.type).print(destination, mask);
}

/** The form in a job's data: the fields of its row and its type as `y`, which the two types of version 1 leave out. */
export function encodeDestination(destination: Destination): StoredFields {
  const row = rowOf(destination.type);
  return row.mark === undefined ? { y: row.type, ...row.encode(destination) } : row.encode(destination);
}

const untaggedTypes = Object.values(destinationTypes).flatMap(({ type, mark }) => (mark === undefined ? [] : [{ type, mark }]));

/** @returns undefined for data that this version cannot read: an unknown type, or wrong fields */
export function decodeDestination(stored: unknown): Destination | undefined {
  if (typeof stored !== 'object' || stored === null) return undefined;
  // decode checks each field.
  const fields = stored as StoredFields;
  const type = fields['y'] === undefined ? untaggedTypes.find(({ mark }) => fields[mark] !== undefined)?.type : fields['y'];
  return isDestinationType(type) ? rowOf(type).decode(fields) : undefined;
}

const receiptNames: ReadonlyMap<string, string> = new Map(Object.values(destinationTypes).flatMap(({ receipt }) => Object.entries(receipt)));

/** `{ httpStatus: 204 }` -> `{ http_status: 204 }`. A field that this version does not know is shown as it is. */
export function toWireReceipt(receipt: Receipt): object {
  return Object.fromEntries(Object.entries(receipt).map(([name, value]) => [receiptNames.get(name) ?? name, value]));
}

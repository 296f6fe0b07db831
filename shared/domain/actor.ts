/**
 * Who asked for a change, as it is stored, logged and shown. While AUTH=off each caller is anonymous.
 * `{"type":"anonymous","id":null,"name":null,"operator":"Anna"}`
 */
export interface Actor {
  readonly type: 'key' | 'session' | 'anonymous' | 'receiver' | 'service';
  /** The id of the key or session, and its name. */
  readonly id: string | null;
  readonly name: string | null;
  /** The header X-Operator of the request. It is a claim that is recorded, and it is never trusted. */
  readonly operator: string | null;
}

/** What the service does by itself, such as the end of a pause whose time is over. */
export const serviceActor: Actor = { type: 'service', id: null, name: null, operator: null };

/** For a sentence: `Anna (key deploy-bot)`, `Anna`, `key deploy-bot`, `an operator`. */
export function printActor({ type, id, name, operator }: Actor): string {
  const known = name ?? id;
  const credential = known === null ? undefined : `${type} ${known}`;
  if (operator === null) return credential ?? 'an operator';
  return credential === undefined ? operator : `${operator} (${credential})`;
}

/** What a text says of a host, whatever stands around it. */
export interface MeantAddress {
  /** In lower case, without the colon; undefined when there is none. */
  readonly scheme: string | undefined;
  /** As it is written: `broker-1`, `[::1]`. */
  readonly host: string;
  readonly port: number | undefined;
  /** A path, or further addresses. */
  readonly hasMore: boolean;
}

const ADDRESS = /^(?:([a-z][a-z0-9+.-]*):[\\/]{1,2}|(https?)(?::|[\\/]{2})|[\\/]{2})?(?:[^@\\/?#,]*@)?(\[[0-9a-f:.]+\]|[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?)(?::(\d{1,5}))?([\\/?#,].*)?$/is;
/** A longer text was not meant as an address. */
const MAX_CHARACTERS = 1_000;

/**
 * The host and port in a text that stands where another form is wanted, for an error that says what was probably meant. An error
 * may quote them: a user and password are left out, and a word without a dot or a port, which may be a secret, is taken for no
 * host.
 *
 * `localhost:9092`, `kafka://user:secret@localhost:9092`, `localhost:9092,other:9092` and `http:/localhost:9092/a` all have the
 * host `localhost` and the port 9092.
 *
 * @returns undefined when no host can be made out
 */
export function addressMeant(text: string): MeantAddress | undefined {
  const match = text.length > MAX_CHARACTERS ? null : ADDRESS.exec(text.trim());
  const host = match?.[3];
  if (match === null || host === undefined) return undefined;
  if (!isLikelyHost(host) && match[4] === undefined) return undefined;
  const port = match[4] === undefined ? undefined : Number(match[4]);
  return { scheme: (match[1] ?? match[2])?.toLowerCase(), host, port: port !== undefined && port >= 1 && port <= 65_535 ? port : undefined, hasMore: match[5] !== undefined && match[5] !== '/' };
}

function isLikelyHost(host: string): boolean {
  return host.toLowerCase() === 'localhost' || host.startsWith('[') || (host.includes('.') && host.split('.').every((label) => label.length >= 1 && label.length <= 63));
}

import { hash } from 'node:crypto';
import { rowOf, type Destination } from '../../domain/destinations/destination.js';
import { remembered } from '../../domain/remembered.js';

/** A shorter segment of a path is taken for a word. From this length on, letters mixed with digits are taken for a token. */
const SECRET_FROM_CHARACTERS = 20;
const HASH_HEX_DIGITS = 32;
const MAX_ENDPOINT_CHARACTERS = 512;

/**
 * The path in the name of an endpoint. Host and path together are the endpoint.
 *
 * | destination | host | path |
 * |---|---|---|
 * | `https://api.example.com/orders?token=1` | `https://api.example.com` | `/orders` |
 * | `https://hooks.example.com/T1/a1b2c3d4e5f6g7h8i9j0` | `https://hooks.example.com` | `/T1/*10ee68888777ddca9eee1b40378c22d1` |
 * | topic orders | `kafka://default` | `/orders` |
 *
 * A segment that looks like a secret stands as a hash, because the name is shown and logged. Writing a name again gives
 * the same name, so a copied name is understood like the url that it came from.
 *
 * @param host of the destination, as flowOf names it
 */
export function endpointPath(destination: Destination, host: string): string {
  const row = rowOf(destination.type);
  const path = row.endpointPath(destination);
  if (!row.hasSecretPaths) return path;
  const shown = withoutSecrets(path);
  return host.length + shown.length <= MAX_ENDPOINT_CHARACTERS ? shown : `/${hashed(shown)}`;
}

function withoutSecrets(path: string): string {
  // Most paths have no segment of that length. To look at the whole path first is cheaper than to split every path.
  return path.length < SECRET_FROM_CHARACTERS ? path : withoutSecretsByPath(path);
}

const withoutSecretsByPath = remembered(1_000, (path) => path.split('/').map(withoutSecret).join('/'));

function withoutSecret(segment: string): string {
  if (segment.length < SECRET_FROM_CHARACTERS || isHashed(segment) || !/[a-z]/i.test(segment) || !/\d/.test(segment)) return segment;
  return hashed(segment);
}

function hashed(text: string): string {
  return `*${hash('sha256', text, 'hex').slice(0, HASH_HEX_DIGITS)}`;
}

function isHashed(segment: string): boolean {
  return /^\*[0-9a-f]{32}$/.test(segment);
}

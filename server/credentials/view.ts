import { credentialMemberNames, type CredentialMember, type CredentialValues } from '../../shared/domain/credentials/credential-values.js';
import { shownUrl } from '../../shared/domain/destinations/http-url.js';
import type { PathMask } from '../../shared/domain/destinations/path-mask.js';
import { signerOf } from '../../shared/domain/secrets/webhook-signature.js';
import type { StoredCredentials } from '../../shared/queue/credentials/stored-credentials.js';
import { idOfKey } from '../../shared/wire/destination-id.js';
import { printTime } from '../http/print-time.js';
import { shownCertificate } from './certificate-check.js';

/** What is stored beside the encrypted value of each member, to be shown without a key. No user is shown: often it is a token. */
export const shownOf: { readonly [M in CredentialMember]: (value: CredentialValues[M], mask: PathMask) => object } = {
  headers: (headers) => ({ names: Object.keys(headers) }),
  basic: () => ({}),
  bearer: () => ({}),
  oauth2: ({ token_url: url, client_id: id, scope = null, audience = null, client_authentication: where }, mask) => ({ token_url: shownUrl(url, mask), client_id: id, scope, audience, client_authentication: where }),
  client_certificate: shownCertificate,
  sasl: ({ mechanism, username, tls = true }) => ({ mechanism, username, tls }),
  signing: ({ secret, previous }) => {
    const signer = signerOf(secret);
    return { algorithm: signer?.algorithm ?? null, public_key: signer?.publicKey ?? null, previous_public_key: previous === null ? null : (signerOf(previous.secret)?.publicKey ?? null), previous_until: previous?.until ?? null };
  },
};

/**
 * As the API shows it: names, times and public keys.
 * @param newSecret that the call has made to sign with; no other answer has it
 */
export function toWireCredentials({ key, members }: StoredCredentials, now: number, newSecret?: string): object {
  const shown = Object.fromEntries(credentialMemberNames.map((member) => [member, shownMember(member, members[member], now)]));
  return { key, id: idOfKey(key), ...shown, ...(newSecret === undefined ? {} : { signing: { secret: newSecret, ...shown['signing'] } }) };
}

function shownMember(member: CredentialMember, stored: StoredCredentials['members'][CredentialMember], now: number): object | null {
  if (stored === undefined) return null;
  const times = { updated_at: printTime(stored.updatedAt) };
  if (member !== 'signing') return { ...stored.shown, ...times };
  // `shownOf` wrote it.
  const { previous_until: until, previous_public_key: previousKey, ...shown } = stored.shown as { readonly previous_until: number | null; readonly previous_public_key: string | null };
  const isOver = until === null || until <= now;
  return { ...shown, previous_public_key: isOver ? null : previousKey, previous_expires_at: isOver ? null : printTime(until), ...times };
}

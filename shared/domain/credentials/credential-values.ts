import type { HttpHeaders } from '../destinations/http-headers.js';

/** What may be stored for a destination, by the names of the API. */
export interface CredentialValues {
  readonly headers: HttpHeaders;
  readonly basic: { readonly user: string; readonly password: string };
  readonly bearer: { readonly token: string };
  readonly oauth2: OAuth2Client;
  /** PEM. A certificate comes with its key; `ca` may stand alone. */
  readonly client_certificate: { readonly certificate?: string; readonly key?: string; readonly ca?: string };
  /** `tls` false: the login goes over the network as it is. */
  readonly sasl: { readonly mechanism: SaslMechanism; readonly username: string; readonly password: string; readonly tls?: boolean };
  readonly signing: SigningSecrets;
}

/** The client credentials grant of OAuth 2 (RFC 6749, 4.4). */
export interface OAuth2Client {
  readonly token_url: string;
  readonly client_id: string;
  readonly client_secret: string;
  readonly scope?: string;
  readonly audience?: string;
  /** Where id and secret stand in the request for a token; RFC 6749 prefers the header. */
  readonly client_authentication: ClientAuthentication;
}

export const clientAuthentications = ['header', 'body'] as const;
export type ClientAuthentication = (typeof clientAuthentications)[number];

export const saslMechanisms = ['plain', 'scram-sha-256', 'scram-sha-512'] as const;
export type SaslMechanism = (typeof saslMechanisms)[number];

export interface SigningSecrets {
  /** `whsec_...` (HMAC, v1) or `whsk_...` (Ed25519, v1a). */
  readonly secret: string;
  /** The one before it, which signs as well until then, ms since the epoch. */
  readonly previous: { readonly secret: string; readonly until: number } | null;
}

export type CredentialMember = keyof CredentialValues;

/** In the order of the docs, and where they may be used. */
export const credentialMembers = {
  headers: 'http',
  basic: 'http',
  bearer: 'http',
  oauth2: 'http',
  client_certificate: 'both',
  sasl: 'kafka',
  signing: 'http',
} as const satisfies Record<CredentialMember, 'http' | 'kafka' | 'both'>;

export const credentialMemberNames = Object.keys(credentialMembers) as readonly CredentialMember[];

/** Some of them, as they are used: decrypted. */
export type Credentials = { readonly [M in CredentialMember]?: CredentialValues[M] };

/**
 * What is wrong with several members together.
 * @param headerNames of the member `headers`
 */
export function complaintAboutTogether(members: readonly CredentialMember[], headerNames: readonly string[]): string | undefined {
  const logins = (['basic', 'bearer', 'oauth2'] as const).filter((member) => members.includes(member));
  if (logins.length > 1) return `at most one of basic, bearer and oauth2 may be set: here ${logins.join(' and ')} would be; send null for the other`;
  const hasHeader = headerNames.some((name) => name.toLowerCase() === 'authorization');
  return hasHeader && logins.length > 0 ? `headers must not have Authorization beside ${logins.join('')}` : undefined;
}

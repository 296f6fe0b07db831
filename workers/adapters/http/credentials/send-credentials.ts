import type { Credentials, OAuth2Client } from '../../../../shared/domain/credentials/credential-values.js';
import { basicCredentials } from '../../../../shared/domain/destinations/basic-credentials.js';
import { secretTextsOfHeaders, type HttpHeaders } from '../../../../shared/domain/destinations/http-headers.js';
import { signerOf, type Signer } from '../../../../shared/domain/secrets/webhook-signature.js';
import type { CredentialsInUse } from '../../../credentials/credential-watch.js';
import type { ConnectionIdentity } from '../connection-pools.js';
import { formEncoded } from './token-request.js';

/** Credentials of a destination in the form in which they are sent. */
export interface SendCredentials {
  readonly identity: ConnectionIdentity;
  /** Headers, and the login of basic and bearer. A token is asked for with each send. */
  readonly headers: HttpHeaders;
  readonly oauth2: OAuth2Client | undefined;
  /** The newest first, each with the time until which it signs, ms since the epoch. */
  readonly signers: readonly { readonly signer: Signer; readonly until: number }[];
  /** What must not stand in what is kept of an answer. */
  readonly secretTexts: readonly string[];
}

const made = new WeakMap<CredentialsInUse, SendCredentials>();

/** It is made once for each change of the credentials. */
export function sendCredentialsOf(inUse: CredentialsInUse): SendCredentials {
  let known = made.get(inUse);
  if (known === undefined) made.set(inUse, (known = make(inUse)));
  return known;
}

function make({ identity, values }: CredentialsInUse): SendCredentials {
  const headers = { ...values.headers, ...loginOf(values) };
  const { certificate, key, ca } = values.client_certificate ?? {};
  return {
    identity: { id: identity, tls: { ...(certificate === undefined ? {} : { cert: certificate }), ...(key === undefined ? {} : { key }), ...(ca === undefined ? {} : { ca }) } },
    headers,
    oauth2: values.oauth2,
    signers: signersOf(values),
    secretTexts: [...secretTextsOfHeaders(headers), ...secretTextsOfClient(values.oauth2)],
  };
}

function loginOf({ basic, bearer }: Credentials): HttpHeaders {
  if (bearer !== undefined) return { Authorization: `Bearer ${bearer.token}` };
  return basic === undefined ? {} : { Authorization: `Basic ${Buffer.from(`${basic.user}:${basic.password}`, 'utf8').toString('base64')}` };
}

function signersOf({ signing }: Credentials): SendCredentials['signers'] {
  if (signing === undefined) return [];
  const secrets = [{ secret: signing.secret, until: Infinity }, ...(signing.previous === null ? [] : [signing.previous])];
  return secrets.flatMap(({ secret, until }) => {
    const signer = signerOf(secret);
    return signer === undefined ? [] : [{ signer, until }];
  });
}

function secretTextsOfClient(client: OAuth2Client | undefined): readonly string[] {
  if (client === undefined) return [];
  const { client_id: id, client_secret: secret } = client;
  return [secret, formEncoded(secret), Buffer.from(secret, 'utf8').toString('base64').replace(/=+$/, ''), basicCredentials({ username: formEncoded(id), password: formEncoded(secret) })];
}

/** The parts of a token that an answer may quote. */
export function secretTextsOfToken(token: string): readonly string[] {
  return secretTextsOfHeaders({ Authorization: `Bearer ${token}` });
}

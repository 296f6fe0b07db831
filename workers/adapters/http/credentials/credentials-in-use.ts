import { endpointPath, type PathMask } from '../../../../shared/domain/destinations/path-mask.js';
import { withoutTextsIn } from '../../../../shared/domain/destinations/without-secrets.js';
import type { Clock, DeliveryAttempt, DeliveryResult, EndSignal } from '../../../../shared/domain/ports.js';
import { signatureHeaders } from '../../../../shared/domain/secrets/webhook-signature.js';
import type { SecretBox } from '../../../../shared/domain/secrets/secret-box.js';
import type { TokenStore } from '../../../../shared/queue/credentials/token-store.js';
import { credentialsUnreadable, type CredentialFinder, type CredentialsInUse as Stored } from '../../../credentials/credential-watch.js';
import type { ConnectionIdentity, ConnectionPools } from '../connection-pools.js';
import { judgeAbort } from '../judge-abort.js';
import type { Target } from '../target.js';
import { secretTextsOfToken, sendCredentialsOf, type SendCredentials } from './send-credentials.js';
import { requestToken } from './token-request.js';
import { TokenSource, type GivenToken } from './token-source.js';

export interface CredentialsOption {
  readonly watch: CredentialFinder;
  readonly tokens: () => Pick<TokenStore, 'take' | 'store' | 'keepAsking'>;
  readonly secrets: SecretBox;
  readonly mask: PathMask;
}

/** What a request gets of the credentials. */
export interface Preparation {
  readonly identity: ConnectionIdentity;
  readonly headers: Readonly<Record<string, string>>;
  /** Names and values in turn. */
  readonly signature: readonly string[];
}

/** Where an attempt goes. `hasOwnLogin`: the task says who sends it, so no login of the credentials is sent, and none is asked for. */
export interface Place {
  readonly url: string;
  readonly hasOwnLogin: boolean;
}

/** Sends one attempt with credentials. @param sendOnce sends one request, and judges the answer */
type SendWith = (attempt: DeliveryAttempt, place: Place, signal: EndSignal, sendOnce: (prepared: Preparation) => Promise<DeliveryResult>) => Promise<DeliveryResult>;

export interface CredentialsOfAdapter {
  /** undefined: there are none for this place. */
  of(target: Target): { readonly send: SendWith } | undefined;
  close(): void;
}

export const noCredentials: CredentialsOfAdapter = { of: () => undefined, close: () => undefined };

/** Urls of which it is remembered which token they have taken last. */
const MOST_URLS = 10_000;

export function createCredentialsInUse({ watch, tokens: tokenStore, secrets, mask }: CredentialsOption, pools: ConnectionPools, clock: Clock): CredentialsOfAdapter {
  const tokens = new TokenSource({ store: tokenStore, secrets, clock, ask: (client, signal) => requestToken(pools, client, signal) });
  const takenBy = new Map<string, string>();

  function noteTaken(url: string, token: string): void {
    if (takenBy.get(url) === token) return;
    if (takenBy.size >= MOST_URLS) takenBy.clear();
    takenBy.set(url, token);
  }

  const sendWith = (stored: Stored, origin: string): SendWith => async (attempt, { url, hasOwnLogin }, signal, sendOnce) => {
    if (stored.fault !== undefined) return credentialsUnreadable;
    const used = sendCredentialsOf(stored);
    const { oauth2 } = used;
    // A receiver may quote what it was sent.
    const recorded = (result: DeliveryResult, token?: string): DeliveryResult => ofIdentity(withoutTextsIn(result, token === undefined ? used.secretTexts : [...used.secretTexts, ...secretTextsOfToken(token)]), used.identity, stored.key === origin);
    const prepare = (token?: string): Preparation => prepared(used, attempt, clock(), token);
    // A 401 for a login that the task has itself says nothing of the token.
    if (oauth2 === undefined || hasOwnLogin) return recorded(await sendOnce(prepare()));
    const given = await unlessAborted(tokens.get(oauth2), signal);
    if (!('token' in given)) return withoutToken(given);
    const first = recorded(await sendOnce(prepare(given.token)), given.token);
    if (!isUnauthorized(first)) {
      if (first.kind === 'delivered') noteTaken(url, given.token);
      return first;
    }
    // A token that was made for this send is refused for another reason than its age.
    if (given.isNew) return first;
    const other = await unlessAborted(tokens.afterRefusal(oauth2, given.token, takenBy.get(url) === given.token), signal);
    if (other === undefined) return first;
    if (!('token' in other)) return withoutToken(other);
    const second = recorded(await sendOnce(prepare(other.token)), other.token);
    if (second.kind === 'delivered') noteTaken(url, other.token);
    return second;
  };

  return {
    of({ origin, hostname, pathname }) {
      if (!watch.has(origin)) return undefined;
      const shown = mask(hostname, pathname);
      const stored = watch.find(origin, shown, endpointPath(origin, shown));
      return stored === undefined ? undefined : { send: sendWith(stored, origin) };
    },
    close: () => {
      tokens.close();
    },
  };
}

function prepared({ identity, headers, signers }: SendCredentials, attempt: DeliveryAttempt, now: number, token: string | undefined): Preparation {
  const valid = signers.filter(({ until }) => now < until).map(({ signer }) => signer);
  return {
    identity,
    headers: token === undefined ? headers : { ...headers, Authorization: `Bearer ${token}` },
    signature: valid.length === 0 ? [] : signatureHeaders(valid, attempt, attempt.body, now),
  };
}

function isUnauthorized(result: DeliveryResult): boolean {
  return result.kind === 'failed' && result.httpStatus === 401;
}

/** Redis is asked for the token of the fleet. While it is away nothing could be recorded either. */
function withoutToken(given: Exclude<GivenToken, { token: string }> | Aborted): DeliveryResult {
  if ('aborted' in given) return judgeAbort(given.aborted);
  if ('isAway' in given) return { kind: 'failed', code: 'redis_unavailable', detail: 'Redis could not be asked for the token of the fleet' };
  return { kind: 'failed', ...given.failure };
}

interface Aborted {
  readonly aborted: unknown;
}

/** The wait for a token is a part of the attempt's time. */
function unlessAborted<T>(given: Promise<T>, signal: EndSignal): Promise<T | Aborted> {
  if (signal.aborted) return Promise.resolve({ aborted: signal.reason });
  return new Promise((resolve, reject) => {
    const onAbort = (): void => { resolve({ aborted: signal.reason }); };
    signal.addEventListener('abort', onAbort, { once: true });
    given.then(resolve, reject).finally(() => { signal.removeEventListener('abort', onAbort); });
  });
}

/** A handshake that fails with a certificate or an authority of one endpoint says nothing of the others of its host. */
function ofIdentity(result: DeliveryResult, { tls }: ConnectionIdentity, isOfHost: boolean): DeliveryResult {
  return result.kind === 'failed' && result.code === 'tls_failed' && !isOfHost && Object.keys(tls).length > 0 ? { ...result, isHostWell: true, isOfWholeEndpoint: true } : result;
}

import { readableTlsText, tlsFaultOf, type TlsFault } from '../tls/tls-fault.js';
import { redisErrorCause, redisErrorCode } from './redis-error.js';

/** Why a server does not let us in, although it is there. */
export interface RedisFault {
  /** For people, about the server: `refuses the login: ...`. It names the variables to look at, and never a password. */
  readonly text: string;
  /** Without a change of our settings, or of its own. */
  readonly canHeal: boolean;
  /** Each node of the cluster says so. */
  readonly isOfCluster?: true;
}

/** What was asked: a Redis, or a sentinel, which has variables of its own. */
export type RedisRole = 'redis' | 'sentinel';

const variables = {
  redis: { user: 'REDIS_USERNAME and REDIS_PASSWORD', password: 'REDIS_PASSWORD', tls: 'REDIS_TLS' },
  sentinel: { user: 'REDIS_SENTINEL_PASSWORD', password: 'REDIS_SENTINEL_PASSWORD', tls: 'REDIS_SENTINEL_TLS' },
} as const satisfies Record<RedisRole, Record<string, string>>;

/** Redis has no code of its own for it. */
const MAX_CLIENTS = 'ERR max number of clients';

/** @returns undefined: nobody answers, or it is nothing that concerns the way in */
export function redisFaultOf(error: unknown, role: RedisRole): RedisFault | undefined {
  if (!(error instanceof Error)) return undefined;
  const { user, password } = variables[role];
  switch (redisErrorCode(error)) {
    case 'WRONGPASS':
      return refused(`refuses the login, check ${user}: ${redisErrorCause(error)}`);
    case 'NOAUTH':
      return refused(`asks for a password, set ${password}`);
    case 'NOPERM':
      return refused(`does not give our user a right that it needs: ${redisErrorCause(error)}`);
    case 'DENIED':
      return refused(`takes nothing from other machines: ${redisErrorCause(error)}`);
    // These end by themselves. Until then it answers nothing else, and that looks as if it were not there.
    case 'LOADING':
      return healing(`is still loading its data: ${redisErrorCause(error)}`);
    case 'BUSY':
      return healing(`runs a script that does not end: ${redisErrorCause(error)}`);
    case 'MASTERDOWN':
      return healing(`is a replica that has lost its master: ${redisErrorCause(error)}`);
    case 'ERR':
      return error.message.startsWith(MAX_CLIENTS) ? healing(`takes no more connections, check maxclients: ${redisErrorCause(error)}`) : undefined;
    case undefined:
      return ofTls(error, role);
    default:
      return undefined;
  }
}

/** @param speaksTls what the other side does when it is spoken to in TLS; undefined: it does not answer */
export function faultOfPort(speaksTls: boolean | undefined, isTlsWanted: boolean, role: RedisRole): RedisFault | undefined {
  const { tls } = variables[role];
  if (isTlsWanted && speaksTls === false) return refused(`does not speak TLS on this port, and ${tls} is true`);
  if (!isTlsWanted && speaksTls === true) return refused(`speaks TLS on this port, and ${tls} is not true`);
  return undefined;
}

export function refused(text: string): RedisFault {
  return { text, canHeal: false };
}

export function healing(text: string): RedisFault {
  return { text, canHeal: true };
}

function ofTls(error: Error, role: RedisRole): RedisFault | undefined {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  const fault = tlsFaultOf(code);
  if (fault === undefined) return undefined;
  return { text: `${wordsOf(fault, role)}: ${readableTlsText(error.message)}`, canHeal: fault === 'expired' || fault === 'other' };
}

function wordsOf(fault: TlsFault, role: RedisRole): string {
  switch (fault) {
    case 'untrusted':
      return 'has a certificate that no trusted authority has signed, check REDIS_TLS_CA_FILE';
    case 'expired':
      return 'has a certificate that is not valid now';
    case 'wrong_name':
      return 'has a certificate for other names, use one that stands in it, or set REDIS_TLS_SERVERNAME';
    case 'client_refused':
      return 'refuses our certificate, or asks for one, check REDIS_TLS_CERT_FILE and REDIS_TLS_KEY_FILE';
    case 'no_common':
      return 'has no version or cipher of TLS in common with us, or asks for a certificate of ours: check its tls-protocols and tls-ciphers, REDIS_TLS_CERT_FILE and REDIS_TLS_KEY_FILE';
    case 'not_spoken':
      return `does not speak TLS on this port, and ${variables[role].tls} is true`;
    case 'other':
      return 'fails in the TLS handshake';
  }
}

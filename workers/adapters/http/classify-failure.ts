import { isIPv6 } from 'node:net';

import { errors } from 'undici';

import { ADDRESS_FORBIDDEN } from '../../../shared/addresses/address-guard.js';
import type { DeliveryErrorCode } from '../../../shared/domain/errors.js';
import { readableTlsText } from '../../../shared/tls/tls-fault.js';
import { oneLine } from './one-line.js';
import { UnreadableAnswer } from './unreadable-answer.js';

/** Codes of Node, OpenSSL and undici that have only one meaning. */
const codes: ReadonlyMap<string, DeliveryErrorCode> = new Map(Object.entries({
  [ADDRESS_FORBIDDEN]: 'address_forbidden',
  ECONNREFUSED: 'connection_refused',
  ECONNRESET: 'connection_reset',
  ECONNABORTED: 'connection_reset',
  EPIPE: 'connection_reset',
  UND_ERR_SOCKET: 'connection_reset',
  UND_ERR_CONNECT_TIMEOUT: 'connect_timed_out',
  ETIMEDOUT: 'connect_timed_out',
  ENOTFOUND: 'host_not_found',
  EAI_AGAIN: 'host_not_found',
  EAI_FAIL: 'host_not_found',
  EAI_NODATA: 'host_not_found',
  EHOSTUNREACH: 'host_unreachable',
  EHOSTDOWN: 'host_unreachable',
  ENETUNREACH: 'host_unreachable',
  ENETDOWN: 'host_unreachable',
  EACCES: 'host_unreachable',
  EPERM: 'host_unreachable',
  EAFNOSUPPORT: 'host_unreachable',
  EINVAL: 'host_unreachable',
  EPROTO: 'tls_failed',
  INVALID_CA: 'tls_failed',
  INVALID_PURPOSE: 'tls_failed',
  PATH_LENGTH_EXCEEDED: 'tls_failed',
  HOSTNAME_MISMATCH: 'tls_failed',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'tls_failed',
  ERR_PROXY_UNAVAILABLE: 'proxy_unavailable',
  ERR_PROXY_REFUSED: 'proxy_refused',
  EMFILE: 'local_resources',
  ENFILE: 'local_resources',
  ENOBUFS: 'local_resources',
  EADDRNOTAVAIL: 'local_resources',
  UND_ERR_HEADERS_OVERFLOW: 'response_invalid',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'response_invalid',
  // The adapter was closed while this was being sent.
  UND_ERR_DESTROYED: 'shutting_down',
  UND_ERR_CLOSED: 'shutting_down',
} satisfies Record<string, DeliveryErrorCode>));

/** Families of codes, by how they begin. */
const families: readonly (readonly [start: string, code: DeliveryErrorCode])[] = [
  ['ERR_TLS_', 'tls_failed'],
  ['ERR_SSL_', 'tls_failed'],
  ['ERR_OSSL_', 'tls_failed'],
  ['CERT_', 'tls_failed'],
  ['CRL_', 'tls_failed'],
  ['ERROR_IN_C', 'tls_failed'],
  ['SELF_SIGNED_', 'tls_failed'],
  ['UNABLE_TO_', 'tls_failed'],
  ['HPE_', 'response_invalid'],
];

/**
 * When all addresses of a host failed, the failure that tells most comes first: an address that refuses does at least
 * exist.
 */
const mostTelling: readonly DeliveryErrorCode[] = [
  'connection_refused', 'connection_reset', 'tls_failed', 'connect_timed_out', 'host_unreachable', 'host_not_found',
];

/**
 * Only this function makes a code of ours from an error of the network. It goes by error code and class, through the
 * chain of causes, never by message text. It is asked only when no status line has come: with one, the status decides.
 *
 * @returns `unknown` for what has no row here
 */
export function classifyFailure(error: unknown): DeliveryErrorCode {
  for (const link of causeChain(error)) {
    const code = classifyLink(link);
    if (code !== undefined) return code;
  }
  return 'unknown';
}

function classifyLink(link: Error): DeliveryErrorCode | undefined {
  if (link instanceof AggregateError) {
    // All addresses of a host have failed. The error's own code is just that of its first member.
    const members = new Set(link.errors.map((member) => classifyFailure(member)));
    return mostTelling.find((code) => members.has(code));
  }
  if (link instanceof errors.HTTPParserError) {
    // 7.30 leaves `code` undefined (it looks a number up in a table of names). With no byte left to complain
    // about, the parser must have refused the end itself: the connection closed in mid answer.
    return 'data' in link && link.data === '' ? 'connection_reset' : 'response_invalid';
  }
  if (link instanceof UnreadableAnswer) return 'response_invalid';
  const code = errorCode(link);
  // A name that is too long to be looked up is EINVAL, too.
  if (code === 'EINVAL' && 'syscall' in link && link.syscall === 'getaddrinfo') return 'host_not_found';
  // Out of ports, or a machine without IPv6: the second one never gets better, so it must use up attempts.
  if (code === 'EADDRNOTAVAIL' && 'address' in link && isIPv6(String(link.address))) return 'host_unreachable';
  return codes.get(code) ?? families.find(([start]) => code.startsWith(start))?.[1];
}

/**
 * The whole chain of causes for people: `Error ECONNREFUSED: connect ECONNREFUSED 127.0.0.1:1`.
 *
 * @returns one line, 1..500 characters
 */
export function describeError(error: unknown): string {
  const links = causeChain(error).map(describeLink);
  return oneLine(links.length === 0 ? `not an error: ${String(error)}` : links.join(' <- '), 500);
}

function describeLink(link: Error): string {
  if (link instanceof UnreadableAnswer) return link.message;
  const code = errorCode(link);
  const head = code === '' ? link.name : `${link.name} ${code}`;
  const members = link instanceof AggregateError ? link.errors.map(describeError).join('; ') : '';
  const text = [readableTlsText(link.message), members].filter((part) => part !== '').join(' ');
  return text === '' ? head : `${head}: ${text}`;
}

/** The request itself was refused by undici before anything was sent: we built it wrong. */
export function isBugOfOurs(error: unknown): boolean {
  return error instanceof errors.InvalidArgumentError || error instanceof errors.NotSupportedError;
}

/** The error and its causes, outermost first; at most ten, since a chain may be a circle. */
function causeChain(error: unknown): Error[] {
  const chain: Error[] = [];
  for (let link = error; link instanceof Error && chain.length < 10; link = link.cause) chain.push(link);
  return chain;
}

function errorCode(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : '';
}

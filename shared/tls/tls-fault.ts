/**
 * Why no TLS connection came about.
 *
 * | fault | seen when |
 * |---|---|
 * | `untrusted` | no authority that we know signed the certificate of the other side |
 * | `expired` | its certificate has expired, or is not valid yet |
 * | `wrong_name` | its certificate is for other names than the one that was connected to |
 * | `client_refused` | it does not take our certificate, or asks for one and we have none |
 * | `not_spoken` | it does not speak TLS: a plain port |
 * | `other` | everything else, such as no common version |
 */
export type TlsFault = 'untrusted' | 'expired' | 'wrong_name' | 'client_refused' | 'not_spoken' | 'other';

const faultOfCode: ReadonlyMap<string, TlsFault> = new Map([
  ['CERT_HAS_EXPIRED', 'expired'],
  ['CERT_NOT_YET_VALID', 'expired'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'wrong_name'],
  ['HOSTNAME_MISMATCH', 'wrong_name'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'untrusted'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'untrusted'],
  ['UNABLE_TO_GET_ISSUER_CERT', 'untrusted'],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'untrusted'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'untrusted'],
  ['CERT_CHAIN_TOO_LONG', 'untrusted'],
  ['CERT_REJECTED', 'untrusted'],
  ['CERT_REVOKED', 'untrusted'],
  ['CERT_SIGNATURE_FAILURE', 'untrusted'],
  ['CERT_UNTRUSTED', 'untrusted'],
  ['INVALID_CA', 'untrusted'],
  ['INVALID_PURPOSE', 'untrusted'],
  ['PATH_LENGTH_EXCEEDED', 'untrusted'],
  // The bytes that came back are no record of TLS.
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'not_spoken'],
  ['ERR_SSL_PACKET_LENGTH_TOO_LONG', 'not_spoken'],
  ['EPROTO', 'other'],
]);

/** Alerts of the other side about our certificate. What stands before them differs between versions of OpenSSL. */
const CLIENT_REFUSED = /_ALERT_(ACCESS_DENIED|BAD_CERTIFICATE|CERTIFICATE_(EXPIRED|REQUIRED|REVOKED|UNKNOWN)|NO_CERTIFICATE|UNKNOWN_CA|UNSUPPORTED_CERTIFICATE)$/;
const OF_TLS = /^ERR_(OSSL|SSL|TLS)_/;

/** @param code of an error of Node or OpenSSL. @returns undefined: it is no fault of TLS */
export function tlsFaultOf(code: string | undefined): TlsFault | undefined {
  if (code === undefined) return undefined;
  if (CLIENT_REFUSED.test(code)) return 'client_refused';
  return faultOfCode.get(code) ?? (OF_TLS.test(code) ? 'other' : undefined);
}

/** `801C...:error:0A000412:SSL routines:ssl3_read_bytes:sslv3 alert bad certificate:../deps/...:1601:SSL alert number 42` -> the words of it. */
const OPENSSL_LINE = /[0-9A-F]+:error:[0-9A-F]+:[^:]*:[^:]*:([^:]+):[^:]*:\d+:(?:SSL alert number \d+)?\s*/g;

/** The text of an error, without what only a developer of OpenSSL can read. */
export function readableTlsText(message: string): string {
  return message.replace(OPENSSL_LINE, '$1');
}

/** TLS was begun, and what came back is none, or the connection was closed. */
export class TlsNotSpoken extends Error {
  constructor(options?: ErrorOptions) {
    super('the other side ended the TLS handshake without a word of TLS: it may be a port without TLS', options);
    this.name = 'TlsNotSpoken';
  }
}

/** The other side answers in TLS, and we have spoken without. */
export class TlsExpected extends Error {
  constructor() {
    super('the other side speaks TLS, and this connection is without');
    this.name = 'TlsExpected';
  }
}

/** Content types alert and handshake, and the version: how an answer in TLS begins to one who does not speak it. */
export function beginsLikeTls(bytes: Buffer): boolean {
  return (bytes[0] === 0x15 || bytes[0] === 0x16) && bytes[1] === 0x03;
}

/**
 * Why no TLS connection came about.
 *
 * | fault | seen when |
 * |---|---|
 * | `untrusted` | no authority that we know signed the certificate of the other side |
 * | `expired` | its certificate has expired, or is not valid yet |
 * | `wrong_name` | its certificate is for other names than the one that was connected to |
 * | `client_refused` | it does not take our certificate, or asks for one and we have none |
 * | `no_common` | it and we have no version or cipher in common. Up to TLS 1.2 it may also ask for a certificate that we have not: both are the alert `handshake failure` |
 * | `not_spoken` | it does not speak TLS: a plain port |
 * | `other` | everything else, such as an error inside of it |
 */
export type TlsFault = 'untrusted' | 'expired' | 'wrong_name' | 'client_refused' | 'no_common' | 'not_spoken' | 'other';

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
  // Found by our side in the answer. OpenSSL has no alert for them to read.
  ['ERR_SSL_NO_PROTOCOLS_AVAILABLE', 'no_common'],
  ['ERR_SSL_UNSUPPORTED_PROTOCOL', 'no_common'],
  ['ERR_SSL_VERSION_TOO_LOW', 'no_common'],
  ['ERR_SSL_NO_CIPHERS_AVAILABLE', 'no_common'],
  // The bytes that came back are no record of TLS.
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'not_spoken'],
  ['ERR_SSL_PACKET_LENGTH_TOO_LONG', 'not_spoken'],
  ['EPROTO', 'other'],
]);

/**
 * What an alert of the other side is about, by its name: of RFC 8446 section 6.2, RFC 6066 and older versions. All others, such as
 * `internal error`, say nothing that settings could change.
 *
 * | alert | sent by a server |
 * |---|---|
 * | `decrypt error` | for a certificate that bears the name of its authority, and the signature of another key: an authority made anew |
 * | `handshake failure` | without a common cipher, and up to TLS 1.2 without a certificate of ours. So is `insufficient security` |
 * | `unrecognized name` | that has no certificate for the name that it was asked for (SNI) |
 */
const faultOfAlert: ReadonlyMap<string, TlsFault> = new Map([
  ...['ACCESS_DENIED', 'BAD_CERTIFICATE', 'BAD_CERTIFICATE_HASH_VALUE', 'BAD_CERTIFICATE_STATUS_RESPONSE', 'CERTIFICATE_EXPIRED', 'CERTIFICATE_REQUIRED', 'CERTIFICATE_REVOKED', 'CERTIFICATE_UNKNOWN', 'CERTIFICATE_UNOBTAINABLE', 'DECRYPT_ERROR', 'NO_CERTIFICATE', 'UNKNOWN_CA', 'UNSUPPORTED_CERTIFICATE'].map((alert) => [alert, 'client_refused'] as const),
  ...['EXPORT_RESTRICTION', 'HANDSHAKE_FAILURE', 'INAPPROPRIATE_FALLBACK', 'INSUFFICIENT_SECURITY', 'PROTOCOL_VERSION'].map((alert) => [alert, 'no_common'] as const),
  ['UNRECOGNIZED_NAME', 'wrong_name'],
]);

/** `ERR_SSL_TLSV1_ALERT_UNKNOWN_CA`, `ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE`: what stands before the alert differs between versions of OpenSSL. */
const ALERT = /_ALERT_(.+)$/;
/** Alerts of extensions are named without the word. Without the first digit `TLSV1_` begins errors of our own side, too. */
const ALERT_OF_EXTENSION = /_TLSV1_(UNSUPPORTED_EXTENSION|CERTIFICATE_UNOBTAINABLE|UNRECOGNIZED_NAME|BAD_CERTIFICATE_STATUS_RESPONSE|BAD_CERTIFICATE_HASH_VALUE)$/;
const OF_TLS = /^ERR_(OSSL|SSL|TLS)_/;

/** @param code of an error of Node. @returns the alert of the other side: `UNKNOWN_CA`; undefined: it has sent none */
export function alertOf(code: string | undefined): string | undefined {
  return code === undefined ? undefined : (ALERT.exec(code) ?? ALERT_OF_EXTENSION.exec(code))?.[1];
}

/** @param code of an error of Node or OpenSSL. @returns undefined: it is no fault of TLS */
export function tlsFaultOf(code: string | undefined): TlsFault | undefined {
  if (code === undefined) return undefined;
  const alert = alertOf(code);
  if (alert !== undefined) return faultOfAlert.get(alert) ?? 'other';
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

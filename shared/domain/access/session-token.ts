/** `deploy01.0a...`: what the cookie of a session holds. It names the key, whose sessions are stored together. */
export interface SessionToken {
  readonly keyId: string;
  /** 64 lower-case hex digits: 32 random bytes. */
  readonly secret: string;
}

/** The dot keeps it apart from an access key: neither is ever taken for the other. */
const SESSION_TOKEN = /^([a-z0-9]{4,16})\.([0-9a-f]{64})$/;

/** @returns undefined for a text that no session can have */
export function parseSessionToken(text: string): SessionToken | undefined {
  const [, keyId, secret] = SESSION_TOKEN.exec(text) ?? [];
  return keyId === undefined || secret === undefined ? undefined : { keyId, secret };
}

/** `{"keyId":"deploy01","secret":"0a..."}` -> `deploy01.0a...` */
export function printSessionToken({ keyId, secret }: SessionToken): string {
  return `${keyId}.${secret}`;
}

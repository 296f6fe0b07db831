import type { IncomingMessage } from 'node:http';
import { parseSessionToken, printSessionToken, type SessionToken } from '../../shared/domain/access/session-token.js';

/** The cookie of a page that came by https. Browsers take this name only over https, for this host alone and all its paths: no other host can plant it. */
const SECURE_NAME = '__Host-krs_session';
const NAME = 'krs_session';
/** A script cannot read it, and a browser sends it with no request that another site has caused. */
const ATTRIBUTES = 'Path=/; HttpOnly; SameSite=Strict';

/**
 * The session that a request names.
 * @returns undefined without a cookie of ours. Two different ones are none: one of them was planted
 */
export function sessionTokenOf(request: IncomingMessage): SessionToken | undefined {
  const { cookie } = request.headers;
  if (cookie === undefined || !cookie.includes(NAME)) return undefined;
  const secure = valuesOf(cookie, SECURE_NAME);
  const values = secure.size > 0 || isHttps(request) ? secure : valuesOf(cookie, NAME);
  const [value = '', ...others] = values;
  return others.length > 0 ? undefined : parseSessionToken(value);
}

/** The header Set-Cookie of a session that was started. It has no end: the API knows it, and can say why it has come. */
export function cookieOf(token: SessionToken, request: IncomingMessage): string {
  return isHttps(request) ? `${SECURE_NAME}=${printSessionToken(token)}; ${ATTRIBUTES}; Secure` : `${NAME}=${printSessionToken(token)}; ${ATTRIBUTES}`;
}

/** The headers Set-Cookie that make a browser forget its session. */
export function forgettingCookies(): string[] {
  return [`${NAME}=; ${ATTRIBUTES}; Max-Age=0`, `${SECURE_NAME}=; ${ATTRIBUTES}; Secure; Max-Age=0`];
}

/**
 * Whether the page of a browser came by https. TLS ends in front of this service. Origin, which the browser itself sends, is asked first; a
 * proxy has to set X-Forwarded-Proto. Who lies here only changes his own cookie.
 */
function isHttps({ headers }: IncomingMessage): boolean {
  const { origin, 'x-forwarded-proto': protocols } = headers;
  if (origin !== undefined) return /^https:/i.test(origin);
  const [outermost = ''] = (Array.isArray(protocols) ? protocols.join(',') : (protocols ?? '')).split(',');
  return outermost.trim().toLowerCase() === 'https';
}

function valuesOf(cookie: string, name: string): ReadonlySet<string> {
  const pairs = cookie.split(';').map((pair) => pair.trim());
  return new Set(pairs.filter((pair) => pair.startsWith(`${name}=`)).map((pair) => pair.slice(name.length + 1)));
}

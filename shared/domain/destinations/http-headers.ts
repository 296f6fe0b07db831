import { HIDDEN_VALUE, isShownOpenly, type FieldCheck, type TextCheck } from '../field-check.js';

/** Headers of requests that a client or an operator chooses. */
export type HttpHeaders = Readonly<Record<string, string>>;

/** The same with values that are encrypted together. */
export interface SealedHeaders {
  readonly names: readonly string[];
  /** JSON of all values, in the order of the names: see secret-box.ts. */
  readonly sealed: string;
}

const MAX_HEADERS = 32;
const MAX_HEADER_BYTES = 8_192;

/** Headers that concern one connection (RFC 9110, 7.6.1), or how a message is framed: the HTTP client alone writes them. */
const ofConnection: ReadonlySet<string> = new Set(['connection', 'keep-alive', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'http2-settings', 'host', 'content-length', 'expect']);
/** Headers that this service writes itself. Twice in a request they would mean nothing. */
const ofService = /^(?:x-message-key$|x-retry-|webhook-)/;

const isHeaderName: TextCheck = (value) => {
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(value)) return "must be the name of a header: letters, digits and !#$%&'*+-.^_`|~";
  const name = value.toLowerCase();
  if (name === 'content-type') return 'is not taken: use content_type';
  if (ofConnection.has(name) || name.startsWith('proxy-')) return 'is not taken: it belongs to the connection';
  return ofService.test(name) ? 'is not taken: this service writes it' : undefined;
};

/** Spaces at the ends would be cut off on the way, and characters beyond ASCII are read in different ways by receivers. */
const isHeaderValue: TextCheck = (value) => (/^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/.test(value) ? undefined : 'must be visible ASCII characters, with spaces and tabs only between them');

export const httpHeadersCheck: FieldCheck & { readonly kind: 'texts_by_name' } = {
  kind: 'texts_by_name',
  name: [isHeaderName],
  value: [isHeaderValue, isShownOpenly],
  maxNames: MAX_HEADERS,
  allowed: `at most ${MAX_HEADERS} texts by name, ${MAX_HEADER_BYTES} bytes in all, visible ASCII; none is \`${HIDDEN_VALUE}\``,
};

/** @returns a complaint about all headers together */
export function complaintAboutHeaders(headers: HttpHeaders): string | undefined {
  const names = Object.keys(headers);
  if (names.length > MAX_HEADERS) return `must not have more than ${MAX_HEADERS} headers`;
  if (new Set(names.map((name) => name.toLowerCase())).size < names.length) return 'must not have the same header twice: letter case makes no other name';
  const bytes = Object.entries(headers).flat().reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  return bytes <= MAX_HEADER_BYTES ? undefined : `must not have more than ${MAX_HEADER_BYTES} bytes of headers`;
}

/** The same headers with *** in place of each value. */
export function withHiddenValues(names: Iterable<string>): HttpHeaders {
  return Object.fromEntries([...names].map((name) => [name, HIDDEN_VALUE]));
}

/** Puts the old value where the new one is ***, whatever the letter case of the name. @param headers not checked yet */
export function withKeptValues(headers: unknown, old: HttpHeaders | undefined): unknown {
  if (typeof headers !== 'object' || headers === null || Array.isArray(headers) || old === undefined) return headers;
  const known = new Map(Object.entries(old).map(([name, value]) => [name.toLowerCase(), value]));
  return Object.fromEntries(Object.entries(headers).map(([name, value]: [string, unknown]) => [name, value === HIDDEN_VALUE ? (known.get(name.toLowerCase()) ?? value) : value]));
}

/**
 * The parts of header values that an answer may quote: the value, what stands behind `Bearer` or `Basic`, user and password of the
 * latter, and the value in base64.
 */
export function secretTextsOfHeaders(headers: HttpHeaders): readonly string[] {
  return Object.values(headers).flatMap((value) => {
    const [, scheme = '', token] = /^([A-Za-z]+) +(\S+)$/.exec(value) ?? [];
    const texts = token === undefined ? [value] : [value, token];
    if (token !== undefined && /^basic$/i.test(scheme)) {
      const login = Buffer.from(token, 'base64').toString('utf8');
      texts.push(login, login.slice(login.indexOf(':') + 1));
    }
    return [...texts, ...texts.map((text) => Buffer.from(text, 'utf8').toString('base64').replace(/=+$/, ''))];
  });
}

/** One spelling of the same headers. */
export function canonicalHeaders(headers: HttpHeaders): readonly (readonly [string, string])[] {
  return Object.entries(headers)
    .map(([name, value]) => [name.toLowerCase(), value] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

export function hasAuthorization(headers: HttpHeaders): boolean {
  return Object.keys(headers).some((name) => name.toLowerCase() === 'authorization');
}

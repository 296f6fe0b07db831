import { HIDDEN_VALUE, isShownOpenly, isWellFormed, type TextCheck } from '../field-check.js';
import { flowNamed, type Flow } from './flow.js';
import { hasHidden } from '../hidden-characters.js';
import { remembered } from '../remembered.js';
import { addressMeant } from './address-meant.js';
import { basicCredentials } from './basic-credentials.js';
import type { DestinationRow, StoredFields } from './destination-row.js';
import { withHiddenLogin, withKeptLogin } from './hidden-login.js';
import { canonicalHeaders, complaintAboutHeaders, hasAuthorization, httpHeadersCheck, secretTextsOfHeaders, withHiddenValues, withKeptValues, type HttpHeaders, type SealedHeaders } from './http-headers.js';
import { nameWithoutSecrets, shownName } from './name-without-secrets.js';
import { endpointPath, type PathMask } from './path-mask.js';
import { percentDecoded } from './percent-decoded.js';

export interface HttpDestination {
  readonly type: 'http';
  /** Absolute http or https url, in the client's spelling. */
  readonly url: string;
  /** Left out for POST. */
  readonly method?: Exclude<HttpMethod, 'POST'>;
  /** Left out for application/json. */
  readonly contentType?: string;
  readonly headers?: HttpHeaders;
  /** In place of `headers`, as they are stored where there is a key: see task-secrets.ts. */
  readonly sealedHeaders?: SealedHeaders;
}

export interface HttpWire {
  readonly url: string;
  readonly method?: HttpMethod;
  readonly headers?: HttpHeaders;
  readonly content_type?: string;
}

const httpMethods = ['POST', 'PUT', 'PATCH'] as const;
export type HttpMethod = (typeof httpMethods)[number];
export const DEFAULT_CONTENT_TYPE = 'application/json';
const MAX_CONTENT_TYPE_CHARACTERS = 255;
/** Type, subtype and parameters (RFC 9110, 8.3.1). */
const CONTENT_TYPE = /^[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+(?:[ \t]*;[ \t]*[\w!#$%&'*+.^`|~-]+=(?:[\w!#$%&'*+.^`|~-]+|"[\t \x21\x23-\x5b\x5d-\x7e]*"))*$/;

export interface HttpReceipt {
  readonly httpStatus: number;
}

const MAX_URL_CHARACTERS = 8_192;
/**
 * A name of DNS has at most 253 characters, so a longer one is found nowhere. The time to write an international name in
 * ASCII grows with the square of its length: 80 ms of CPU for 8,000 characters (Node 20), each time that the url is read.
 */
const MAX_AUTHORITY_CHARACTERS = 255;
/** Urls whose flows are remembered. */
const MAX_FLOWS = 5_000;

export const httpType: DestinationRow<HttpDestination, HttpWire, HttpReceipt> = {
  type: 'http',
  fields: {
    url: {
      check: { kind: 'text', checks: [isWellFormed, hasNoSpaces, isUrl], maxCharacters: MAX_URL_CHARACTERS, allowed: `absolute http or https url of at most ${MAX_URL_CHARACTERS} characters, ${MAX_AUTHORITY_CHARACTERS} of them for host and port, percent-encoded` },
      isRequired: true,
      doc: 'where it is sent to; a user and password in it become basic authentication',
    },
    method: { check: { kind: 'choice', choices: httpMethods, isText: true }, isRequired: false, doc: 'method of the request; without it `POST`' },
    headers: { check: httpHeadersCheck, isRequired: false, doc: 'headers of the request, such as `Authorization`. Their values are encrypted where SECRETS_KEYS is set, and shown nowhere. Not those of the connection, `Host`, `Content-Length`, `Content-Type`, nor what this service writes: `x-retry-...`, `X-Message-Key`, `webhook-...`' },
    content_type: {
      check: { kind: 'text', checks: [isContentType], maxCharacters: MAX_CONTENT_TYPE_CHARACTERS, allowed: `a media type of at most ${MAX_CONTENT_TYPE_CHARACTERS} characters, such as text/plain; charset=utf-8` },
      isRequired: false,
      doc: `header Content-Type of the request; without it \`${DEFAULT_CONTENT_TYPE}\`. The message is sent in UTF-8 whatever it says`,
    },
  },
  checkAll({ url, headers }) {
    if (headers === undefined) return undefined;
    return complaintAboutHeaders(headers) ?? (hasAuthorization(headers) && placeOf(url).hasLogin ? 'must not have both a user or password in url and a header Authorization' : undefined);
  },
  parse: ({ url, method, headers, content_type: contentType }) => ({
    type: 'http',
    url,
    ...(method === undefined || method === 'POST' ? {} : { method }),
    ...(contentType === undefined || contentType === DEFAULT_CONTENT_TYPE ? {} : { contentType }),
    ...(headers === undefined || Object.keys(headers).length === 0 ? {} : { headers }),
  }),
  unparse: ({ url, method, contentType, headers, sealedHeaders }) => ({
    url,
    ...(method === undefined ? {} : { method }),
    ...(sealedHeaders === undefined ? {} : { headers: withHiddenValues(sealedHeaders.names) }),
    ...(headers === undefined ? {} : { headers }),
    ...(contentType === undefined ? {} : { content_type: contentType }),
  }),
  hideSecrets: ({ url, headers, ...rest }) => ({ url: withHiddenLogin(url), ...rest, ...(headers === undefined ? {} : { headers: withHiddenValues(Object.keys(headers)) }) }),
  keepSecrets(wire, old) {
    if (typeof wire['url'] !== 'string') return wire;
    const kept = { ...wire, url: withKeptLogin(wire['url'], old.url) };
    return wire['headers'] !== undefined && isSameOrigin(wire['url'], old.url) ? { ...kept, headers: withKeptValues(wire['headers'], old.headers) } : kept;
  },
  toWire: (destination, mask) => {
    const { url, headers, ...rest } = httpType.unparse(destination);
    return { url: shownUrl(url, mask), ...rest, ...(headers === undefined ? {} : { headers: withHiddenValues(Object.keys(headers)) }) };
  },
  receipt: { httpStatus: 'http_status' },
  /** `http https://api.example.com/hook?...`: a query often holds an API token. */
  print({ url }, mask) {
    const { isUrl: isPrintable, origin, hostname, path, hasQuery } = placeOf(url);
    if (!isPrintable) return 'http (not a url)';
    return `http ${origin}${endpointPath(origin, mask(hostname, path))}${hasQuery ? '?...' : ''}`;
  },
  secretTexts: ({ url, headers }, mask) => (headers === undefined ? secretTextsOf(url, mask) : [...secretTextsOf(url, mask), ...secretTextsOfHeaders(headers)]),
  canonical: ({ url, method, contentType, headers, sealedHeaders }) =>
    method === undefined && contentType === undefined && headers === undefined && sealedHeaders === undefined
      ? ['http', url]
      : ['http', url, method ?? null, contentType ?? null, headers === undefined ? (sealedHeaders ?? null) : canonicalHeaders(headers)],
  flow: ({ url }, _defaultBrokers, mask) => flowOfUrl(url, mask),
  dials({ url }) {
    const { isUrl: isDialed, hostname, port } = placeOf(url);
    return isDialed ? { field: 'url', host: hostname, port } : undefined;
  },
  endpointPath({ url }, mask) {
    const { origin, hostname, path } = placeOf(url);
    return endpointPath(origin, mask(hostname, path));
  },
  canonicalName(name, _defaultBrokers, mask) {
    const url = httpUrlIn(name);
    if (url === undefined || ORIGIN_ALONE.test(visibleStart(name))) return url?.origin;
    return url.origin + endpointPath(url.origin, mask(url.hostname, url.pathname));
  },
  hostOfName: (name) => /^https?:\/\/[^/]*/.exec(name)?.[0],
  seal({ headers, ...rest }, seal) {
    if (headers === undefined) return { ...rest };
    return { ...rest, sealedHeaders: { names: Object.keys(headers), sealed: seal(JSON.stringify(Object.values(headers))) } };
  },
  open({ sealedHeaders, ...rest }, open) {
    if (sealedHeaders === undefined) return { ...rest };
    // What the key has opened is what `seal` wrote: an array of texts.
    const values = JSON.parse(open(sealedHeaders.sealed)) as string[];
    return { ...rest, headers: Object.fromEntries(sealedHeaders.names.map((name, nth) => [name, values[nth] ?? ''])) };
  },
  isSealed: ({ sealedHeaders }) => sealedHeaders !== undefined,
  hasSecretFields: ({ headers }) => headers !== undefined,
  mark: 'u',
  /** Processes of versions that know only the url must not send without the rest, so they find no `u` there. */
  encode: ({ url, method, contentType, headers, sealedHeaders }) =>
    method === undefined && contentType === undefined && headers === undefined && sealedHeaders === undefined
      ? { u: url }
      : { y: 'http', l: url, m: method, c: contentType, h: headers, s: sealedHeaders === undefined ? undefined : [sealedHeaders.names, sealedHeaders.sealed] },
  decode: (stored) => (typeof stored['u'] === 'string' ? { type: 'http', url: stored['u'] } : decodeWhole(stored)),
};

function decodeWhole({ l: url, m: method, c: contentType, h: headers, s: sealed }: StoredFields): HttpDestination | undefined {
  const knownMethod = httpMethods.find((each) => each === method);
  const sealedHeaders = Array.isArray(sealed) ? readSealed(sealed) : undefined;
  if (typeof url !== 'string' || knownMethod === 'POST' || knownMethod !== method) return undefined;
  if ((contentType !== undefined && typeof contentType !== 'string') || (headers !== undefined && !areTexts(headers)) || (sealed !== undefined && sealedHeaders === undefined)) return undefined;
  return {
    type: 'http',
    url,
    ...(knownMethod === undefined ? {} : { method: knownMethod }),
    ...(contentType === undefined ? {} : { contentType }),
    ...(headers === undefined ? {} : { headers }),
    ...(sealedHeaders === undefined ? {} : { sealedHeaders }),
  };
}

function readSealed([names, sealed]: readonly unknown[]): SealedHeaders | undefined {
  return Array.isArray(names) && names.every((name) => typeof name === 'string') && typeof sealed === 'string' ? { names, sealed } : undefined;
}

function areTexts(value: unknown): value is HttpHeaders {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every((text) => typeof text === 'string');
}

function isContentType(value: string): ReturnType<TextCheck> {
  return CONTENT_TYPE.test(value) ? undefined : 'must be a media type, such as text/plain; charset=utf-8';
}

function isSameOrigin(url: string, old: string): boolean {
  const origin = parseUrl(url)?.origin;
  return origin !== undefined && origin === parseUrl(old)?.origin;
}

function hasNoSpaces(value: string): ReturnType<TextCheck> {
  return /[\s\p{Cc}]/u.test(value) ? 'must not contain spaces or control characters: percent-encode them' : undefined;
}

/**
 * The parser of WHATWG repairs a text without a word, so that it goes somewhere else than its reader thinks: `http:///a`,
 * `http:/a`, `http:a` and `http:\\a` all mean `http://a/`, `http://a\@b/` goes to a, and invisible characters in a host
 * are dropped. Such texts are refused.
 */
function faultOfUrl(value: string): ReturnType<TextCheck> {
  const [, beforeQuery, authority] = /^https?:\/\/(([^/\\?#]+)[^?#]*)/i.exec(value) ?? [];
  if (beforeQuery === undefined || authority === undefined) return NO_URL + hintForUrl(value);
  if (beforeQuery.includes('\\')) return 'must not contain a backslash: percent-encode it';
  if (/\p{Default_Ignorable_Code_Point}/u.test(authority)) return 'must not have invisible characters in its host';
  if (authority.length - (authority.lastIndexOf('@') + 1) > MAX_AUTHORITY_CHARACTERS) return HOST_TOO_LONG;
  const url = parseUrl(value);
  if (url === undefined || url.port === '0') return NO_URL;
  if (url.hostname.endsWith('..')) return 'must not have more than one dot at the end of its host';
  // GET /tasks/:id shows one mark for user and password together.
  return isShownOpenly(url.password === '' ? url.username : url.password) === undefined ? undefined : HIDDEN_LOGIN;
}

/** A client sends to the same few urls again and again. The empty text: there is no fault. */
const rememberedFault = remembered(1_000, (value) => faultOfUrl(value) ?? '');

function isUrl(value: string): ReturnType<TextCheck> {
  const fault = rememberedFault(value);
  return fault === '' ? undefined : fault;
}

const NO_URL = 'must be an absolute http or https url';
const HOST_TOO_LONG = `must not have more than ${MAX_AUTHORITY_CHARACTERS} characters of host and port`;
const HIDDEN_LOGIN = `must not have ${HIDDEN_VALUE} for a user and password, which stands for what is not shown: write them out`;

/** `localhost:8080/hook` -> `: did you mean http://localhost:8080/...?`. A path or a query may be secret, so neither is repeated. */
function hintForUrl(value: string): string {
  if (/^kafka:/i.test(value)) return ': to send to Kafka, use destination_type kafka, with host, port and topic';
  const meant = addressMeant(value);
  if (meant === undefined) return ', such as https://api.example.com/orders';
  const { scheme, host, port, hasMore } = meant;
  return `: did you mean ${scheme === 'https' ? 'https' : 'http'}://${host}${port === undefined ? '' : `:${port}`}/${hasMore ? '...' : ''}?`;
}

/**
 * A url as the API shows it: in the client's spelling where nothing of it has to be hidden, and nothing in it is hidden from
 * the reader. A character that turns the text round (U+202E) is shown as it is sent: `%E2%80%AE`.
 */
export function shownUrl(text: string, mask: PathMask): string {
  const { isUrl: isPrintable, origin, hostname, path, hasLogin, hasQuery, hasFragment } = placeOf(text);
  // A client could not submit it, but a person has to be able to look at it.
  if (!isPrintable) return '(not a url)';
  const shownPath = mask(hostname, path);
  // `/secret/..` is `/`: what stands before the dots is no part of the path, and would be shown unmasked.
  const hasDotSegments = /[/\\](?:\.|%2e){1,2}(?:[/\\?#]|$)/i.test(text);
  if (shownPath === path && !hasLogin && !hasQuery && !hasFragment && !hasDotSegments && !hasHidden(text)) return text;
  return `${hasLogin ? origin.replace('//', '//***@') : origin}${shownPath}${hasQuery ? '?...' : ''}${hasFragment ? '#...' : ''}`;
}

/**
 * The http url that a name means, as parsers of urls read it: ` https:user:password@host`, `HTTPS:\\host` and `https://host` are
 * all `https://host/`. Flow control counts such a name by its origin and path, and it is shown like any url.
 */
function httpUrlIn(name: string): URL | undefined {
  // Nearly all names end here.
  return HTTP_START.test(name) ? parseUrl(visibleStart(name)) : undefined;
}

/** An operator who writes no path means the host. The endpoint of its root path ends in a slash. */
const ORIGIN_ALONE = /^https?:[/\\]*[^/\\?#]*$/i;
const HTTP_START = /^[\s\p{C}\p{Z}]*https?:/iu;

/** WHATWG skips only spaces and control characters in front of a url. */
function visibleStart(name: string): string {
  return name.replace(/^[\s\p{C}\p{Z}]+/u, '');
}

/** A flow_key as it may be shown: without the secrets of a url, as httpUrlIn and nameWithoutSecrets find them. */
export function shownFlowKey(flowKey: string, mask: PathMask): string {
  const url = [flowKey, nameWithoutSecrets(flowKey)].find((name) => httpUrlIn(name) !== undefined);
  return url === undefined ? shownName(flowKey) : shownUrl(visibleStart(url), mask);
}

/**
 * The name of an endpoint that was stored, as it may be shown: the process that stored it may have hidden less than is hidden now. Other names
 * have no paths, and stay.
 */
export function hiddenName(name: string, mask: PathMask): string {
  const [, origin = '', hostname = ''] = NAME_OF_ENDPOINT.exec(name) ?? [];
  return origin === '' ? name : origin + endpointPath(origin, mask(hostname, name.slice(origin.length)));
}

/** As canonicalName writes it: origin and path. */
const NAME_OF_ENDPOINT = /^(https?:\/\/(\[[^\]]*\]|[^/:]*)(?::\d+)?)\//;

/** A shorter segment or value is no secret by itself, and would be found in words of an answer that mean something else. */
const ALONE_FROM_CHARACTERS = 6;

/** Parts of a url that an answer may quote, as they stand in it. */
function secretTextsOf(text: string, mask: PathMask): readonly string[] {
  const { hostname, path, hasLogin, hasQuery } = placeOf(text);
  const shownPath = mask(hostname, path);
  const url = hasLogin || hasQuery || shownPath !== path ? parseUrl(text) : undefined;
  if (url === undefined) return [];
  const found: string[] = [];
  const alone: string[] = [];
  if (shownPath !== path) {
    found.push(path);
    const shownSegments = shownPath.split('/');
    alone.push(...path.split('/').filter((segment, nth) => segment !== shownSegments[nth]));
  }
  if (hasQuery) {
    const query = url.search.slice(1);
    found.push(query);
    for (const pair of query.split('&')) {
      const equalsAt = pair.indexOf('=');
      if (equalsAt >= 0) found.push(pair);
      alone.push(pair.slice(equalsAt + 1));
    }
  }
  if (hasLogin) {
    found.push(`${url.username}:${url.password}`, url.password);
    alone.push(url.username);
    // A receiver that quotes the headers of a request quotes it like this.
    found.push(basicCredentials(url));
  }
  return [...found, ...alone.filter((part) => percentDecoded(part).length >= ALONE_FROM_CHARACTERS)];
}

/** The parts of a url. */
export interface UrlPlace {
  /** false: a client could not submit such a text, and host and path are made up for it. */
  readonly isUrl: boolean;
  readonly origin: string;
  readonly hostname: string;
  readonly port: number;
  readonly path: string;
  readonly hasLogin: boolean;
  readonly hasQuery: boolean;
  readonly hasFragment: boolean;
  /** The flow that was last asked for: by which mask it was named, and when in the count of `maskChanges`. */
  flow: Flow | undefined;
  namedBy: PathMask | undefined;
  namedAt: number;
}

/** For texts that are no urls as well: a task may hold one. */
export const placeOf = remembered(MAX_FLOWS, (text): UrlPlace => {
  const url = parseUrl(text);
  return {
    isUrl: url !== undefined,
    origin: url?.origin ?? 'http://invalid',
    hostname: url?.hostname ?? 'invalid',
    port: Number(url?.port) || (url?.protocol === 'https:' ? 443 : 80),
    path: url?.pathname ?? '',
    hasLogin: url !== undefined && (url.username !== '' || url.password !== ''),
    hasQuery: url !== undefined && url.search !== '',
    hasFragment: url !== undefined && url.hash !== '',
    flow: undefined,
    namedBy: undefined,
    namedAt: 0,
  };
});

let maskChanges = 0;

/** To be called when a mask hides other paths than before. */
export function forgetFlows(): void {
  maskChanges += 1;
}

/**
 * A flow is asked for with every send. To put its names together costs more than to look them up, and a second look-up beside that of the parts
 * of the url costs as much as the first one where each task has a url of its own. Each process has one mask, and a test may have several.
 */
function flowOfUrl(url: string, mask: PathMask): Flow {
  const place = placeOf(url);
  if (place.flow !== undefined && place.namedBy === mask && place.namedAt === maskChanges) return place.flow;
  const { origin, hostname, path } = place;
  place.namedBy = mask;
  place.namedAt = maskChanges;
  return (place.flow = flowNamed(origin + endpointPath(origin, mask(hostname, path)), origin));
}

function parseUrl(text: string): URL | undefined {
  try {
    return new URL(text); // canParse first would parse the good ones twice, for every attempt
  } catch {
    return undefined; // no url: the callers say what follows
  }
}

import { isWellFormed, type TextCheck } from '../field-check.js';
import type { DestinationRow, StoredFields } from './destination-row.js';
import { withHiddenLogin, withKeptLogin } from './hidden-login.js';
import { canonicalHeaders, complaintAboutHeaders, hasAuthorization, httpHeadersCheck, secretTextsOfHeaders, withHiddenValues, withKeptValues, type HttpHeaders, type SealedHeaders } from './http-headers.js';
import { nameWithoutSecrets, shownName } from './name-without-secrets.js';
import { endpointPath, type PathMask } from './path-mask.js';
import { flowOfUrl, hasNoSpaces, httpUrlIn, isSameOrigin, isUrl, MAX_AUTHORITY_CHARACTERS, ORIGIN_ALONE, placeOf, secretTextsOf, shownUrl, visibleStart } from './http-url.js';

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

import { isWellFormed, type TextCheck } from '../field-check.js';
import { remembered } from '../remembered.js';
import type { DestinationRow } from './destination-row.js';
import { endpointPath, type PathMask } from './path-mask.js';

export interface HttpDestination {
  readonly type: 'http';
  /** Absolute http or https url, in the client's spelling. */
  readonly url: string;
}

export interface HttpWire {
  readonly url: string;
}

export interface HttpReceipt {
  readonly httpStatus: number;
}

const MAX_URL_CHARACTERS = 8_192;

export const httpType: DestinationRow<HttpDestination, HttpWire, HttpReceipt> = {
  type: 'http',
  fields: {
    url: {
      check: { kind: 'text', checks: [isWellFormed, hasNoSpaces, isUrl], maxCharacters: MAX_URL_CHARACTERS, allowed: `absolute http or https url of at most ${MAX_URL_CHARACTERS} characters, percent-encoded` },
      isRequired: true,
      doc: 'where it is posted to; a user and password in it become basic authentication',
    },
  },
  parse: ({ url }) => ({ type: 'http', url }),
  toWire: ({ url }, mask) => ({ url: shownUrl(url, mask) }),
  receipt: { httpStatus: 'http_status' },
  /** `http https://api.example.com/hook?...`: a query often holds an API token. */
  print({ url }, mask) {
    const { isUrl: isPrintable, origin, hostname, path, hasQuery } = placeOf(url);
    if (!isPrintable) return 'http (not a url)';
    return `http ${origin}${endpointPath(origin, mask(hostname, path))}${hasQuery ? '?...' : ''}`;
  },
  secretTexts: ({ url }, mask) => secretTextsOf(url, mask),
  canonical: ({ url }) => ['http', url],
  flow({ url }) {
    const { origin } = placeOf(url);
    return { key: origin, host: origin };
  },
  endpointPath({ url }, mask) {
    const { origin, hostname, path } = placeOf(url);
    return endpointPath(origin, mask(hostname, path));
  },
  canonicalName: (name) => (/^https?:\/\//i.test(name) ? parseUrl(name)?.origin : undefined),
  hostOfName: (name) => (/^https?:\/\//.test(name) ? name : undefined),
  mark: 'u',
  encode: ({ url }) => ({ u: url }),
  decode: ({ u: url }) => (typeof url === 'string' ? { type: 'http', url } : undefined),
};

function hasNoSpaces(value: string): ReturnType<TextCheck> {
  return /[\s\p{Cc}]/u.test(value) ? 'must not contain spaces or control characters: percent-encode them' : undefined;
}

/**
 * The parser of WHATWG repairs a text without a word, so that it goes somewhere else than its reader thinks: `http:///a`,
 * `http:/a`, `http:a` and `http:\\a` all mean `http://a/`, `http://a\@b/` goes to a, and invisible characters in a host
 * are dropped. Such texts are refused.
 */
function isUrl(value: string): ReturnType<TextCheck> {
  const complaint = 'must be an absolute http or https url';
  const [, beforeQuery, authority] = /^https?:\/\/(([^/\\?#]+)[^?#]*)/i.exec(value) ?? [];
  if (beforeQuery === undefined || authority === undefined) return complaint;
  if (beforeQuery.includes('\\')) return 'must not contain a backslash: percent-encode it';
  if (/\p{Default_Ignorable_Code_Point}/u.test(authority)) return 'must not have invisible characters in its host';
  const url = parseUrl(value);
  return url !== undefined && url.port !== '0' ? undefined : complaint;
}

/** A url as the API shows it: in the client's spelling where nothing of it has to be hidden. */
export function shownUrl(text: string, mask: PathMask): string {
  const { isUrl: isPrintable, origin, hostname, path, hasLogin, hasQuery, hasFragment } = placeOf(text);
  // A client could not submit it, but a person has to be able to look at it.
  if (!isPrintable) return '(not a url)';
  const shownPath = mask(hostname, path);
  // `/secret/..` is `/`: what stands before the dots is no part of the path, and would be shown unmasked.
  const hasDotSegments = /\/(?:\.|%2e){1,2}(?:[/?#]|$)/i.test(text);
  if (shownPath === path && !hasLogin && !hasQuery && !hasFragment && !hasDotSegments) return text;
  return `${hasLogin ? origin.replace('//', '//***@') : origin}${shownPath}${hasQuery ? '?...' : ''}${hasFragment ? '#...' : ''}`;
}

/** A flow_key as it may be shown. One that is a url counts by its origin alone, but may hold the secrets of a url. */
export function shownFlowKey(flowKey: string, mask: PathMask): string {
  return /^https?:/i.test(flowKey) && URL.canParse(flowKey) ? shownUrl(flowKey, mask) : flowKey;
}

/** A shorter text is no secret by itself, and would be found in words of an answer that mean something else. */
const ALONE_FROM_CHARACTERS = 6;

/** Parts of a url that an answer may quote, as they are sent and as a receiver decodes them. */
function secretTextsOf(text: string, mask: PathMask): readonly string[] {
  const { hostname, path, hasLogin, hasQuery } = placeOf(text);
  const shownPath = mask(hostname, path);
  const url = hasLogin || hasQuery || shownPath !== path ? parseUrl(text) : undefined;
  if (url === undefined) return [];
  const found = new Set<string>();
  const add = (part: string, fromCharacters = 1): void => {
    for (const spelling of [part, percentDecoded(part), percentDecoded(part.replaceAll('+', ' '))]) if (spelling.length >= fromCharacters) found.add(spelling);
  };
  if (shownPath !== path) {
    add(path);
    const shownSegments = shownPath.split('/');
    path.split('/').forEach((segment, nth) => {
      if (segment !== shownSegments[nth]) add(segment, ALONE_FROM_CHARACTERS);
    });
  }
  if (hasQuery) {
    add(url.search.slice(1));
    for (const pair of url.search.slice(1).split('&')) {
      const equalsAt = pair.indexOf('=');
      if (equalsAt >= 0) add(pair, 3);
      add(pair.slice(equalsAt + 1), ALONE_FROM_CHARACTERS);
    }
  }
  if (hasLogin) {
    add(`${url.username}:${url.password}`, 3);
    add(url.username, ALONE_FROM_CHARACTERS);
    add(url.password, 3);
    // A receiver that quotes the headers of a request quotes it like this.
    found.add(Buffer.from(`${percentDecoded(url.username)}:${percentDecoded(url.password)}`, 'utf8').toString('base64'));
  }
  return [...found];
}

function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // `50%off` is legal in a url, and is sent as it is
  }
}

interface Place {
  /** false: a client could not submit such a text, and host and path are made up for it. */
  readonly isUrl: boolean;
  readonly origin: string;
  readonly hostname: string;
  readonly path: string;
  readonly hasLogin: boolean;
  readonly hasQuery: boolean;
  readonly hasFragment: boolean;
}

const placeOf = remembered(1_000, (text): Place => {
  const url = parseUrl(text);
  return {
    isUrl: url !== undefined,
    origin: url?.origin ?? 'http://invalid',
    hostname: url?.hostname ?? 'invalid',
    path: url?.pathname ?? '',
    hasLogin: url !== undefined && (url.username !== '' || url.password !== ''),
    hasQuery: url !== undefined && url.search !== '',
    hasFragment: url !== undefined && url.hash !== '',
  };
});

function parseUrl(text: string): URL | undefined {
  try {
    return new URL(text); // canParse first would parse the good ones twice, for every attempt
  } catch {
    return undefined; // no url: the callers say what follows
  }
}

import { HIDDEN_VALUE, isShownOpenly, type TextCheck } from '../field-check.js';
import { flowNamed, type Flow } from './flow.js';
import { hasHidden } from '../hidden-characters.js';
import { remembered } from '../remembered.js';
import { addressMeant } from './address-meant.js';
import { basicCredentials } from './basic-credentials.js';
import { endpointPath, type PathMask } from './path-mask.js';
import { percentDecoded } from './percent-decoded.js';
import { placeholderAtStart } from './placeholder.js';

/**
 * A name of DNS has at most 253 characters, so a longer one is found nowhere. The time to write an international name in
 * ASCII grows with the square of its length: 80 ms of CPU for 8,000 characters (Node 20), each time that the url is read.
 */
export const MAX_AUTHORITY_CHARACTERS = 255;
/** Urls whose flows are remembered. */
const MAX_FLOWS = 5_000;

export function isSameOrigin(url: string, old: string): boolean {
  const origin = parseUrl(url)?.origin;
  return origin !== undefined && origin === parseUrl(old)?.origin;
}

export function hasNoSpaces(value: string): ReturnType<TextCheck> {
  // `{{ host }}` has spaces, and would be no host without them either.
  return /[\s\p{Cc}]/u.test(value) ? (faultOfPlaceholder(value) ?? 'must not contain spaces or control characters: percent-encode them') : undefined;
}

/**
 * The parser of WHATWG repairs a text without a word, so that it goes somewhere else than its reader thinks: `http:///a`,
 * `http:/a`, `http:a` and `http:\\a` all mean `http://a/`, `http://a\@b/` goes to a, and invisible characters in a host
 * are dropped. Such texts are refused.
 */
function faultOfUrl(value: string): ReturnType<TextCheck> {
  const [, beforeQuery, authority] = /^https?:\/\/(([^/\\?#]+)[^?#]*)/i.exec(value) ?? [];
  if (beforeQuery === undefined || authority === undefined) return faultOfPlaceholder(value) ?? NO_URL + hintForUrl(value);
  if (beforeQuery.includes('\\')) return 'must not contain a backslash: percent-encode it';
  if (/\p{Default_Ignorable_Code_Point}/u.test(authority)) return 'must not have invisible characters in its host';
  if (authority.length - (authority.lastIndexOf('@') + 1) > MAX_AUTHORITY_CHARACTERS) return HOST_TOO_LONG;
  const url = parseUrl(value);
  if (url === undefined || url.port === '0') return faultOfPlaceholder(value) ?? NO_URL;
  // The parser takes them, encoded or not. No name of a host has them, so such a task would fail with each attempt.
  if (/[${}]/.test(url.hostname)) return faultOfPlaceholder(value) ?? 'must not have the characters $ { } in its host';
  if (url.hostname.endsWith('..')) return 'must not have more than one dot at the end of its host';
  // GET /tasks/:id shows one mark for user and password together.
  return isShownOpenly(url.password === '' ? url.username : url.password) === undefined ? undefined : HIDDEN_LOGIN;
}

function faultOfPlaceholder(value: string): ReturnType<TextCheck> {
  const placeholder = placeholderAtStart(value);
  return placeholder === undefined ? undefined : `${NO_URL}: a ${placeholder} was not filled in`;
}

/** A client sends to the same few urls again and again. The empty text: there is no fault. */
const rememberedFault = remembered(1_000, (value) => faultOfUrl(value) ?? '');

export function isUrl(value: string): ReturnType<TextCheck> {
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
  const origin = meant === undefined ? '' : `${meant.scheme === 'https' ? 'https' : 'http'}://${meant.host}${meant.port === undefined ? '' : `:${meant.port}`}`;
  if (meant === undefined || faultOfUrl(origin) !== undefined) return ', such as https://api.example.com/orders';
  return `: did you mean ${origin}/${meant.hasMore ? '...' : ''}?`;
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
export function httpUrlIn(name: string): URL | undefined {
  // Nearly all names end here.
  return HTTP_START.test(name) ? parseUrl(visibleStart(name)) : undefined;
}

/** An operator who writes no path means the host. The endpoint of its root path ends in a slash. */
export const ORIGIN_ALONE = /^https?:[/\\]*[^/\\?#]*$/i;
const HTTP_START = /^[\s\p{C}\p{Z}]*https?:/iu;

/** WHATWG skips only spaces and control characters in front of a url. */
export function visibleStart(name: string): string {
  return name.replace(/^[\s\p{C}\p{Z}]+/u, '');
}

/** A shorter segment or value is no secret by itself, and would be found in words of an answer that mean something else. */
const ALONE_FROM_CHARACTERS = 6;

/** Parts of a url that an answer may quote, as they stand in it. */
export function secretTextsOf(text: string, mask: PathMask): readonly string[] {
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
export function flowOfUrl(url: string, mask: PathMask): Flow {
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

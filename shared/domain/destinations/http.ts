import { isWellFormed, type TextCheck } from '../field-check.js';
import { remembered } from '../remembered.js';
import type { DestinationRow } from './destination-row.js';

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
  toWire: ({ url }) => ({ url: withoutLogin(url) }),
  receipt: { httpStatus: 'http_status' },
  /**
   * User, password and query are left out, because queries often contain API tokens. `http
   * https://api.example.com/hook?...`
   */
  print({ url: text }) {
    const url = parseUrl(text);
    if (url === undefined) return 'http (not a url)';
    return `http ${url.protocol}//${url.host}${url.pathname}${url.search === '' ? '' : '?...'}`;
  },
  canonical: ({ url }) => ['http', url],
  flow({ url }) {
    const { origin } = placeOf(url);
    return { key: origin, host: origin };
  },
  endpointPath: ({ url }) => placeOf(url).path,
  hasSecretPaths: true,
  canonicalName: (name) => (/^https?:\/\//i.test(name) ? parseUrl(name)?.origin : undefined),
  hostOfName: (name) => (/^https?:\/\//.test(name) ? name : undefined),
  mark: 'u',
  encode: ({ url }) => ({ u: url }),
  decode: ({ u: url }) => (typeof url === 'string' ? { type: 'http', url } : undefined),
};

function hasNoSpaces(value: string): ReturnType<TextCheck> {
  return /[\s\p{Cc}]/u.test(value) ? 'must not contain spaces or control characters: percent-encode them' : undefined;
}

function isUrl(value: string): ReturnType<TextCheck> {
  const url = parseUrl(value);
  return url !== undefined && /^https?:$/.test(url.protocol) && /^https?:\/\//i.test(value) && url.hostname !== '' && url.port !== '0'
    ? undefined
    : 'must be an absolute http or https url';
}

function withoutLogin(text: string): string {
  const url = parseUrl(text);
  // A client could not submit it, but a person has to be able to look at it.
  if (url === undefined) return '(not a url)';
  if (url.username === '' && url.password === '') return text;
  url.username = '***';
  url.password = '';
  return url.href;
}

// A client could not submit a text that is no url. Host and path are made up for it.
const placeOf = remembered(1_000, (url) => {
  const parsed = parseUrl(url);
  return { origin: parsed?.origin ?? 'http://invalid', path: parsed?.pathname ?? '' };
});

function parseUrl(text: string): URL | undefined {
  try {
    return new URL(text); // canParse first would parse the good ones twice, for every attempt
  } catch {
    return undefined; // no url: the callers say what follows
  }
}

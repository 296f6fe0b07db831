import { basicCredentials } from '../../../shared/domain/destinations/basic-credentials.js';
import { placeOf } from '../../../shared/domain/destinations/http-url.js';
import { remembered } from '../../../shared/domain/remembered.js';

/** A destination's url, taken apart for the request line. */
export interface Target {
  /** Scheme, host and port: requests with the same origin share connections. */
  readonly origin: string;
  readonly hostname: string;
  /** Percent-encoded, without the query. */
  readonly pathname: string;
  /** Path and query, percent-encoded, at least `/`. */
  readonly path: string;
  /** `Basic ...` if the url has a user or password. */
  readonly authorization: string | undefined;
}

/**
 * Nearly all urls have no query and no login. Flow control has parsed the url by then, so a url that only one task has is parsed once.
 * @throws TypeError for a text that is no url. It was checked when the task was submitted, so this is a bug of ours.
 */
export function parseTarget(destinationUrl: string): Target {
  const { isUrl, origin, hostname, path, hasLogin, hasQuery } = placeOf(destinationUrl);
  if (!isUrl || hasLogin || hasQuery) return parseWhole(destinationUrl);
  return { origin, hostname, pathname: path, path, authorization: undefined };
}

const parseWhole = remembered(5_000, (destinationUrl): Target => {
  const url = new URL(destinationUrl);
  return {
    origin: url.origin,
    hostname: url.hostname,
    pathname: url.pathname,
    path: url.pathname + url.search,
    authorization: url.username === '' && url.password === '' ? undefined : `Basic ${basicCredentials(url)}`,
  };
});

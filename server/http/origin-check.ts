import type { IncomingMessage } from 'node:http';
import { isAllowedName, parseAuthority, type Authority } from '../../shared/addresses/authority.js';
import { RequestError } from '../../shared/domain/errors.js';
import { remembered } from '../../shared/domain/remembered.js';
import type { RequestCheck } from './request-pipeline.js';

/** Requests with these methods change nothing (RFC 9110, 9.2.1). */
const READING_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);
const DEFAULT_PORTS: Readonly<Record<string, number>> = { http: 80, https: 443 };
/** Texts of Host headers whose verdict is kept. Clients use few of them. */
const REMEMBERED_HOSTS = 100;
/** How much of a wrong name an error text repeats. */
const SHOWN_CHARACTERS = 100;

/** A Host header, or the authority of a target, and whether the API answers under it. */
interface HostVerdict {
  /** undefined: it is no `host[:port]`. */
  readonly authority: Authority | undefined;
  readonly isAllowed: boolean;
}

/**
 * Keeps web pages of other origins away. A browser sends two things that a page cannot choose: the name in the address
 * (Host), and where the request comes from (Origin, Sec-Fetch-Site).
 *
 * - Host: a page that gives its own name the address of this service (DNS rebinding) has that name in it. So a name has to
 *   be one of `allowedHosts`, for reads and changes alike. IP addresses and `localhost` cannot be rebound.
 * - Origin: a form or a script of any page can send a change here, although it cannot read the answer. A request with
 *   neither Origin nor Sec-Fetch-Site does not come from a browser.
 *
 * @param allowedHosts `api.example.com`, `*.example.net` (every name below it), in lower case; `any`: every name is allowed
 * @returns a check that throws invalid_request, unknown_host or origin_refused
 */
export function createOriginCheck(allowedHosts: readonly string[] | 'any'): RequestCheck {
  const verdictOn = remembered(REMEMBERED_HOSTS, (host): HostVerdict => {
    const authority = parseAuthority(host);
    return { authority, isAllowed: authority !== undefined && isAllowedName(authority, allowedHosts) };
  });
  return ({ request, method }) => {
    const authority = checkHost(request, verdictOn);
    if (!READING_METHODS.has(method)) checkSender(request, authority);
    return undefined;
  };
}

/**
 * @returns the host and port that the client has asked for; undefined when it named none, as HTTP/1.0 allows. Browsers
 *          always name one.
 */
function checkHost({ headers, url = '' }: IncomingMessage, verdictOn: (host: string) => HostVerdict): Authority | undefined {
  const { host } = headers;
  // A whole address as the target is rare; it counts instead of the Host header, which has to be correct all the same
  // (RFC 9112, 3.2.2).
  const ofTarget = url.startsWith('/') ? undefined : /^[a-z][a-z0-9+.-]*:\/\/([^/?]*)/i.exec(url)?.[1];
  for (const text of [host, ofTarget]) {
    if (text !== undefined && verdictOn(text).authority === undefined) throw new RequestError('invalid_request', `the host ${shown(text)} is not host[:port]`);
  }
  const text = ofTarget ?? host;
  if (text === undefined) return undefined;
  const verdict = verdictOn(text);
  if (!verdict.isAllowed) throw new RequestError('unknown_host', `this API does not answer as ${shown(text)}`, undefined, { notes: { limit: 'ALLOWED_HOSTS' } });
  return verdict.authority;
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, SHOWN_CHARACTERS));
}

function checkSender({ headers }: IncomingMessage, authority: Authority | undefined): void {
  const { origin, host = '', 'sec-fetch-site': site } = headers;
  // `same-site` is another origin, too: another port of this host is the same site.
  if (site !== undefined && site !== 'same-origin' && site !== 'none') throw refused(`the browser sent it as ${shown(site)} (Sec-Fetch-Site)`);
  // A proxy that does not pass on the Host of the browser makes the two differ, and the operator has to see how.
  if (origin !== undefined && !isSameOrigin(origin, authority)) throw refused(`Origin is ${shown(origin)}, and Host is ${shown(host)}`);
}

function refused(how: string): RequestError {
  return new RequestError('origin_refused', `a page of another origin must not change anything here: ${how}`);
}

/**
 * Compares host and port alone. Behind a proxy that ends TLS the page is `https:` and the request that comes here is not,
 * so a port that the Host header leaves out is the default one of the page's scheme.
 */
function isSameOrigin(origin: string, authority: Authority | undefined): boolean {
  const [, scheme = '', text = ''] = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/i.exec(origin) ?? [];
  const defaultPort = DEFAULT_PORTS[scheme.toLowerCase()];
  const own = parseAuthority(text);
  if (defaultPort === undefined || own === undefined || authority === undefined) return false;
  return own.name === authority.name && (own.port ?? defaultPort) === (authority.port ?? defaultPort);
}

import { pathWithoutTokens } from './path-mask.js';

/**
 * A flow_key may be a url of any scheme, or nearly one: `//user:password@host`, `kafka:\\user:password@host`,
 * `proxy=https://user:password@host`. Names are counted, stored, logged and shown, so no secret of such a url may stay in one.
 * Http urls have a rule of their own: see httpUrlIn in http.ts. All other names go by this one.
 *
 * A name that is no url is a word of its client, and stays as it is: `tenant:7@eu`, `a b/c?d#e`.
 */

/** The name under which a flow is counted: a url without user, password, query, fragment, and with hashes for tokens. */
export function nameWithoutSecrets(name: string): string {
  return rewritten(name, { login: '', query: '', fragment: '' });
}

/** The same for people, with marks where something was: `kafka://***@host/orders?...`. */
export function shownName(name: string): string {
  return rewritten(name, { login: '***@', query: '?...', fragment: '#...' });
}

/** Whether a user or a password stands in it. */
export function hasLogin(name: string): boolean {
  return loginsIn(name).length > 0;
}

/** Parsers of urls take both slashes, any number of them, and skip characters in front that cannot be seen. */
const URL_START = /^[\s\p{C}\p{Z}]*(?:(?:https?|kafka):[/\\]*|[/\\]{2,})/iu;
/** Behind these a login may stand. */
const AUTHORITY_STARTS = new RegExp(`${URL_START.source}|[/\\\\]{2,}`, 'giu');

function rewritten(name: string, marks: { readonly login: string; readonly query: string; readonly fragment: string }): string {
  const start = URL_START.exec(name)?.[0];
  const logins = loginsIn(name);
  if (start === undefined && logins.length === 0) return name;
  const end = indexFrom(name, /[?#]/g, logins[0]?.to ?? start?.length ?? 0);
  let shown = '';
  let from = 0;
  for (const login of logins) {
    if (login.from >= end) break;
    shown += name.slice(from, login.from) + marks.login;
    from = login.to;
  }
  const hostAt = from === 0 && start !== undefined ? start.length : from;
  const pathAt = Math.min(end, indexFrom(name, /[/\\]/g, hostAt));
  const path = name.slice(pathAt, end);
  const behind = name.slice(end);
  // The path of a cluster is a topic. Topics are names, and never secret.
  shown += name.slice(from, pathAt) + (/kafka/i.test(start ?? '') ? path : path.replace(/[^/\\]+/g, pathWithoutTokens));
  return shown + (behind.startsWith('?') ? marks.query : '') + (behind.includes('#') ? marks.fragment : '');
}

interface Span {
  readonly from: number;
  readonly to: number;
}

/** Users with their passwords, each with the `@` behind it. */
function loginsIn(name: string): readonly Span[] {
  const last = name.lastIndexOf('@');
  // Nearly all names end here.
  if (last < 0) return [];
  const logins: Span[] = [];
  let done = 0;
  for (const { 0: start, index } of name.matchAll(AUTHORITY_STARTS)) {
    const from = index + start.length;
    if (from > last) break;
    if (from < done) continue;
    for (let login = loginAt(name, from, last); login !== undefined; ) {
      logins.push(login);
      done = login.to;
      // Without the login these slashes belong to the start of the url, so one more login may stand behind them.
      const next = indexFrom(name, /[^/\\]/g, done);
      login = next > done && next <= last ? loginAt(name, next, last) : undefined;
    }
  }
  return logins;
}

/** The user and password in front of an authority, if it has them. @param last place of the last `@` of the name */
function loginAt(name: string, from: number, last: number): Span | undefined {
  const authority = name.slice(from, indexFrom(name, /[/\\?#]/g, from));
  const at = authority.lastIndexOf('@');
  if (at >= 0) return { from, to: from + at + 1 };
  // Many a password is written with a raw slash. Then a text that is no port stands behind the colon.
  return /^[^[:]*:.*\D/.test(authority) ? { from, to: last + 1 } : undefined;
}

/** @param pattern with the flag g @returns the index of the first match at or behind `from`, or the length of the text */
function indexFrom(text: string, pattern: RegExp, from: number): number {
  pattern.lastIndex = from;
  return pattern.exec(text)?.index ?? text.length;
}

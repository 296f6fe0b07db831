import { HIDDEN_VALUE } from '../field-check.js';

/*
 * The login of a url in GET /tasks/:id/submission, and in PATCH /tasks/:id, which takes back what is not shown.
 */

interface Login {
  /** `https://` */
  readonly before: string;
  /** `user:password` */
  readonly login: string;
  /** `@api.example.com/orders`: host and rest. */
  readonly after: string;
}

/** What stands before the last @ of host and port, as parsers of urls read it. */
function loginIn(url: string): Login | undefined {
  const [, before = '', login = '', after = ''] = /^(https?:\/\/)([^/?#]*)(@[^]*)$/i.exec(url) ?? [];
  return login === '' ? undefined : { before, login, after };
}

/** A user without a password is often a token, and then it is the secret. */
function partsOf(login: string): { readonly user: string; readonly password: string | undefined } {
  const colonAt = login.indexOf(':');
  return colonAt < 0 || colonAt === login.length - 1 ? { user: login.replace(/:$/, ''), password: undefined } : { user: login.slice(0, colonAt), password: login.slice(colonAt + 1) };
}

/**
 * | url | shown |
 * |---|---|
 * | `https://user:password@a/x?y=1` | `https://user:***@a/x?y=1` |
 * | `https://token@a/`, `https://token:@a/` | `https://***@a/` |
 */
export function withHiddenLogin(url: string): string {
  const found = loginIn(url);
  if (found === undefined) return url;
  const { user, password } = partsOf(found.login);
  return `${found.before}${password === undefined ? HIDDEN_VALUE : `${user}:${HIDDEN_VALUE}`}${found.after}`;
}

/**
 * Puts the secrets of the old url where the new one has ***. `***@` alone stands for the whole login.
 * @returns the new url as it is when it goes to another scheme, host or port, or the old one has no login: the check refuses its ***
 */
export function withKeptLogin(url: string, old: string): string {
  const [found, known] = [loginIn(url), loginIn(old)];
  if (found === undefined || known === undefined || originOf(url) !== originOf(old)) return url;
  const { before, login, after } = found;
  if (login === HIDDEN_VALUE) return before + known.login + after;
  const { user, password } = partsOf(login);
  const { password: knownPassword } = partsOf(known.login);
  return password === HIDDEN_VALUE && knownPassword !== undefined ? `${before}${user}:${knownPassword}${after}` : url;
}

function originOf(url: string): string | undefined {
  try {
    return new URL(url).origin;
  } catch {
    return undefined; // no url: its check refuses it
  }
}

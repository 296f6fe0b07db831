/**
 * The one spelling of a host, or of all names below one, as WHATWG writes hosts in urls: only so it can match the host of a url.
 *
 * | written | spelling |
 * |---|---|
 * | `Hooks.example.com.` | `hooks.example.com` |
 * | `*.Bücher.example` | `*.xn--bcher-kva.example` |
 * | `127.1` | `127.0.0.1` |
 * | `[0:0:0:0:0:0:0:1]`, `::1` | `[::1]` |
 * | `*` | `*`, which means every host |
 *
 * @returns undefined for what no url has as its host: another port or a path belongs to it, or nothing can stand below it
 */
export function canonicalHostPattern(pattern: string): string | undefined {
  if (pattern === '*') return pattern;
  if (!pattern.startsWith('*.')) return canonicalHost(pattern);
  const host = canonicalHost(pattern.slice(2));
  return host === undefined || isAddress(host) ? undefined : `*.${host}`;
}

function canonicalHost(text: string): string | undefined {
  const written = /^[0-9a-f.]*:[0-9a-f:.]*:[0-9a-f:.]*$/i.test(text) ? `[${text}]` : text;
  // Behind these a url would have something else than its host.
  if (/[\s/\\?#@%*]/.test(written) || /:\d*$/.test(written)) return undefined;
  const url = `http://${written}/`;
  if (!URL.canParse(url)) return undefined;
  // A dot at the end makes a name absolute. It is the same host.
  const host = new URL(url).hostname.replace(/\.$/, '');
  return isAddress(host) || NAME.test(host) ? host : undefined;
}

const NAME = /^(?=.{1,253}$)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/;

function isAddress(host: string): boolean {
  return host.startsWith('[') || /^\d+\.\d+\.\d+\.\d+$/.test(host);
}

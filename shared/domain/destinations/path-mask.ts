import { hash } from 'node:crypto';
import { remembered } from '../remembered.js';

/** A shorter segment of a path is taken for a word. From this length on, letters mixed with digits are taken for a token. */
const SECRET_FROM_CHARACTERS = 20;
const HASH_HEX_DIGITS = 32;
const MAX_ENDPOINT_CHARACTERS = 512;

/** Chat services whose addresses are their only secret. Any part of such a path may be it. */
export const knownChatWebhooks: readonly string[] = [
  'hooks.slack.com',
  'hooks.slack-gov.com',
  'discord.com',
  '*.discord.com',
  'discordapp.com',
  '*.discordapp.com',
  'outlook.office.com',
  '*.webhook.office.com',
  'chat.googleapis.com',
  'api.telegram.org',
  'webexapis.com',
  'open.feishu.cn',
  'open.larksuite.com',
];

/**
 * Writes a path so that it may be shown: a segment that may be a secret stands as a hash. Only this rule decides what is
 * shown of a path, in log lines, headers, job names, answers of the API and names of endpoints alike.
 *
 * | host | path | shown |
 * |---|---|---|
 * | `api.example.com` | `/orders` | `/orders` |
 * | `hooks.example.com` | `/T1/a1b2c3d4e5f6g7h8i9j0` | `/T1/*10ee68888777ddca9eee1b40378c22d1` |
 * | one of SECRET_PATH_HOSTS | `/T1/` | `/*1f93603db53bfad5c92390f735d0cbb8/` |
 *
 * To write a shown path again gives the same path, so a name that was copied is understood like the url that it came from.
 *
 * @param hostname as WHATWG writes it: lower case, without the port
 * @param path     percent-encoded, with the slash that it begins with
 */
export type PathMask = (hostname: string, path: string) => string;

/** @param secretPathHosts host patterns in the spelling of canonicalHostPattern */
export function createPathMask(secretPathHosts: readonly string[]): PathMask {
  const hasSecretPaths = hostTest(secretPathHosts);
  const maskAll = remembered(1_000, (path) => bySegment(path, hashedOnce));
  const maskTokens = remembered(1_000, pathWithoutTokens);
  return (hostname, path) => {
    if (hasSecretPaths(hostname)) return maskAll(path);
    // Most paths have no segment of that length. To look at the whole path first is cheaper than to split every path.
    return path.length <= SECRET_FROM_CHARACTERS ? path : maskTokens(path);
  };
}

/** The part of the rule that is the same for every host: `/T1/a1b2c3d4e5f6g7h8i9j0` -> `/T1/*10ee68888777ddca9eee1b40378c22d1`. */
export function pathWithoutTokens(path: string): string {
  return bySegment(path, withoutToken);
}

/** The mask of a deployment that does not set SECRET_PATH_HOSTS. */
export const defaultPathMask = createPathMask(knownChatWebhooks);

function hostTest(names: readonly string[]): (hostname: string) => boolean {
  if (names.includes('*')) return () => true;
  const exact = new Set(names);
  const endings = names.filter((name) => name.startsWith('*.')).map((name) => name.slice(1));
  return (hostname) => {
    // A dot at the end makes a name absolute. It is the same host.
    const name = hostname.endsWith('.') ? hostname.slice(0, -1) : hostname;
    return exact.has(name) || endings.some((ending) => name.endsWith(ending));
  };
}

function bySegment(path: string, show: (segment: string) => string): string {
  return path.split('/').map(show).join('/');
}

function withoutToken(segment: string): string {
  const isToken = segment.length >= SECRET_FROM_CHARACTERS && /[a-z]/i.test(segment) && /\d/.test(segment);
  return isToken ? hashedOnce(segment) : segment;
}

function hashedOnce(segment: string): string {
  return segment === '' || /^\*[0-9a-f]{32}$/.test(segment) ? segment : hashed(segment);
}

function hashed(text: string): string {
  return `*${hash('sha256', text, 'hex').slice(0, HASH_HEX_DIGITS)}`;
}

/**
 * The path in the name of an endpoint: the shown path, or the hash of it where the name would be too long.
 * @param host of the destination, as flowOf names it
 */
export function endpointPath(host: string, shownPath: string): string {
  return host.length + shownPath.length <= MAX_ENDPOINT_CHARACTERS ? shownPath : `/${hashed(shownPath)}`;
}

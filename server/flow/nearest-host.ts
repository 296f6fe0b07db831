import { editDistance } from '../../shared/domain/edit-distance.js';

/** Two names with more typing errors than these are two names. */
const MOST_ERRORS = 2;
/** A shorter word has none: with one letter changed `api` is `app`, another host. */
const LETTERS_PER_ERROR = 4;

/**
 * The host that was meant by one that is mistyped: the same name with another scheme or port, or one that differs by a letter or two of a long
 * word. `pay.acme.io` and `crm.acme.io`, `api-1.acme.io` and `api-2.acme.io` are two hosts: who reads of the other one may pause that. Pure.
 *
 * | host | nearest of all |
 * |---|---|
 * | `https://api.exmaple.com` | `https://api.example.com` |
 * | `http://api.example.com` | `https://api.example.com` |
 * | `https://a.example.com` | not `https://shop.example.com` |
 *
 * @param all  names of hosts and clusters, as hostOfName tells them
 * @returns undefined when none is near, and when several are equally near
 */
export function nearestHost(host: string, all: readonly string[]): string | undefined {
  const near = all.map((each) => ({ each, errors: errorsBetween(host, each) })).filter(({ errors }) => errors <= MOST_ERRORS);
  const least = Math.min(...near.map(({ errors }) => errors));
  const [nearest, ...others] = near.filter(({ errors }) => errors === least);
  return others.length === 0 ? nearest?.each : undefined;
}

function errorsBetween(host: string, other: string): number {
  const [a, b] = [partsOf(host), partsOf(other)];
  if (a.isCluster !== b.isCluster) return Infinity;
  if (a.name === b.name) return 0;
  if (a.port !== b.port || digitsOf(a.name) !== digitsOf(b.name)) return Infinity;
  const [own, its] = withoutCommonWords(wordsOf(a.name), wordsOf(b.name));
  const most = Math.floor(Math.min(own.length, its.length) / LETTERS_PER_ERROR);
  // The distance of two long names takes long, and their lengths tell most of them apart.
  const errors = Math.abs(own.length - its.length) > most ? Infinity : editDistance(own, its);
  return errors <= most ? errors : Infinity;
}

/** `https://api.example.com:8443`, `kafka://broker:9092`, `kafka://default` */
function partsOf(host: string): { readonly isCluster: boolean; readonly name: string; readonly port: string | undefined } {
  const [, scheme, name = host, port] = /^([a-z]+):\/\/(.*?)(?::(\d+))?$/.exec(host) ?? [];
  return { isCluster: scheme === 'kafka', name, port };
}

const digitsOf = (name: string): string => name.replace(/\D/g, '');
const wordsOf = (name: string): readonly string[] => name.split(/[.:-]/);

/** `api.exmaple.com`, `api.example.com` -> `exmaple`, `example` */
function withoutCommonWords(a: readonly string[], b: readonly string[]): readonly [string, string] {
  const shorter = Math.min(a.length, b.length);
  let front = 0;
  while (front < shorter && a[front] === b[front]) front += 1;
  let back = 0;
  while (back < shorter - front && a.at(-1 - back) === b.at(-1 - back)) back += 1;
  const rest = (words: readonly string[]): string => words.slice(front, words.length - back).join('.');
  return [rest(a), rest(b)];
}

import { createSecretKey } from 'node:crypto';
import { domainToASCII } from 'node:url';
import { parseApiKey, type ApiKey } from '../domain/access/api-key.js';
import { parseCollectorHeaders } from './collector-headers.js';
import { parseProxyAddress, type ProxyAddress } from './proxy-address.js';
import { parseDestinationRule, type DestinationRule } from '../domain/addresses/destination-rule.js';
import { canonicalHostPattern } from '../domain/destinations/host-pattern.js';
import { isKeyId, type SecretKey } from '../domain/secrets/secret-box.js';
import type { SlotSetting } from '../domain/flow/slot-share.js';

/** One variable. `parse` throws an Error whose message says which values are allowed; load.ts adds the value. */
export interface Variable<T> {
  readonly parse: (text: string) => T;
  /** The default, as it would be written in the environment; undefined means that it is not set. */
  readonly fallback: string | undefined;
  readonly allowed: string;
  readonly meaning: string;
  /** Its value is never printed, not even when it is wrong. */
  readonly isSecret?: boolean;
}

const DURATION_UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
/** With a longer time setTimeout fires at once. */
const MAX_DURATION_MS = 2 ** 31 - 1;

export function variable<T>(parse: (text: string) => T, allowed: string, fallback: Variable<T>['fallback'], meaning: string): Variable<T> {
  return { parse, allowed, fallback, meaning };
}

export function text(fallback: string | undefined, meaning: string): Variable<string> {
  return variable((value) => value, 'text', fallback, meaning);
}

export function secret(meaning: string): Variable<string> {
  return { ...text(undefined, meaning), isSecret: true };
}

export function collectorHeaders(meaning: string): Variable<string> {
  return { ...variable(parseCollectorHeaders, 'comma-separated name=value (`api-key=...,tenant=7`, no line between them) of printable ASCII, with `%2C`, `%3B` and `%25` for `,`, `;` and `%`', undefined, meaning), isSecret: true };
}

export function pemFile(meaning: string): Variable<string> {
  return variable((value) => value, 'the path of a PEM file', undefined, meaning);
}

export function integer(min: number, max: number, fallback: string | undefined, meaning: string): Variable<number> {
  const parse = (value: string): number => {
    const number = Number(value);
    if (!/^\d+$/.test(value) || number < min || number > max) throw new Error('out of range');
    return number;
  };
  return variable(parse, `a whole number from ${min} to ${max}`, fallback, meaning);
}

/** `auto`, or a whole number. */
export function slots(max: number, meaning: string): Variable<SlotSetting> {
  const number = integer(1, max, 'auto', meaning);
  return { ...number, parse: (value) => (value === 'auto' ? value : number.parse(value)), allowed: `auto, or ${number.allowed}` };
}

export function oneOf<const T extends string>(values: readonly T[], fallback: T | undefined, meaning: string): Variable<T> {
  const parse = (value: string): T => {
    const found = values.find((candidate) => candidate === value);
    if (found === undefined) throw new Error('not one of them');
    return found;
  };
  return variable(parse, values.join(', '), fallback, meaning);
}

export function boolean(fallback: 'true' | 'false' | undefined, meaning: string): Variable<boolean> {
  const values: Readonly<Record<string, boolean>> = { true: true, '1': true, false: false, '0': false };
  const parse = (value: string): boolean => {
    const found = values[value.toLowerCase()];
    if (found === undefined) throw new Error('neither');
    return found;
  };
  return variable(parse, 'true or false', fallback, meaning);
}

/** 16 or more characters that a header can hold, so that no guess and no empty header fits. */
export function token(meaning: string): Variable<string> {
  const parse = (value: string): string => {
    if (!/^[\x21-\x7e]{16,512}$/.test(value)) throw new Error('no token');
    return value;
  };
  return { ...variable(parse, '16 to 512 characters of ASCII, without spaces', undefined, meaning), isSecret: true };
}

export function proxy(meaning: string): Variable<ProxyAddress> {
  return { ...variable(parseProxyAddress, 'http://host:port or https://host:port, with user:password@ or without; no SOCKS', undefined, meaning), isSecret: true };
}

/** `off`, or a port; 0 = any free one. */
export function portOrOff(meaning: string): Variable<number | 'off'> {
  const port = integer(0, 65535, 'off', meaning);
  return { ...port, parse: (value) => (value === 'off' ? value : port.parse(value)), allowed: `off, or ${port.allowed}` };
}

/** `500ms`, `10s`, `5m`, `1h`, `30d` -> milliseconds; NaN for another text. */
export function durationMs(value: string): number {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(value) ?? [];
  return Number(number) * (DURATION_UNIT_MS[unit] ?? NaN);
}

/** 3,600,000 -> `1h`: the largest unit of which it is a whole number. */
function printDuration(ms: number): string {
  const [unit = 'ms', unitMs = 1] = Object.entries(DURATION_UNIT_MS).findLast(([, each]) => ms % each === 0) ?? [];
  return `${ms / unitMs}${unit}`;
}

/** @param min milliseconds; 0: everything above zero is taken, and zero where `isZeroTaken` */
export function duration(fallback: string | undefined, meaning: string, { min = 0, max = MAX_DURATION_MS, isZeroTaken = false } = {}): Variable<number> {
  const isTaken = (ms: number): boolean => (ms > 0 || (isZeroTaken && ms === 0)) && ms >= min && ms <= max;
  const parse = (value: string): number => {
    const ms = durationMs(value);
    if (!isTaken(ms)) throw new Error('not a duration');
    return Math.ceil(ms);
  };
  const examples = ['500ms', '10s', '5m', '1h', '30d'].filter((each) => isTaken(durationMs(each)));
  return variable(parse, `a duration ${isZeroTaken ? 'from 0s' : min === 0 ? 'above zero' : `from ${printDuration(min)}`} to ${printDuration(max)}, such as ${examples.join(', ')}`, fallback, meaning);
}

export const DESTINATION_RULES = 'networks, addresses, host names, or `*.example.com` for all names below one, each with a port or without, such as 10.0.0.0/8,[fd00::/8]:9092,hooks.example.com:443; divided by commas';

export function destinationRules(value: string): readonly DestinationRule[] {
  return value.split(',').map((part) => {
    const rule = parseDestinationRule(part.trim());
    if (rule === undefined) throw new Error('not a rule');
    return rule;
  });
}

/** `host:port`, `[::1]:port`. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

export function hostPort(value: string, defaultPort?: number): HostPort {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:\s[\]/]+))(?::(\d{1,5}))?$/i.exec(value);
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3] === undefined ? defaultPort : Number(match[3]);
  if (host === undefined || port === undefined || port < 1 || port > 65535) throw new Error('not host:port');
  return { host, port };
}

/** A name in DNS, without a dot at the end: letters, digits, `-` and `_`, in at least one label. */
const HOST_NAME = /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/;

/** `api.example.com`, `*.example.com` -> the same in lower case, without a dot at the end. Names beyond ASCII become `xn--...`. */
export function hostPattern(value: string): string {
  const [, wildcard = '', name = ''] = /^(\*\.)?(.*?)\.?$/.exec(value) ?? [];
  const ascii = domainToASCII(name);
  if (!HOST_NAME.test(ascii)) throw new Error('not a name');
  return wildcard + ascii;
}

/** `krs_ops1_` and 64 hex digits. One digit 64 times over, as in an example, is no secret. */
export function bootstrapKey(value: string): ApiKey {
  const key = parseApiKey(value);
  if (key === undefined || new Set(key.secret).size === 1) throw new Error('no key');
  return key;
}

/** `k2:<44 characters of base64>,k1:...`: each id once, 32 bytes each. One byte 32 times over, as in an example, is no secret. */
export function secretKeys(value: string): readonly SecretKey[] {
  const keys = value.split(',').map((part): SecretKey => {
    const [, id = '', base64 = ''] = /^([^:]+):([A-Za-z0-9+/]{43}=)$/.exec(part.trim()) ?? [];
    const bytes = Buffer.from(base64, 'base64');
    if (!isKeyId(id) || bytes.length !== 32 || new Set(bytes).size === 1) throw new Error('no key');
    return { id, key: createSecretKey(bytes) };
  });
  if (new Set(keys.map(({ id }) => id)).size < keys.length) throw new Error('an id twice');
  return keys;
}

export const hostPorts =
  (defaultPort?: number) =>
  (value: string): readonly HostPort[] =>
    value.split(',').map((part) => hostPort(part.trim(), defaultPort));

/** `Hooks.example.com,*.example.org,127.1` -> `hooks.example.com`, `*.example.org`, `127.0.0.1`. */
export function hostPatterns(value: string): readonly string[] {
  return value.split(',').map((part) => {
    const pattern = canonicalHostPattern(part.trim());
    if (pattern === undefined) throw new Error('no host');
    return pattern;
  });
}

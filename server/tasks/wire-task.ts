import { isIPv6 } from 'node:net';
import type { Jitter } from '../../shared/domain/task/retry-policy.js';

/** A task as clients write it, and what its fields may hold: for the schema, and for what is plainly right (plain-task.ts). */

export interface WireTask {
  readonly id: string;
  readonly source: string;
  readonly client_id: string;
  readonly destination_type: 'kafka' | 'http';
  readonly destination: WireDestination;
  readonly dead_destination_type?: 'kafka' | 'http';
  readonly dead_destination?: WireDestination;
  readonly on_exhausted: 'dead_letter' | 'park';
  readonly max_retries: number;
  readonly base_delay: number;
  readonly initial_delay?: number;
  readonly max_delay: number;
  readonly jitter: Jitter;
  readonly message_data: string;
  readonly is_priority: boolean;
  readonly flow_key?: string | undefined;
}

/** What the deployment says of tasks. */
export interface TaskRules {
  /** Largest message_data, bytes of UTF-8. */
  readonly maxMessageBytes: number;
  /** Of a task that names none. */
  readonly defaultJitter: Jitter;
}

export interface WireDestination {
  readonly url?: string;
  readonly host?: string;
  readonly port?: string | number;
  readonly topic?: string;
  readonly key?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export const MAX_TEXT_CODE_POINTS = 255;
export const MAX_URL_CHARACTERS = 8_192;
export const MAX_HOST_CHARACTERS = 255;
export const MAX_RETRIES = 100;
/** Beside the message, a Kafka record has room for 64 KiB (README): the client's part of it. */
export const MAX_KEY_AND_HEADERS_BYTES = 32_768;
export const MAX_DELAY_SECONDS = 86_400;
export const MAX_INITIAL_DELAY_SECONDS = 31_536_000;
/** @returns what is wrong with a text, or undefined */
export type Check = (value: string) => string | undefined;

export const isWellFormed: Check = (value) => (value.isWellFormed() ? undefined : 'must be well-formed Unicode (it has half of a surrogate pair)');
export const hasNoControls: Check = (value) => (/\p{Cc}/u.test(value) ? 'must not contain control characters' : undefined);
// Counting code points takes an array of them; no text has more of them than UTF-16 units.
export const isShort: Check = (value) => (value.length <= MAX_TEXT_CODE_POINTS || [...value].length <= MAX_TEXT_CODE_POINTS ? undefined : `must not be longer than ${MAX_TEXT_CODE_POINTS} characters`);
export const hasNoSpaces: Check = (value) => (/[\s\p{Cc}]/u.test(value) ? 'must not contain spaces or control characters: percent-encode them' : undefined);
export const isUrl: Check = (value) => {
  const url = parseUrl(value);
  return url !== undefined && /^https?:$/.test(url.protocol) && /^https?:\/\//i.test(value) && url.hostname !== '' && url.port !== '0'
    ? undefined
    : 'must be an absolute http or https url';
};

/** URL.canParse first would parse the good ones twice. */
function parseUrl(value: string): URL | undefined {
  try {
    return new URL(value);
  } catch {
    return undefined; // no URL: what the check is for
  }
}

export const isTopic: Check = (value) =>
  /^[A-Za-z0-9._-]{1,249}$/.test(value) && value !== '.' && value !== '..'
    ? undefined
    : 'must be a legal Kafka topic name: 1 to 249 of the characters a-z, A-Z, 0-9, . _ -';
export const isHost: Check = (value) => (isIPv6(value) || /^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/.test(value) ? undefined : 'must be a host name or an IP address');

/** @param maxBytes of UTF-8 */
export const isAtMost = (maxBytes: number): Check => (value) => (Buffer.byteLength(value) <= maxBytes ? undefined : `must not be larger than ${maxBytes} bytes`);

import type { PathMask } from '../../shared/domain/destinations/path-mask.js';
import { RequestError } from '../../shared/domain/errors.js';
import { isAddressable } from '../../shared/domain/field-check.js';
import { canonicalName, hostOfName, type DefaultBrokers } from '../../shared/domain/flow/flow-key.js';
import { ID_MARK, idOfKey } from '../../shared/wire/destination-id.js';

/** How a path names a destination: by its key, percent-encoded, or by its id. */

/** A url that a person pastes may be as long as that of a task. */
const MAX_PASTED_CHARACTERS = 8_192;
const MAX_NAME_CHARACTERS = 1_024;
/** `https%3A%2F%2Fapi.example.com`: what is left of a url or a cluster that was encoded twice. No parser of urls takes it for one. */
const ENCODED_TWICE = /^[\s\p{C}\p{Z}]*(?:https?|kafka)%3A/iu;

export interface KeyRules {
  readonly defaultBrokers?: DefaultBrokers;
  /** What is shown of a path: the path of an endpoint is written with it. */
  readonly mask?: PathMask;
  /** The name of the parameter, for refusals. Default `key`. */
  readonly field?: string;
}

/**
 * The key that a part of a path names: a key in any spelling, or an id. A url or a cluster may be encoded twice, since some
 * clients and proxies encode what is encoded already.
 * @throws RequestError invalid_request for a text that is the key of no destination. `.` and `..` are none, as they are no
 *         `flow_key`: in a path they mean a step, so most clients cannot ask for them.
 */
export function parseKey(text: string, { defaultBrokers, mask, field = 'key' }: KeyRules = {}): string {
  try {
    const name = text.startsWith(ID_MARK) ? keyOfId(text) : ENCODED_TWICE.test(text) ? decodedAgain(text) : text;
    return canonical(name, defaultBrokers, mask);
  } catch (error) {
    if (!(error instanceof BadKey)) throw error;
    const message = `${field} ${error.message}`;
    throw new RequestError('invalid_request', message, [{ field, message }]);
  }
}

/**
 * The host or cluster whose endpoints or topics are asked for. Other names have none, so their list would be empty, which looks as if nothing
 * were sent: `https://api.example.com/` is an endpoint.
 * @throws RequestError invalid_request
 */
export function parseGroup(text: string, rules: Omit<KeyRules, 'field'> = {}): string {
  const field = 'group';
  const name = parseKey(text, { ...rules, field });
  const host = hostOfName(name);
  if (host === name) return name;
  const message = `${field} must be a host or a cluster${host === undefined ? ', such as https://api.example.com or kafka://default' : `: did you mean ${host}?`}`;
  throw new RequestError('invalid_request', message, [{ field, message }]);
}

/** The complaint about a key, without the name of its field. */
class BadKey extends Error {}

function canonical(text: string, defaultBrokers: DefaultBrokers | undefined, mask: PathMask | undefined): string {
  if (text.length > MAX_PASTED_CHARACTERS) refuseKey(`must not be longer than ${MAX_PASTED_CHARACTERS} characters`);
  if (text === '') refuseKey('must not be empty');
  if (!text.isWellFormed()) refuseKey('must be well-formed Unicode (it has half of a surrogate pair)');
  if (/\p{Cc}/u.test(text)) refuseKey('must not contain control characters');
  const complaint = isAddressable(text);
  if (complaint !== undefined) refuseKey(complaint);
  const name = canonicalName(text, defaultBrokers, mask);
  if (name.length > MAX_NAME_CHARACTERS && [...name].length > MAX_NAME_CHARACTERS) refuseKey(`must not be longer than ${MAX_NAME_CHARACTERS} characters`);
  return name;
}

/** A flow_key that begins with `~` is named by its id alone, so that each text has one meaning. */
function keyOfId(id: string): string {
  const bytes = Buffer.from(id.slice(ID_MARK.length), 'base64url');
  const key = bytes.toString('utf8');
  // Buffer skips what is no base64url, and replaces what is no UTF-8.
  if (key === '' || idOfKey(key) !== id) refuseKey(`that begins with ~ must be an id: ~ and the base64url of a key, without padding. A flow_key that begins with ~ is named by its id, as here ${idOfKey(id.toWellFormed().slice(0, MAX_NAME_CHARACTERS))}`);
  return key;
}

function decodedAgain(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // some of it was encoded once, so it is a name like any other
  }
}

function refuseKey(complaint: string): never {
  throw new BadKey(complaint);
}

import { clientAuthentications, credentialMembers, saslMechanisms, type CredentialMember, type CredentialValues } from '../../shared/domain/credentials/credential-values.js';
import { complaintAboutHeaders, httpHeadersCheck, type HttpHeaders } from '../../shared/domain/destinations/http-headers.js';
import { httpType } from '../../shared/domain/destinations/http.js';
import { RequestError, type RefusalNotes } from '../../shared/domain/errors.js';
import { HIDDEN_VALUE } from '../../shared/domain/field-check.js';
import { signerOf, signingAlgorithms, type SigningAlgorithm } from '../../shared/domain/secrets/webhook-signature.js';
import type { WireViolation } from '../../shared/wire/error.js';
import { isReason, REASON_RULE } from '../http/asked-change.js';
import { didYouMean } from '../http/nearest-name.js';
import { shortViolations } from '../http/short-error.js';
import { hintForChoice } from '../http/value-hint.js';
import { complaintAboutCertificate } from './certificate-check.js';

/** What may be asked of credentials. */

const DEFAULT_OVERLAP_S = 86_400;
const MAX_OVERLAP_S = 30 * 86_400;
const MAX_TEXT_CHARACTERS = 8_192;
const SHOWN_CHARACTERS = 100;

/** What shall become of the signing secret: `rotate` makes a new one, `secret` is the caller's own. */
export type SigningChange = { readonly rotate: { readonly overlapMs: number }; readonly algorithm: SigningAlgorithm | undefined } | { readonly secret: string };

/** What is to be changed; null: it is removed. What is left out stays. */
export type CredentialChange = { readonly [M in Exclude<CredentialMember, 'signing'>]?: CredentialValues[M] | null } & { readonly signing?: SigningChange | null };

export interface CredentialRequest {
  readonly change: CredentialChange;
  readonly reason: string | undefined;
}

type Faults = WireViolation[];
type Fields = Readonly<Record<string, unknown>>;
type Reader<T> = (value: Fields, path: string, faults: Faults) => T | undefined;

/**
 * The body of PATCH /destinations/:key/credentials. A member is replaced as a whole: a secret that is left out is never kept beside a new
 * address.
 * @param kind of destination. @throws RequestError invalid_request with the first 20 violations, and none of the values
 */
export function parseCredentialChange(body: unknown, kind: 'http' | 'kafka'): CredentialRequest {
  const faults: Faults = [];
  const known = [...Object.keys(credentialMembers), 'reason'];
  const members = fieldsOf(body, '', known, faults) ?? {};
  const change: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(members)) {
    if (!isMember(name)) continue;
    const use = credentialMembers[name];
    if (use !== 'both' && use !== kind) faults.push({ field: name, message: `${name} is for ${use === 'http' ? 'HTTP destinations' : 'Kafka clusters and topics'}` });
    else if (value === null) change[name] = null;
    else change[name] = readMember(name, value, faults);
  }
  const { reason } = members;
  if (reason !== undefined && reason !== null && !isReason(reason)) faults.push({ field: 'reason', message: `reason ${REASON_RULE}` });
  if (faults.length === 0 && Object.keys(change).length === 0) faults.push({ field: '', message: `the body must have one of ${Object.keys(credentialMembers).join(', ')}` });
  if (faults.length > 0) throw refuseCredentials(faults);
  // The readers have made it, by name.
  return { change, reason: typeof reason === 'string' ? reason : undefined };
}

export function refuseCredentials(faults: readonly WireViolation[], notes: RefusalNotes = {}): RequestError {
  const details = shortViolations(faults);
  return new RequestError('invalid_request', details.map(({ message }) => message).join('; '), details, { notes });
}

function isMember(name: string): name is CredentialMember {
  return Object.hasOwn(credentialMembers, name);
}

const readers: { readonly [M in Exclude<CredentialMember, 'headers'>]: { readonly fields: readonly string[]; readonly read: Reader<unknown> } } = {
  basic: { fields: ['user', 'password'], read: readBasic },
  bearer: { fields: ['token'], read: readBearer },
  oauth2: { fields: ['token_url', 'client_id', 'client_secret', 'scope', 'audience', 'client_authentication'], read: readOAuth2 },
  client_certificate: { fields: ['certificate', 'key', 'ca'], read: readCertificate },
  sasl: { fields: ['mechanism', 'username', 'password', 'tls'], read: readSasl },
  signing: { fields: ['rotate', 'secret', 'algorithm'], read: readSigning },
};

function readMember(name: CredentialMember, value: unknown, faults: Faults): unknown {
  if (name === 'headers') return readHeaders(value, faults);
  const { fields, read } = readers[name];
  const given = fieldsOf(value, name, fields, faults);
  return given === undefined ? undefined : read(given, name, faults);
}

function readHeaders(value: unknown, faults: Faults): HttpHeaders | undefined {
  const fault = (field: string, complaint: string): void => void faults.push({ field, message: `${field} ${complaint}` });
  if (!isFields(value) || Object.keys(value).length === 0) {
    fault('headers', 'must be an object with a header at least, or null');
    return undefined;
  }
  const before = faults.length;
  const [nameChecks, valueChecks] = [httpHeadersCheck.name, httpHeadersCheck.value];
  for (const [name, text] of Object.entries(value).slice(0, 1_000)) {
    const complaint = nameChecks.map((check) => check(name)).find((found) => found !== undefined);
    const field = `headers.${name.slice(0, SHOWN_CHARACTERS).toWellFormed()}`;
    if (complaint !== undefined) fault(field, complaint);
    else if (typeof text !== 'string' || text === '') fault(field, 'must be a text');
    else for (const found of valueChecks.flatMap((check) => check(text) ?? []).slice(0, 1)) fault(field, found);
  }
  if (faults.length > before) return undefined;
  // Each was looked at above.
  const headers = value as HttpHeaders;
  const together = complaintAboutHeaders(headers);
  if (together !== undefined) fault('headers', together);
  return headers;
}

function readBasic(value: Fields, path: string, faults: Faults): CredentialValues['basic'] | undefined {
  const user = text(value, path, 'user', faults, (found) => (/[:\p{Cc}]/u.test(found) ? 'must not have a colon or control characters' : undefined));
  const password = text(value, path, 'password', faults, noControls);
  return user === undefined || password === undefined ? undefined : { user, password };
}

function readBearer(value: Fields, path: string, faults: Faults): CredentialValues['bearer'] | undefined {
  const token = text(value, path, 'token', faults, (found) => (/^[\x21-\x7e]+$/.test(found) ? undefined : 'must be visible ASCII characters without spaces'));
  return token === undefined ? undefined : { token };
}

function readOAuth2(value: Fields, path: string, faults: Faults): CredentialValues['oauth2'] | undefined {
  const tokenUrl = text(value, path, 'token_url', faults, complaintAboutTokenUrl);
  const id = text(value, path, 'client_id', faults, noControls);
  const secret = text(value, path, 'client_secret', faults, noControls);
  const scope = optionalText(value, path, 'scope', faults);
  const audience = optionalText(value, path, 'audience', faults);
  const where = choice(value, path, 'client_authentication', clientAuthentications, faults, 'header');
  if (tokenUrl === undefined || id === undefined || secret === undefined || where === undefined) return undefined;
  return { token_url: tokenUrl, client_id: id, client_secret: secret, ...(scope === undefined ? {} : { scope }), ...(audience === undefined ? {} : { audience }), client_authentication: where };
}

function complaintAboutTokenUrl(url: string): string | undefined {
  const { check } = httpType.fields.url;
  const complaint = check.kind === 'text' ? check.checks.map((each) => each(url)).find((found) => found !== undefined) : undefined;
  if (complaint !== undefined) return complaint;
  const { username, password, hash: fragment } = new URL(url);
  return username !== '' || password !== '' || fragment !== '' ? 'must not have a user, a password or a fragment: they have members of their own, or are not sent' : undefined;
}

function readCertificate(value: Fields, path: string, faults: Faults): CredentialValues['client_certificate'] | undefined {
  const before = faults.length;
  const pem = (name: string): string | undefined => (value[name] === undefined ? undefined : text(value, path, name, faults, (found) => (/-----BEGIN [A-Z ]+-----/.test(found) ? undefined : 'must be in PEM form, and begins with -----BEGIN'), 65_536));
  const [certificate, key, ca] = [pem('certificate'), pem('key'), pem('ca')];
  if (faults.length > before) return undefined;
  const found = { ...(certificate === undefined ? {} : { certificate }), ...(key === undefined ? {} : { key }), ...(ca === undefined ? {} : { ca }) };
  const complaint = complaintAboutCertificate(found);
  if (complaint !== undefined) faults.push({ field: path, message: `${path} ${complaint}` });
  return found;
}

function readSasl(value: Fields, path: string, faults: Faults): CredentialValues['sasl'] | undefined {
  const mechanism = choice(value, path, 'mechanism', saslMechanisms, faults, undefined);
  const username = text(value, path, 'username', faults, noControls);
  const password = text(value, path, 'password', faults, noControls);
  const { tls = true } = value;
  if (typeof tls !== 'boolean') faults.push({ field: `${path}.tls`, message: `${path}.tls must be true or false: false sends the login without TLS` });
  return mechanism === undefined || username === undefined || password === undefined || typeof tls !== 'boolean' ? undefined : { mechanism, username, password, tls };
}

function readSigning(value: Fields, path: string, faults: Faults): SigningChange | undefined {
  const fault = (field: string, complaint: string): void => void faults.push({ field: `${path}.${field}`, message: `${path}.${field} ${complaint}` });
  const { rotate, secret, algorithm } = value;
  if ((rotate === undefined) === (secret === undefined)) {
    fault('rotate', `must be given, such as {"overlap":${DEFAULT_OVERLAP_S}}, or ${path}.secret in its place`);
    return undefined;
  }
  if (secret !== undefined) {
    if (algorithm !== undefined) fault('algorithm', 'follows from the secret: whsec_ is v1, whsk_ is v1a');
    const given = text(value, path, 'secret', faults, (found) => (signerOf(found) === undefined ? 'must be whsec_ and 24 to 64 bytes in base64, or whsk_ and an Ed25519 key of 32 or 64 bytes in base64' : undefined));
    return given === undefined ? undefined : { secret: given };
  }
  const known = algorithm === undefined ? undefined : choice(value, path, 'algorithm', signingAlgorithms, faults, undefined);
  const { overlap = DEFAULT_OVERLAP_S } = fieldsOf(rotate, `${path}.rotate`, ['overlap'], faults) ?? {};
  if (typeof overlap === 'number' && overlap >= 0 && overlap <= MAX_OVERLAP_S) return { rotate: { overlapMs: Math.ceil(overlap * 1_000) }, algorithm: known };
  fault('rotate.overlap', `must be a number of seconds from 0 to ${MAX_OVERLAP_S}`);
  return undefined;
}

function text(value: Fields, path: string, name: string, faults: Faults, check: (text: string) => string | undefined, most = MAX_TEXT_CHARACTERS): string | undefined {
  const found = value[name];
  const complaint = complaintAboutText(found, most) ?? check(String(found));
  if (complaint === undefined) return String(found);
  faults.push({ field: `${path}.${name}`, message: `${path}.${name} ${complaint}` });
  return undefined;
}

function complaintAboutText(found: unknown, most: number): string | undefined {
  if (found === undefined) return 'is required: a member is replaced as a whole, and nothing of the old one is kept';
  if (typeof found !== 'string' || found === '') return 'must be a text that is not empty';
  if (found === HIDDEN_VALUE) return `must not be ${HIDDEN_VALUE}, which stands for a value that is not shown: write the value itself`;
  return found.length > most || !found.isWellFormed() ? `must be well-formed, and not longer than ${most} characters` : undefined;
}

function optionalText(value: Fields, path: string, name: string, faults: Faults): string | undefined {
  return value[name] === undefined ? undefined : text(value, path, name, faults, noControls);
}

function choice<const T extends string>(value: Fields, path: string, name: string, choices: readonly T[], faults: Faults, fallback: T | undefined): T | undefined {
  const found = value[name] ?? fallback;
  const known = choices.find((each) => each === found);
  if (known === undefined) faults.push({ field: `${path}.${name}`, message: `${path}.${name} must be one of ${choices.join(', ')}${hintForChoice(found, choices)}` });
  return known;
}

function noControls(found: string): string | undefined {
  return /\p{Cc}/u.test(found) ? 'must not have control characters' : undefined;
}

function fieldsOf(value: unknown, path: string, known: readonly string[], faults: Faults): Fields | undefined {
  if (!isFields(value)) {
    faults.push({ field: path, message: path === '' ? 'the body must be an object' : `${path} must be an object with ${known.join(', ')}, or null` });
    return undefined;
  }
  for (const name of Object.keys(value).slice(0, 1_000)) {
    if (known.includes(name)) continue;
    const shown = (path === '' ? name : `${path}.${name}`).slice(0, SHOWN_CHARACTERS).toWellFormed();
    faults.push({ field: shown, message: `${shown} is not taken here${didYouMean(name, known)}` });
  }
  return value;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

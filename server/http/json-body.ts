import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { RequestError } from '../../shared/domain/errors.js';
import type { RequestErrorCode } from '../../shared/domain/request-errors.js';
import type { HeldBytes } from './body-budget.js';
import { BodyBytes } from './body-bytes.js';
import { OPEN_OBJECT } from './json-bytes.js';
import { BEHIND_VALUE, findJsonFault, findJsonFaultInTurns, type JsonFault } from './json-fault.js';
import { checkJsonShape, checkJsonShapeInTurns, hintAtMany, type JsonThing } from './json-scan.js';
import { repeatedNameByStep } from './repeated-name.js';
import type { RequestContext } from './request-context.js';
import { TextPlaces } from './text-places.js';
import type { WorkTurns } from './work-turns.js';

/** From this size on, each step over a text takes so long that it has a turn of the event loop of its own. */
export const LARGE_BYTES = 262_144;
/** From this size on, a text is parsed only in a turn that is not used up. It may take 1 ms, and many may be whole at the same moment. */
const MEDIUM_BYTES = 16_384;
/** Of a name in an error. */
const SHOWN_CHARACTERS = 100;

/** What reading the body of a request needs of it. */
export type BodyContext = Pick<RequestContext, 'request' | 'isAccessOld' | 'renewAccess'>;

export interface BodyOptions {
  /** Of the refusal of a body that is too deep or too wide. The default is invalid_request. */
  readonly code?: RequestErrorCode;
  /** See JsonThing. */
  readonly mostStructural?: number;
  /** See JsonThing. */
  readonly many?: string;
  readonly large?: LargeBodyMeans;
  /** A name may stand twice in an object, and the last one counts. Default: no. */
  readonly mayRepeatNames?: boolean;
  /** The setting that `maxBytes` follows from, for the log. */
  readonly limit?: string;
}

/** The largest size of a body, and the setting that it follows from; undefined: it is fixed. */
export interface SizeLimit {
  readonly maxBytes: number;
  readonly limit: string | undefined;
}

/** The means to take a large body without harm to other requests. A route whose bodies are always small does without. */
export interface LargeBodyMeans {
  /** The bytes stay held until the caller releases them. */
  readonly held: HeldBytes;
  readonly turns: WorkTurns;
}

/**
 * Reads a body that is exactly one JSON value in UTF-8. The last byte may come minutes after the headers, so it checks again then whether the
 * caller may still call: what is done with the body is done for a key that holds.
 *
 * Express' own parser is not used: it replaces bytes that are no UTF-8 instead of refusing them. A message that was
 * changed silently is worse than one that was refused.
 *
 * @param maxBytes largest size of the body
 * @throws RequestError unsupported_media_type, too_large, overloaded, invalid_json, `code`, and those of the access check
 */
export async function readJsonBody(context: BodyContext, maxBytes: number, { code = 'invalid_request', mostStructural, many, large, limit, mayRepeatNames = false }: BodyOptions = {}): Promise<unknown> {
  const { request } = context;
  checkBodyHeaders(request, { maxBytes, limit }, isJson, 'application/json', many);
  const body = await readBody(request, { maxBytes, limit }, large);
  if (context.isAccessOld) await context.renewAccess();
  if (body.length === 0) throw new RequestError('invalid_json', 'the body is empty: send one JSON object');
  const thing: JsonThing = { name: 'the body', code, ...(mostStructural === undefined ? {} : { mostStructural }), ...(many === undefined ? {} : { many }) };
  const value = await parseInTurn(body, thing, large?.turns);
  if (!mayRepeatNames) await checkNames(body, code, large?.turns);
  return value;
}

async function parseInTurn(body: Buffer, thing: JsonThing, turns: WorkTurns | undefined): Promise<unknown> {
  if (turns === undefined || body.length < MEDIUM_BYTES) return parseJson(body, thing);
  if (body.length >= LARGE_BYTES) return parseLargeJson(body, thing, turns);
  if (turns.isUsedUp) await turns.whenFree();
  return parseJson(body, thing);
}

async function checkNames(body: Buffer, code: RequestErrorCode, turns: WorkTurns | undefined): Promise<void> {
  for (const repeated of repeatedNameByStep(body)) {
    if (repeated !== undefined) throw standsTwice(repeated, code);
    if (turns?.isUsedUp === true) await turns.whenFree();
  }
}

function standsTwice(repeated: string, code: RequestErrorCode): RequestError {
  const name = repeated.slice(0, SHOWN_CHARACTERS).toWellFormed();
  const message = `${JSON.stringify(name)} stands twice in one object: one of both would be dropped`;
  return new RequestError(code, message, [{ field: name, message }]);
}

export function isJson(mediaType: string): boolean {
  return mediaType === 'application/json' || /^application\/[\w.-]+\+json$/.test(mediaType);
}

/**
 * Refuses everything that can be refused before the body comes.
 * @param taken the media types that `isTaken` takes, for the error message
 * @param many see JsonThing
 * @returns the media type, in lower case
 * @throws RequestError unsupported_media_type, too_large
 */
export function checkBodyHeaders(request: IncomingMessage, size: SizeLimit, isTaken: (mediaType: string) => boolean, taken: string, many?: string): string {
  const { 'content-type': type = '', 'content-encoding': encoding = 'identity', 'content-length': length } = request.headers;
  const [mediaType = '', ...parameters] = type.split(';').map((part) => part.trim().toLowerCase());
  const charsets = parameters.filter((parameter) => parameter.startsWith('charset')).map((parameter) => parameter.replace(/^charset\s*=\s*/, '').replaceAll('"', ''));
  if (!isTaken(mediaType)) throw new RequestError('unsupported_media_type', `Content-Type must be ${taken}${hintForForm(mediaType)}${LINES.test(mediaType) ? hintAtMany(many) : ''}`);
  if (charsets.some((charset) => charset !== 'utf-8' && charset !== 'utf8')) throw new RequestError('unsupported_media_type', 'the charset must be utf-8');
  if (encoding.toLowerCase() !== 'identity') throw new RequestError('unsupported_media_type', 'a compressed body is not taken: send it as it is, without Content-Encoding');
  if (length !== undefined && Number(length) > size.maxBytes) throw bodyTooLarge(size);
  return mediaType;
}

/** What clients write for JSON in lines. */
const LINES = /^(?:application|text)\/(?:x-)?(?:ndjson|jsonl|jsonlines|json-lines|json-seq)$/;

/** curl says so of every body, unless it is told otherwise. */
function hintForForm(mediaType: string): string {
  return mediaType === 'application/x-www-form-urlencoded' ? ": with curl, add -H 'Content-Type: application/json'" : '';
}

/** @throws RequestError too_large, overloaded; invalid_request when the client goes away in the middle; and what the body is refused with by refuseBody */
export function readBody(request: IncomingMessage, size: SizeLimit, large?: LargeBodyMeans): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const body = new BodyBytes();
    let bytes = 0;
    let isRefused = false;
    const refuse = (refusal: RequestError): void => {
      isRefused = true;
      body.take();
      reject(refusal);
    };
    request.on('data', (chunk: Buffer) => {
      if (isRefused) return;
      bytes += chunk.length;
      if (bytes > size.maxBytes) refuse(bodyTooLarge(size));
      else if (large?.held.take(chunk.length) === false) refuse(overloaded());
      else {
        body.add(chunk);
        // Many uploads bring 1 ms of work each at the same moment, and more is read off their sockets meanwhile.
        if (large !== undefined && bytes >= LARGE_BYTES && large.turns.isUsedUp) pauseUntilFree(request, large.turns);
      }
    });
    request.on('end', () => {
      if (!isRefused) resolve(large === undefined || bytes < LARGE_BYTES ? body.take() : body.takeInTurns(large.turns));
    });
    // Node emits this also when the client goes away in the middle, with an error that says nothing.
    request.on('error', (cause) => refuse(cutOff(cause)));
  });
}

function pauseUntilFree(request: IncomingMessage, turns: WorkTurns): void {
  request.pause();
  void turns.whenFree().then(() => request.resume());
}

/**
 * @throws RequestError invalid_json, or the code of the thing when it is too deep or too wide
 */
export function parseJson(bytes: Buffer, thing: JsonThing): unknown {
  checkJsonShape(bytes, thing);
  checkUtf8(bytes, thing);
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    // Its message differs from one version of Node to the next.
    throw invalidJson(bytes, thing, findJsonFault(bytes));
  }
}

/** The same for a text of at least LARGE_BYTES: 6 MiB take 20 ms. */
export async function parseLargeJson(bytes: Buffer, thing: JsonThing, turns: WorkTurns): Promise<unknown> {
  if (turns.isUsedUp) await turns.whenFree();
  await checkJsonShapeInTurns(bytes, thing, turns);
  await turns.next();
  checkUtf8(bytes, thing);
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    await turns.next();
    throw invalidJson(bytes, thing, await findJsonFaultInTurns(bytes, turns)); // as in parseJson
  }
}

function checkUtf8(bytes: Buffer, thing: JsonThing): void {
  if (isUtf8(bytes)) return;
  throw new RequestError('invalid_json', `${thing.name} is not valid UTF-8: ${otherForm(bytes) ?? `see ${placeIn(bytes, thing, firstInvalidByte(bytes))}`}`);
}

/** What a text is that begins like no UTF-8. */
function otherForm(bytes: Buffer): string | undefined {
  switch (bytes.toString('hex', 0, 2)) {
    case 'fffe':
    case 'feff':
      return 'it is UTF-16, as PowerShell writes it';
    case '1f8b':
    case '28b5':
      return 'it is compressed: send it as it is';
    default:
      return undefined;
  }
}

/** The places of bytes that are no UTF-8 are those that the decoder puts U+FFFD in for. */
function firstInvalidByte(bytes: Buffer): number {
  const text = bytes.toString('utf8');
  let offset = 0;
  for (let from = 0; ; ) {
    const at = text.indexOf('\ufffd', from);
    if (at < 0) return offset;
    offset += Buffer.byteLength(text.slice(from, at));
    // The sender may have written the character itself.
    if (!(bytes[offset] === 0xef && bytes[offset + 1] === 0xbf && bytes[offset + 2] === 0xbd)) return offset;
    offset += 3;
    from = at + 1;
  }
}

/** @param fault undefined: JSON.parse and our own reading differ, which a test looks for */
function invalidJson(bytes: Buffer, thing: JsonThing, fault: JsonFault | undefined): RequestError {
  const where = fault === undefined ? '' : ` at ${placeIn(bytes, thing, fault.offset)}: ${fault.complaint}`;
  const isSecondObject = fault?.complaint === BEHIND_VALUE && bytes[fault.offset] === OPEN_OBJECT;
  return new RequestError('invalid_json', `${thing.name} is not valid JSON${where}${isSecondObject ? hintAtMany(thing.many) : ''}`);
}

function placeIn(bytes: Buffer, { placeOf }: JsonThing, offset: number): string {
  return placeOf === undefined ? new TextPlaces(bytes).at(offset) : placeOf(bytes, offset);
}

export function bodyTooLarge({ maxBytes, limit }: SizeLimit): RequestError {
  return new RequestError('too_large', `the body must not be larger than ${maxBytes} bytes`, undefined, { notes: limit === undefined ? {} : { limit } });
}

export function overloaded(): RequestError {
  return new RequestError('overloaded', 'too many large bodies are being received or handled now', undefined, { notes: { limit: 'HTTP_MAX_BODY_MEMORY' } });
}

/** @param cause the error that a body ends with; one of refuseBody is the refusal itself */
export function cutOff(cause: unknown): RequestError {
  return cause instanceof RequestError ? cause : new RequestError('invalid_request', 'the request was cut off', undefined, { cause });
}

/**
 * The room that one task needs: JSON may take six bytes for one byte of message_data (\u0000), and 64 KiB are for the
 * rest.
 */
export function maxBodyBytes(maxMessageBytes: number): number {
  return 6 * maxMessageBytes + 65_536;
}

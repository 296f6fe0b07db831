import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { RequestError } from '../../shared/domain/errors.js';
import { BodyBytes } from './body-bytes.js';

/**
 * Reads a body that is exactly one JSON value in UTF-8.
 *
 * Express' own parser is not used: it replaces bytes that are no UTF-8 instead of refusing them. A message that was
 * changed silently is worse than one that was refused.
 *
 * @param maxBytes largest size of the body
 * @throws RequestError unsupported_media_type, too_large, invalid_json
 */
export async function readJsonBody(request: IncomingMessage, maxBytes: number): Promise<unknown> {
  checkBodyHeaders(request, maxBytes, isJson, 'application/json');
  const body = await readBody(request, maxBytes);
  if (body.length === 0) throw new RequestError('invalid_json', 'the body is empty: send one JSON object');
  return parseJson(body, 'the body');
}

export function isJson(mediaType: string): boolean {
  return mediaType === 'application/json' || /^application\/[\w.-]+\+json$/.test(mediaType);
}

/**
 * Refuses everything that can be refused before the body comes.
 * @param taken the media types that `isTaken` takes, for the error message
 * @returns the media type, in lower case
 * @throws RequestError unsupported_media_type, too_large
 */
export function checkBodyHeaders(request: IncomingMessage, maxBytes: number, isTaken: (mediaType: string) => boolean, taken: string): string {
  const { 'content-type': type = '', 'content-encoding': encoding = 'identity', 'content-length': length } = request.headers;
  const [mediaType = '', ...parameters] = type.split(';').map((part) => part.trim().toLowerCase());
  const charsets = parameters.filter((parameter) => parameter.startsWith('charset')).map((parameter) => parameter.replace(/^charset\s*=\s*/, '').replaceAll('"', ''));
  if (!isTaken(mediaType)) throw new RequestError('unsupported_media_type', `Content-Type must be ${taken}`);
  if (charsets.some((charset) => charset !== 'utf-8' && charset !== 'utf8')) throw new RequestError('unsupported_media_type', 'the charset must be utf-8');
  if (encoding.toLowerCase() !== 'identity') throw new RequestError('unsupported_media_type', 'a compressed body is not taken');
  if (length !== undefined && Number(length) > maxBytes) throw bodyTooLarge(maxBytes);
  return mediaType;
}

/** @throws RequestError too_large; invalid_request when the client goes away in the middle */
export function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const body = new BodyBytes();
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= maxBytes) body.add(chunk);
      else reject(bodyTooLarge(maxBytes));
    });
    request.on('end', () => resolve(body.take()));
    // Node emits this also when the client goes away in the middle, with an error that says nothing.
    request.on('error', (cause) => reject(cutOff(cause)));
  });
}

/**
 * @param name of the thing, for the error message
 * @throws RequestError invalid_json
 */
export function parseJson(bytes: Buffer, name: string): unknown {
  if (!isUtf8(bytes)) throw new RequestError('invalid_json', `${name} is not valid UTF-8`);
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw new RequestError('invalid_json', `${name} is not valid JSON`, undefined, { cause });
  }
}

export function bodyTooLarge(maxBytes: number): RequestError {
  return new RequestError('too_large', `the body must not be larger than ${maxBytes} bytes`);
}

export function cutOff(cause: unknown): RequestError {
  return new RequestError('invalid_request', 'the request was cut off', undefined, { cause });
}

/**
 * The room that one task needs: JSON may take six bytes for one byte of message_data (\u0000), and 64 KiB are for the
 * rest.
 */
export function maxBodyBytes(maxMessageBytes: number): number {
  return 6 * maxMessageBytes + 65_536;
}

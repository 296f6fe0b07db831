import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { RequestError } from '../../shared/domain/errors.js';

/**
 * Reads a body that is exactly one JSON value in UTF-8.
 *
 * Express' own parser is not used: it replaces bytes that are no UTF-8 instead of refusing them, and a message that
 * was silently changed is worse than one that was refused.
 *
 * @param maxBytes of the body
 * @throws RequestError unsupported_media_type, too_large, invalid_json
 */
export async function readJsonBody(request: IncomingMessage, maxBytes: number): Promise<unknown> {
  checkHeaders(request, maxBytes);
  const body = await readBody(request, maxBytes);
  if (body.length === 0) throw new RequestError('invalid_json', 'the body is empty: send one JSON object');
  if (!isUtf8(body)) throw new RequestError('invalid_json', 'the body is not valid UTF-8');
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (cause) {
    throw new RequestError('invalid_json', 'the body is not valid JSON', undefined, { cause });
  }
}

function checkHeaders(request: IncomingMessage, maxBytes: number): void {
  const { 'content-type': type = '', 'content-encoding': encoding = 'identity', 'content-length': length } = request.headers;
  const [mediaType = '', ...parameters] = type.split(';').map((part) => part.trim().toLowerCase());
  const charsets = parameters.filter((parameter) => parameter.startsWith('charset')).map((parameter) => parameter.replace(/^charset\s*=\s*/, '').replaceAll('"', ''));
  if (mediaType !== 'application/json' && !/^application\/[\w.-]+\+json$/.test(mediaType)) {
    throw new RequestError('unsupported_media_type', 'Content-Type must be application/json');
  }
  if (charsets.some((charset) => charset !== 'utf-8' && charset !== 'utf8')) throw new RequestError('unsupported_media_type', 'the charset must be utf-8');
  if (encoding.toLowerCase() !== 'identity') throw new RequestError('unsupported_media_type', 'a compressed body is not taken');
  if (length !== undefined && Number(length) > maxBytes) throw tooLarge(maxBytes);
}

function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= maxBytes) chunks.push(chunk);
      else reject(tooLarge(maxBytes));
    });
    request.on('end', () => resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)));
    // Emitted when the client goes away in the middle, too: Node reports that as an error with nothing in it.
    request.on('error', (cause) => reject(new RequestError('invalid_request', 'the request was cut off', undefined, { cause })));
  });
}

function tooLarge(maxBytes: number): RequestError {
  return new RequestError('too_large', `the body must not be larger than ${maxBytes} bytes`);
}

/**
 * Room for one task: JSON may need six bytes for one of message_data (\u0000), and 64 KiB are for the rest.
 */
export function maxBodyBytes(maxMessageBytes: number): number {
  return 6 * maxMessageBytes + 65_536;
}

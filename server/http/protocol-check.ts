import type { IncomingMessage, ServerResponse } from 'node:http';
import { RequestError } from '../../shared/domain/errors.js';

/**
 * Refuses what Node's parser lets pass, although no client means it. Where the request ends is not certain then, so the
 * answer is the last one of its connection.
 * @param maxHeaderLines browsers, clients and proxies send fewer than 50. Node drops those beyond 1,000 in silence
 * @throws RequestError invalid_request, headers_too_large, unsupported_transfer_coding
 */
export function checkProtocol(request: IncomingMessage, response: ServerResponse, maxHeaderLines: number): void {
  const refusal = faultOf(request, maxHeaderLines);
  if (refusal === undefined) return;
  response.setHeader('Connection', 'close');
  throw refusal;
}

/** @returns the refusal of a request with too many header lines; those behind a body that has come whole count, too */
export function headerLinesFault({ rawHeaders, rawTrailers }: Pick<IncomingMessage, 'rawHeaders' | 'rawTrailers'>, most: number): RequestError | undefined {
  if (rawHeaders.length + rawTrailers.length <= 2 * most) return undefined;
  return new RequestError('headers_too_large', `a request must not have more than ${most} header lines`, undefined, { notes: { limit: 'HTTP_MAX_HEADER_LINES' } });
}

function faultOf(request: IncomingMessage, maxHeaderLines: number): RequestError | undefined {
  const { httpVersionMajor, httpVersionMinor, rawHeaders, headers } = request;
  if (httpVersionMajor !== 1) return new RequestError('invalid_request', 'only HTTP/1.1 and HTTP/1.0 are spoken here');
  const tooMany = headerLinesFault(request, maxHeaderLines);
  if (tooMany !== undefined) return tooMany;
  // `headers` holds only the first one. A proxy in front may have looked at another one (RFC 9112, 3.2; RFC 9110, 5.3).
  const twice = standsTwice(rawHeaders);
  if (twice !== undefined) return new RequestError('invalid_request', `the ${twice} header must not stand there twice`);
  if (headers.host === undefined && httpVersionMinor !== 0) return new RequestError('invalid_request', 'the Host header is missing');
  // RFC 9112, 6.1: this version knows no chunks, so a proxy in front may have seen another body.
  const coding = headers['transfer-encoding'];
  if (coding === undefined) return undefined;
  if (httpVersionMinor === 0) return new RequestError('invalid_request', 'HTTP/1.0 knows no Transfer-Encoding');
  // RFC 9112, 6.3: the end of such a body cannot be known. 6.1: a coding that is not known. The parser looks at the last one alone.
  if (!/(?:^|[\t ,])chunked$/i.test(coding)) return new RequestError('invalid_request', 'the last coding of Transfer-Encoding must be chunked');
  if (coding.length > 'chunked'.length) return new RequestError('unsupported_transfer_coding', 'Transfer-Encoding must be chunked, and nothing else');
  return undefined;
}

/** Headers that decide what a request is, or who sends it, by their length: nearly all others are told apart by that. */
const DECIDING: Readonly<Record<number, string>> = { 4: 'Host', 12: 'Content-Type', 13: 'Authorization' };

/** @returns the name of a deciding header that stands there twice */
function standsTwice(rawHeaders: readonly string[]): string | undefined {
  let seen = '';
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? '';
    const deciding = DECIDING[name.length];
    if (deciding === undefined || name.toLowerCase() !== deciding.toLowerCase()) continue;
    if (seen.includes(deciding)) return deciding;
    seen += deciding;
  }
  return undefined;
}

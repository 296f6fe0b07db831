import type { IncomingMessage } from 'node:http';
import { refuseBody } from './refuse-body.js';
import { headerLinesFault } from './protocol-check.js';

/**
 * Counts the lines behind the last chunk of a body among the header lines of its request. Call it before the body is read, and
 * only for a body in chunks: no other has them.
 */
export function limitTrailers(request: IncomingMessage, maxHeaderLines: number): void {
  const push = request.push.bind(request);
  // Node's parser calls it with null at the end of the body. The lines behind it are known by then.
  request.push = (chunk: Buffer | null) => {
    const fault = chunk === null ? headerLinesFault(request, maxHeaderLines) : undefined;
    if (fault !== undefined) refuseBody(request, fault);
    return push(chunk);
  };
}

import type { IncomingMessage, ServerResponse } from 'node:http';

/**
 * For a client that waits for `100 Continue` before it sends its body: the 100 is sent when the body is asked for. Node
 * would send it before anything was checked. A request that is refused by its headers gets its final status at once (RFC
 * 9110, 10.1.1), and Node ends the connection behind it, because the client may or may not send the body then.
 */
export function continueWhenRead(request: IncomingMessage, response: ServerResponse): void {
  const onListener = (event: string): void => {
    // All ways of reading a body begin with one of the two.
    if (event !== 'data' && event !== 'readable') return;
    request.off('newListener', onListener);
    if (!response.headersSent) response.writeContinue();
  };
  request.on('newListener', onListener);
}

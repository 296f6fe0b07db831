import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';

/** A server that knows its connections, so that it can be ended without waiting for those that are unused. */
export interface ListeningServer {
  readonly port: number;
  /**
   * Answers the requests that are on their way here, each as the last of its connection. Then it takes no new
   * connections, and ends those on which no request is being answered. It resolves when the last answer is sent. After
   * `graceMs` the rest is cut: a client that sends its body for ever must not hold the process.
   */
  close(graceMs: number): Promise<void>;
}

/**
 * Requests are still read for this long after the end was asked for. Without it, a busy client whose request was sent and
 * not yet read had its connection reset.
 */
const STILL_READ_MS = 250;

/** Starts to listen. @throws the system's error, such as EADDRINUSE */
export function listen(server: Server, { host, port }: { readonly host: string; readonly port: number }): Promise<ListeningServer> {
  // Node's closeIdleConnections leaves out connections on which no request has ever come; browsers and load balancers
  // open such ones in advance.
  const requestsOn = new Map<Socket, number>();
  let isClosing = false;
  const changeBy = (socket: Socket, change: number): void => {
    const before = requestsOn.get(socket);
    // The socket closes before its answer does when the client went away: putting it in again would keep it for ever.
    if (before === undefined) return;
    const requests = before + change;
    requestsOn.set(socket, requests);
    if (isClosing && requests === 0) socket.end();
  };
  server.on('connection', (socket: Socket) => {
    requestsOn.set(socket, 0);
    socket.once('close', () => requestsOn.delete(socket));
  });
  // Node answers 417 by itself to an Expect that it does not know, past the application. RFC 9110, 10.1.1 lets us pass over it.
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => server.emit('request', request, response));
  // This listener has to run before the application answers.
  server.prependListener('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    if (isClosing) response.setHeader('Connection', 'close');
    changeBy(socket, 1);
    response.once('close', () => changeBy(socket, -1));
  });

  const close = async (graceMs: number): Promise<void> => {
    isClosing = true;
    await wait(STILL_READ_MS);
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => server.closeAllConnections(), graceMs);
      server.close((error) => {
        clearTimeout(timer);
        if (error === undefined) resolve();
        else reject(error);
      });
      for (const [socket, requests] of requestsOn) if (requests === 0) socket.destroy();
    });
  };

  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      const address = server.address();
      resolve({ port: typeof address === 'object' && address !== null ? address.port : port, close });
    });
  });
}

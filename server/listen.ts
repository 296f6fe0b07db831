import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** A server whose connections are known, so that it can be ended without waiting for those that nobody uses. */
export interface ListeningServer {
  readonly port: number;
  /**
   * Takes no new connections, ends those on which no request is being answered, and resolves when the last answer is
   * sent. After `graceMs` the rest is cut: a client that sends its body for ever must not hold the process.
   */
  close(graceMs: number): Promise<void>;
}

/** Starts listening. @throws the system's error, such as EADDRINUSE */
export function listen(server: Server, { host, port }: { readonly host: string; readonly port: number }): Promise<ListeningServer> {
  // Node's closeIdleConnections leaves out connections on which no request has ever come; browsers and load balancers
  // open such ones in advance.
  const requestsOn = new Map<Socket, number>();
  let isClosing = false;
  const changeBy = (socket: Socket, change: number): void => {
    const requests = (requestsOn.get(socket) ?? 0) + change;
    requestsOn.set(socket, requests);
    if (isClosing && requests === 0) socket.end();
  };
  server.on('connection', (socket: Socket) => {
    requestsOn.set(socket, 0);
    socket.once('close', () => requestsOn.delete(socket));
  });
  server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    changeBy(socket, 1);
    response.once('close', () => changeBy(socket, -1));
  });

  const close = (graceMs: number): Promise<void> =>
    new Promise((resolve, reject) => {
      isClosing = true;
      const timer = setTimeout(() => server.closeAllConnections(), graceMs);
      server.close((error) => {
        clearTimeout(timer);
        if (error === undefined) resolve();
        else reject(error);
      });
      for (const [socket, requests] of requestsOn) if (requests === 0) socket.destroy();
    });

  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      const address = server.address();
      resolve({ port: typeof address === 'object' && address !== null ? address.port : port, close });
    });
  });
}

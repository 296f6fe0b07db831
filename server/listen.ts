import type { Server } from 'node:http';

/** Starts listening. @throws the system's error, such as EADDRINUSE */
export function listen(server: Server, { host, port }: { readonly host: string; readonly port: number }): Promise<{ port: number }> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      const address = server.address();
      resolve({ port: typeof address === 'object' && address !== null ? address.port : port });
    });
  });
}

const CLOSE_IDLE_EVERY_MS = 50;

/** Takes no new connections, drops idle ones, and resolves when the last answer is sent. */
export function closeServer(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    // A connection that is kept alive gets idle after its last answer, and would hold the server for seconds more.
    const timer = setInterval(() => server.closeIdleConnections(), CLOSE_IDLE_EVERY_MS);
    server.close((error) => {
      clearInterval(timer);
      if (error === undefined) resolve();
      else reject(error);
    });
    server.closeIdleConnections();
  });
}

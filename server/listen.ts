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

/** Takes no new connections, drops idle ones, and resolves when the last answer is sent. */
export function closeServer(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.close((error) => (error === undefined ? resolve() : reject(error)));
    server.closeIdleConnections();
  });
}

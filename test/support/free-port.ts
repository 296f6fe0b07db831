import { createServer, type AddressInfo } from 'node:net';

/** A loopback port on which nothing listens. It was free a moment ago, so another program may still take it first. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo; // a listening TCP server has no other kind of address
  await new Promise((resolve) => server.close(resolve));
  return port;
}

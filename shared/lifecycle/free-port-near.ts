import { createServer } from 'node:net';

const LARGEST_PORT = 65_535;
/** Ports that are tried one after the other, before the system is asked for any. */
const TRIED = 20;

/**
 * A port that is free now, close to one that is taken: people remember it. It was listened on, so it is really free; another program
 * may still be faster.
 * @returns undefined when there is none, for example because the address is not one of this machine
 */
export async function freePortNear(host: string, port: number): Promise<number | undefined> {
  for (let candidate = port + 1; candidate <= Math.min(port + TRIED, LARGEST_PORT); candidate += 1) {
    const found = await tryPort(host, candidate);
    if (found !== undefined) return found;
  }
  return tryPort(host, 0);
}

/** `, such as HTTP_PORT=8081, which is free now`, or nothing. @param port one that is taken */
export async function freePortHint(variable: string, host: string, port: number): Promise<string> {
  const free = await freePortNear(host, port);
  return free === undefined ? '' : `, such as ${variable}=${free}, which is free now`;
}

/** @param port 0: any */
function tryPort(host: string, port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    // `exclusive` has no effect here but in a cluster of Node's, which would share the port of another process.
    server.listen({ host, port, exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : undefined));
    });
  });
}

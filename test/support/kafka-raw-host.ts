import net from 'node:net';

/** A TCP server that is no Kafka broker: it keeps every byte that it gets, and sends a given greeting, or nothing. */
export interface RawHost {
  readonly host: string;
  readonly port: number;
  /** Connections taken since the start. */
  readonly connectionsTaken: number;
  /** Connections that are open now. */
  readonly connectionsOpen: number;
  /** Everything that all connections have sent, in order of arrival. */
  received(): Buffer;
  stop(): Promise<void>;
}

/** @param greeting sent to a client that has sent something; undefined: it never answers */
export async function startRawHost(greeting?: string | Buffer): Promise<RawHost> {
  const chunks: Buffer[] = [];
  const sockets = new Set<net.Socket>();
  let connectionsTaken = 0;
  const server = net.createServer((socket) => {
    connectionsTaken += 1;
    sockets.add(socket);
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      if (greeting !== undefined) socket.write(greeting);
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a TCP server has no port');
  return {
    host: '127.0.0.1',
    port: address.port,
    get connectionsTaken() {
      return connectionsTaken;
    },
    get connectionsOpen() {
      return sockets.size;
    },
    received: () => Buffer.concat(chunks),
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => { server.close(resolve); });
    },
  };
}

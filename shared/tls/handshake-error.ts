import { connect, type ConnectionOptions } from 'node:tls';

/**
 * What ends a handshake with a server, on a connection that nothing is written to. In TLS 1.3 a client is ready before the server has
 * looked at its certificate. One that writes at once may find the connection reset, because a server that has refused it reads no
 * more, and never reads the alert that says why. This one only reads.
 *
 * @param options of `tls.connect`, with host and port
 * @returns undefined: the server has taken us, has hung up without a word, or has said nothing within the limit
 */
export function handshakeError(options: ConnectionOptions, limitMs: number): Promise<Error | undefined> {
  return new Promise((resolve) => {
    const socket = connect(options);
    const end = (error?: Error): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(error);
    };
    const timer = setTimeout(end, limitMs);
    socket.on('error', end);
    socket.once('close', () => end());
    // A ticket for the next time: in TLS 1.3 the first thing that is sent to a client whose certificate was taken.
    socket.once('session', () => end());
  });
}

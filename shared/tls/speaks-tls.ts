import { isIP } from 'node:net';
import { connect, type ConnectionOptions } from 'node:tls';
import { alertOf, tlsFaultOf } from './tls-fault.js';

/** Names of protocols that do not exist, as long as a handshake may have them: 255 names of 255 characters, each behind its length. */
const PADDING = Buffer.concat(Array.from({ length: 255 }, () => Buffer.from(`\xff${'x'.repeat(255)}`, 'latin1')));

/** Keys of newer kinds would leave no room for the names. */
const SMALL_KEY = 'X25519';

/**
 * Asks a port whether it speaks TLS. Nothing is sent but the beginning of a handshake, so no certificate is checked, and the
 * connection is ended.
 *
 * It asks twice at once. The second handshake has no name and is 64 KiB long: a Redis without TLS takes the first one for a line that
 * goes on, and answers only what is longer than a line may be.
 *
 * @returns undefined: it does not answer within the limit, or cannot be reached
 */
export async function speaksTls({ host, port }: { readonly host: string; readonly port: number }, limitMs: number): Promise<boolean | undefined> {
  const hellos: readonly ConnectionOptions[] = [isIP(host) === 0 ? { servername: host } : {}, { ALPNProtocols: PADDING, ecdhCurve: SMALL_KEY }];
  const answers = hellos.map(async (hello) => {
    const answer = await answerTo({ ...hello, host, port }, limitMs);
    if (answer === undefined) throw new Error('no answer');
    return answer;
  });
  return Promise.any(answers).catch(() => undefined);
}

function answerTo(hello: ConnectionOptions, limitMs: number): Promise<boolean | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ ...hello, rejectUnauthorized: false });
    const end = (answer: boolean | undefined): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => end(undefined), limitMs);
    socket.once('secureConnect', () => end(true));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (tlsFaultOf(error.code) === 'not_spoken') end(false);
      // An alert comes from there. All other errors may be of our own making.
      else end(alertOf(error.code) !== undefined ? true : undefined);
    });
  });
}

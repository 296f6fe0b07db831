import { connect } from 'node:net';
import type { HostPort } from '../config/variable-kinds.js';

/** How long to wait for what a server says by itself, ms: it does so at once. */
const LIMIT_MS = 500;
const LONGEST_LINE = 1_024;

/**
 * Why Redis closes a connection as soon as it is there: too many of them (`-ERR max number of clients reached`), or protected mode. It says so before it
 * is asked, and what is asked meanwhile fails with EPIPE or ECONNRESET in its place. So nothing is asked here. In TLS Redis says nothing.
 * @returns as a reply of Redis; undefined: it says nothing, as one that is well, or is away
 */
export async function refusedUnasked({ host, port }: HostPort): Promise<Error | undefined> {
  const line = await new Promise<string>((resolve) => {
    const socket = connect({ host, port });
    let text = '';
    const end = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(text);
    };
    const timer = setTimeout(end, LIMIT_MS);
    socket.setEncoding('utf8');
    socket.on('data', (part: string) => {
      text += part;
      if (text.includes('\r\n') || text.length > LONGEST_LINE) end();
    });
    socket.on('error', end);
    socket.on('close', end);
  });
  const [, message] = /^-([A-Z]+ [^\r\n]*)/.exec(line) ?? [];
  return message === undefined ? undefined : Object.assign(new Error(message), { name: 'ReplyError' });
}

import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

import { testRedisAddress, type RedisAddress } from './redis.js';

/**
 * Tells of each command that Redis carries out. It is a connection of its own: `monitor()` of ioredis takes the first commands for answers
 * when they arrive together with the answer to MONITOR itself, as they do on a busy machine.
 *
 * @param onCommand gets the command and its arguments, each one character a byte
 * @param address   by default the Redis that all tests share
 * @returns ends it
 */
export async function monitorRedis(onCommand: (args: readonly string[]) => void, address: RedisAddress = testRedisAddress()): Promise<() => void> {
  const socket: Socket = connect(address.port, address.host);
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    createInterface({ input: socket.setEncoding('latin1') }).on('line', (line) => {
      if (line === '+OK') resolve();
      else if (line.startsWith('-')) reject(new Error(line.slice(1)));
      else onCommand(argumentsOf(line));
    });
    socket.write('MONITOR\r\n');
  });
  socket.on('error', () => undefined);
  return () => socket.destroy();
}

/** @param line as in `+1795962173.964360 [0 127.0.0.1:49876] "get" "a \"key\"\n"` */
function argumentsOf(line: string): string[] {
  const quoted = line.slice(line.indexOf('] ') + 2);
  return [...quoted.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, text = '']) => unescape(text));
}

const ESCAPED: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', a: '\x07', b: '\b' };

function unescape(text: string): string {
  return text.replace(/\\(?:x([0-9a-f]{2})|(.))/g, (_whole, hex: string | undefined, sign: string = '') => (hex === undefined ? ESCAPED[sign] ?? sign : String.fromCharCode(Number.parseInt(hex, 16))));
}

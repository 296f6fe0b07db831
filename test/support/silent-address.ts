import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

import { freezeProcess } from './freeze-process.js';
import { killWithUs } from './kill-with-us.js';

/** What listens, and never takes a connection: it is stopped, and its queue is full. */
const LISTENER = "require('node:net').createServer().listen({ host: process.argv[1], port: Number(process.argv[2]), backlog: 1 }, () => console.log('up'));";
const MOST_QUEUED = 20;
const NO_ANSWER_WITHIN_MS = 200;

/**
 * Makes an address of this machine drop each attempt to connect, as a firewall does that answers nothing: no refusal, no connection.
 * @param host an address of loopback besides 127.0.0.1
 */
export async function silentAddress(host: string, port: number): Promise<{ stop(): Promise<void> }> {
  const listener = spawn(process.execPath, ['-e', LISTENER, host, String(port)], { stdio: ['ignore', 'pipe', 'inherit'] });
  killWithUs(listener);
  const queued: Socket[] = [];
  const stop = async (): Promise<void> => {
    for (const socket of queued) socket.destroy();
    const ended = once(listener, 'exit');
    listener.kill('SIGKILL');
    await ended;
  };
  await once(listener.stdout, 'data');
  await freezeProcess(listener.pid);
  for (let nth = 0; nth < MOST_QUEUED; nth += 1) {
    const socket = connect({ host, port });
    socket.on('error', () => undefined);
    queued.push(socket);
    const connected = await Promise.race([once(socket, 'connect').then(() => true), new Promise<false>((resolve) => setTimeout(() => { resolve(false); }, NO_ANSWER_WITHIN_MS))]);
    if (!connected) return { stop };
  }
  await stop();
  throw new Error(`${host}:${port} still takes connections`);
}

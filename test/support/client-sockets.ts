import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';

/** Node names every socket here that `net.connect` makes. */
const CHANNEL = 'net.client.socket';

/**
 * The open TCP connections that this process has made since it was constructed. What is counted of the whole process includes what an earlier test file
 * has not closed yet.
 */
export class ClientSockets {
  readonly #open = new Set<Socket>();
  readonly #onSocket = (message: unknown): void => {
    // As Node's documentation says of this channel.
    const { socket } = message as { readonly socket: Socket };
    this.#open.add(socket);
    socket.once('close', () => this.#open.delete(socket));
  };

  constructor() {
    subscribe(CHANNEL, this.#onSocket);
  }

  get open(): number {
    return this.#open.size;
  }

  close(): void {
    unsubscribe(CHANNEL, this.#onSocket);
  }
}

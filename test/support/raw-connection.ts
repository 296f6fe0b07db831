import { connect, type Socket } from 'node:net';

import { eventually, type Patience } from './eventually.js';

/** A connection on which a test sends and reads bytes as they are. */
export class RawConnection {
  #text = '';
  #isClosed = false;

  private constructor(readonly socket: Socket) {
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => { this.#text += chunk; });
    // A reset is one way to be closed.
    socket.on('error', () => undefined);
    socket.on('close', () => { this.#isClosed = true; });
  }

  static async open(baseUrl: string): Promise<RawConnection> {
    const { hostname, port } = new URL(baseUrl);
    const socket = connect(Number(port), hostname);
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return new RawConnection(socket);
  }

  /** Everything that came, a character for each byte. */
  get text(): string {
    return this.#text;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** The status of each answer so far. */
  get statuses(): number[] {
    return [...this.#text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
  }

  write(bytes: string | Buffer): void {
    this.socket.write(bytes);
  }

  /** Waits until this has come. */
  async has(pattern: RegExp, patience?: Patience): Promise<void> {
    await eventually(() => {
      if (!pattern.test(this.#text)) throw new Error(`${String(pattern)} has not come; so far: ${JSON.stringify(this.#text.slice(-2_000))}`);
    }, patience);
  }

  async closed(patience?: Patience): Promise<void> {
    await eventually(() => {
      if (!this.#isClosed) throw new Error(`the connection is open; what came: ${JSON.stringify(this.#text.slice(-2_000))}`);
    }, patience);
  }

  close(): void {
    this.socket.destroy();
  }
}

/** Sends bytes, and waits for one whole answer or the end of the connection. */
export async function sendBytes(baseUrl: string, bytes: string | Buffer, patience?: Patience): Promise<RawConnection> {
  const connection = await RawConnection.open(baseUrl);
  connection.write(bytes);
  await eventually(() => {
    if (!connection.isClosed && !isWhole(connection.text)) throw new Error(`no whole answer: ${JSON.stringify(connection.text.slice(-2_000))}`);
  }, patience);
  connection.close();
  return connection;
}

function isWhole(text: string): boolean {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return false;
  const length = /^content-length: (\d+)/im.exec(text.slice(0, end))?.[1];
  return text.length >= end + 4 + Number(length ?? 0);
}

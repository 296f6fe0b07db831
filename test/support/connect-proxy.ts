import { createServer as createHttpServer, type IncomingMessage, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { connect, type AddressInfo, type Socket } from 'node:net';

/** What the proxy does with a CONNECT. `name: address` leads somewhere else than the name says. */
type ProxyFate = 'pass' | 'hang' | 'close' | { readonly answer: string };

interface ConnectProxyOptions {
  readonly tls?: { readonly key: string; readonly cert: string };
  /** `user:password` */
  readonly login?: string;
  /** Where names lead: a proxy that looks names up. */
  readonly hosts?: Readonly<Record<string, string>>;
}

/** A real proxy for CONNECT on a free port of the loopback interface. */
export class ConnectProxy {
  /** The authority of each CONNECT. */
  readonly asked: string[] = [];
  /** All bytes that clients have sent through it. */
  passed = Buffer.alloc(0);
  fate: ProxyFate = 'pass';
  readonly #sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    private readonly options: ConnectProxyOptions,
  ) {}

  static async start(options: ConnectProxyOptions = {}): Promise<ConnectProxy> {
    const server = options.tls === undefined ? createHttpServer() : createHttpsServer(options.tls);
    const proxy = new ConnectProxy(server, options);
    server.on('connection', (socket: Socket) => proxy.#keep(socket));
    server.on('connect', (request: IncomingMessage, socket: Socket) => proxy.#connect(request, socket));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get port(): number {
    // A server that listens on TCP has such an address.
    return (this.server.address() as AddressInfo).port;
  }

  get openConnections(): number {
    return this.#sockets.size;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined).once('close', () => this.#sockets.delete(socket));
  }

  #connect(request: IncomingMessage, client: Socket): void {
    const { url: authority = '', headers } = request;
    this.asked.push(authority);
    client.on('error', () => undefined);
    const { login, hosts = {} } = this.options;
    if (login !== undefined && headers['proxy-authorization'] !== `Basic ${Buffer.from(login).toString('base64')}`) {
      client.end('HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    if (this.fate === 'hang') {
      // Else the end of the client would not be seen.
      client.resume().once('end', () => client.destroy());
      return;
    }
    if (this.fate === 'close') {
      client.destroy();
      return;
    }
    if (this.fate !== 'pass') {
      client.end(this.fate.answer);
      return;
    }
    const [, host = '', port = ''] = /^\[?(.*?)\]?:(\d+)$/.exec(authority) ?? [];
    const target = connect(Number(port), hosts[host] ?? host, () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      client.on('data', (bytes: Buffer) => {
        this.passed = Buffer.concat([this.passed, bytes]);
      });
      client.pipe(target).pipe(client);
    });
    this.#keep(target);
    target.once('close', () => client.destroy());
    client.once('close', () => target.destroy());
  }
}

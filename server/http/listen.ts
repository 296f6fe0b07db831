import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { RequestError } from '../../shared/domain/errors.js';
import type { Logger } from '../../shared/logging/logger.js';
import { BodyBudget } from './body-budget.js';
import { ClosedConnectionsLog } from './closed-connections-log.js';
import { connectionLimit } from './connection-limit.js';
import { Connections } from './connections.js';
import { continueWhenRead } from './continue-when-read.js';
import { LargeAnswers } from './large-answers.js';
import { printRefusal, refusalOfBytes } from './no-request.js';
import { hasContent } from './unread-body.js';
import { WorkTurns } from './work-turns.js';

/** A server that knows its connections, so that it can be ended without waiting for those that are unused. */
export interface ListeningServer {
  readonly port: number;
  /** How many requests are being answered, or wait for their turn. */
  readonly requestsInFlight: number;
  /**
   * Answers the requests that are on their way here, each as the last of its connection. Then it takes no new
   * connections, and ends those on which no request is being answered. It resolves when the last answer is sent. After
   * `graceMs` the rest is cut: a client that sends its body for ever must not hold the process.
   */
  close(graceMs: number): Promise<void>;
}

export interface ListenOptions {
  readonly host: string;
  readonly port: number;
  /** How long a connection without requests is kept. The default is 65 s. */
  readonly keepAliveMs?: number;
  /** The default is 10,000. */
  readonly maxConnections?: number;
  /** The default is 200. */
  readonly maxHeaderLines?: number;
  /** The default is 16 KiB. */
  readonly maxHeaderBytes?: number;
  /** From the first byte of a request, or from the start of a connection that sends nothing. The default is 70 s. */
  readonly headersTimeoutMs?: number;
  /** The default is 300 s. */
  readonly requestTimeoutMs?: number;
  /** A client that takes nothing of its answer for this long is cut off, within twice this time. The default is 20 s. */
  readonly unreadMs?: number;
  /** What the handlers share with the connections; the defaults are for a server that has no large bodies and answers. */
  readonly turns?: WorkTurns;
  readonly bodyBudget?: BodyBudget;
  readonly largeAnswers?: LargeAnswers;
  /** Requests are still read and answered for this long after the end was asked for. The default is 250 ms. */
  readonly stillReadMs?: number;
  readonly logger: Pick<Logger, 'warn'>;
  /** Hears of bytes that never become a request. */
  readonly onRefused?: (refusal: RequestError, socket: Socket) => void;
}

/** How often it is looked whether a request has come in time, ms; more often where it has less than four times as long. */
const CHECK_TIMES_EVERY_MS = 5_000;

const SERVER_OPTIONS = {
  // Node's own refusal has no body: protocol-check.ts does it.
  requireHostHeader: false,
};

/** Starts to listen. @throws the system's error, such as EADDRINUSE */
export function listen(
  answer: RequestListener,
  { host, port, keepAliveMs = 65_000, maxConnections = 10_000, maxHeaderLines = 200, maxHeaderBytes = 16_384, headersTimeoutMs = 70_000, requestTimeoutMs = 300_000, unreadMs = 20_000, turns = new WorkTurns(), bodyBudget = BodyBudget.for(0), largeAnswers = new LargeAnswers(0), stillReadMs = 250, logger, onRefused }: ListenOptions,
): Promise<ListeningServer> {
  // Node looks at the time for the headers only when it is not longer than that for the whole.
  const server = createServer({ ...SERVER_OPTIONS, keepAliveTimeout: keepAliveMs, maxHeaderSize: maxHeaderBytes, headersTimeout: headersTimeoutMs, requestTimeout: requestTimeoutMs, connectionsCheckingInterval: Math.min(CHECK_TIMES_EVERY_MS, Math.ceil(headersTimeoutMs / 4)) });
  // Node would end our side as well when a client has ended its own, and drop the answer. It has no option for it.
  Object.assign(server, { httpAllowHalfOpen: true });
  const most = connectionLimit(maxConnections);
  const connections = new Connections(answer, { most, unreadMs, maxHeaderLines, turns, bodyBudget, largeAnswers, log: new ClosedConnectionsLog(logger, most) });
  route(server, connections, maxHeaderBytes, onRefused);

  const close = async (graceMs: number): Promise<void> => {
    connections.beginToClose();
    await wait(stillReadMs);
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => server.closeAllConnections(), graceMs);
      server.close((error) => {
        clearTimeout(timer);
        connections.stop();
        if (error === undefined) resolve();
        else reject(error);
      });
      connections.endUnused();
    });
  };

  return new Promise((resolve, reject) => {
    // Many containers have no IPv6. `::` means all addresses, so there it means those of IPv4.
    let isSecondTry = false;
    const failed = (error: NodeJS.ErrnoException): void => {
      if (host === '::' && error.code === 'EAFNOSUPPORT' && !isSecondTry) {
        isSecondTry = true;
        server.listen(port, '0.0.0.0');
        return;
      }
      connections.stop();
      reject(error);
    };
    server.on('error', failed);
    server.once('listening', () => {
      server.off('error', failed);
      const address = server.address();
      resolve({
        port: typeof address === 'object' && address !== null ? address.port : port,
        get requestsInFlight() {
          return connections.requestsInFlight;
        },
        close,
      });
    });
    server.listen(port, host);
  });
}

/** Hands everything that Node's server tells to the connection that it is about. */
function route(server: Server, connections: Connections, maxHeaderBytes: number, onRefused: ListenOptions['onRefused']): void {
  const take = (request: IncomingMessage, response: ServerResponse): void => connections.take(request, response);
  server.on('connection', (socket: Socket) => connections.add(socket));
  server.on('request', take);
  // Without a listener Node destroys a kept connection when its idle time is over, before it reads the socket. After a long
  // turn of ours a request may be there already, and its client would see a reset.
  server.on('timeout', (socket: Socket) => {
    const { bytesRead } = socket;
    setImmediate(() => {
      if (socket.bytesRead === bytesRead) socket.destroy();
    });
  });
  // Node answers 417 by itself to an Expect that it does not know, past the application. RFC 9110, 10.1.1 lets us pass over it.
  server.on('checkExpectation', take);
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    if (hasContent(request)) continueWhenRead(request, response);
    take(request, response);
  });
  server.on('clientError', (error, socket) => refuse(socket, refusalOfBytes(error, maxHeaderBytes)));
  // Node takes a CONNECT off the HTTP connection, and would close it without an answer.
  server.on('connect', (_request, socket) => {
    socket.on('error', () => undefined);
    refuse(socket, new RequestError('invalid_request', 'CONNECT is not possible here: this is no proxy'));
  });

  function refuse(socket: Duplex, refusal: RequestError | undefined): void {
    const connection = socket instanceof Socket ? connections.of(socket) : undefined;
    // A connection on which nothing has come is closed without a word: its next request could take an answer for its own.
    const hasSentNothing = connection !== undefined && !connection.hasAsked && connection.socket.bytesRead === 0;
    if (connection === undefined || refusal === undefined || hasSentNothing) {
      socket.destroy();
      return;
    }
    onRefused?.(refusal, connection.socket);
    connection.refuse(printRefusal(refusal));
  }
}

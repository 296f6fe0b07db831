import type { ConnectionOptions } from 'node:tls';
import { Redis, SentinelConnector, type SentinelConnectionOptions } from 'ioredis';
import type { HostPort } from '../config/variable-kinds.js';
import { tlsOptions, type RedisTlsClient } from './redis-tls.js';

/**
 * Sentinel begins to choose a replica, and promotes it some 0.15 s later. The next event comes only 0.05 s before that, and
 * on a busy machine was heard too late: 39 of 5,967 tasks were lost.
 */
const BEGINS = '+failover-state-select-slave';
const SWITCHED = '+switch-master';
const ABORTED = '-failover-abort-*';

/** A failover that has not ended after this long has failed in silence, or its end was not heard. */
const LASTS_AT_MOST_MS = 10_000;
/** For so long another sentinel may still name the old master. */
const SENTINELS_AGREE_WITHIN_MS = 10_000;

type Connection = Awaited<ReturnType<SentinelConnector['connect']>>;

export interface SentinelAccess {
  readonly sentinels: readonly HostPort[];
  /** As Sentinel calls it: a sentinel may watch other masters, too. */
  readonly masterName: string;
  readonly password?: string | undefined;
  /** undefined: without TLS. */
  readonly tls?: RedisTlsClient | undefined;
}

/**
 * Keeps the connections of one process off a master that is being replaced. After a planned failover the old master goes on
 * taking writes for up to 11 s, and all of them are lost. ioredis leaves it when Sentinel says that the switch is done,
 * which is about a second after the replica was promoted. So connections are closed when Sentinel is about to promote one, and
 * opened again when the switch is done. Until then the API answers 503, and workers wait.
 */
export class SentinelFailovers {
  readonly #subscribers: readonly Redis[];
  readonly #connections = new Set<Connection>();
  #isUnderWay = false;
  #onOver: (() => void)[] = [];
  #limit: NodeJS.Timeout | undefined;
  #switch: { readonly from: string; readonly to: HostPort; readonly at: number } | undefined;

  readonly #masterName: string;

  constructor({ sentinels, masterName, password, tls }: SentinelAccess) {
    this.#masterName = masterName;
    this.#subscribers = sentinels.map(({ host, port }) => this.#subscribe({
      host,
      port,
      ...(password !== undefined && { password }),
      ...(tls !== undefined && { tls: tlsOptions(tls, host) }),
    }));
  }

  /** The address to connect to instead, for a moment after a switch. @param address `host:port` that a sentinel named */
  readonly successorOf = (address: string): HostPort | null =>
    this.#switch?.from === address && performance.now() - this.#switch.at < SENTINELS_AGREE_WITHIN_MS ? this.#switch.to : null;

  /** Resolves at once, or when the failover that is under way is over. */
  async whenOver(): Promise<void> {
    if (this.#isUnderWay) await new Promise<void>((resolve) => this.#onOver.push(resolve));
  }

  opened(connection: Connection): void {
    this.#connections.add(connection);
    connection.once('close', () => this.#connections.delete(connection));
  }

  /** The last switch led to a server that is no master. Sentinels have been seen to publish an old switch once more. */
  distrustSwitch(): void {
    this.#switch = undefined;
  }

  close(): void {
    for (const subscriber of this.#subscribers) subscriber.disconnect();
    this.#over();
  }

  #subscribe(sentinel: HostPort & { readonly password?: string; readonly tls?: ConnectionOptions }): Redis {
    const subscriber = new Redis({ ...sentinel, protocol: 2, enableReadyCheck: false, maxRetriesPerRequest: null, retryStrategy: () => 1_000 });
    // A sentinel may be away. The others tell the same, and ioredis connects and subscribes again.
    subscriber.on('error', () => undefined);
    subscriber.subscribe(BEGINS, SWITCHED).catch(() => undefined);
    subscriber.psubscribe(ABORTED).catch(() => undefined);
    subscriber.on('message', (channel, message) => {
      if (channel === SWITCHED) this.#switched(message);
      else if (masterOf(message) === this.#masterName) this.#begins();
    });
    subscriber.on('pmessage', (_pattern: string, _channel: string, message: string) => {
      if (masterOf(message) === this.#masterName) this.#over();
    });
    return subscriber;
  }

  #begins(): void {
    this.#isUnderWay = true;
    clearTimeout(this.#limit);
    this.#limit = setTimeout(() => this.#over(), LASTS_AT_MOST_MS);
    this.#leave();
  }

  /** @param message `mymaster 127.0.0.1 7000 127.0.0.1 7001`: name, old address, new address. Each sentinel publishes it */
  #switched(message: string): void {
    const [name, fromHost = '', fromPort = '', host = '', port = ''] = message.split(' ');
    if (name !== this.#masterName) return;
    const from = `${fromHost}:${fromPort}`;
    const isKnown = this.#switch?.from === from && this.#switch.to.host === host && this.#switch.to.port === Number(port) && this.successorOf(from) !== null;
    if (!isKnown) {
      this.#switch = { from, to: { host, port: Number(port) }, at: performance.now() };
      // A failover whose beginning was not heard.
      this.#leave();
    }
    this.#over();
  }

  #leave(): void {
    // ioredis connects again, and waits for the end of the failover before that.
    for (const connection of this.#connections) connection.destroy();
    this.#connections.clear();
  }

  #over(): void {
    clearTimeout(this.#limit);
    this.#isUnderWay = false;
    for (const resolve of this.#onOver.splice(0)) resolve();
  }
}

/** Options of a connection that follows `failovers`. BullMQ makes more connections with the same options. */
export function followFailovers(failovers: SentinelFailovers, tls: RedisTlsClient | undefined) {
  class FailoverConnector extends SentinelConnector {
    constructor(options: unknown) {
      // ioredis hands over the options of the connection, which has sentinels.
      super(options as SentinelConnectionOptions);
    }

    override async connect(emit: Parameters<SentinelConnector['connect']>[0]): Promise<Connection> {
      this.connecting = true;
      await failovers.whenOver();
      // It was closed meanwhile; the text is that of ioredis for the same case.
      if (!this.isStillConnecting()) throw new Error('Connection is closed.');
      const connection = await super.connect(emit);
      failovers.opened(connection);
      return connection;
    }

    override check(info: { role?: string }): boolean {
      const isMaster = super.check(info);
      if (!isMaster) failovers.distrustSwitch();
      return isMaster;
    }

    /** It is a method because the compiler takes a value that was set before a wait for one that is set after it. */
    private isStillConnecting(): boolean {
      return this.connecting;
    }
  }
  /** ioredis connects to what it gets here, and with TLS the options say which name the certificate must have. */
  const natMap = (address: string): HostPort | null => {
    const successor = failovers.successorOf(address);
    if (tls === undefined) return successor;
    const { host, port } = successor ?? hostPortOf(address);
    const { servername } = tlsOptions(tls, host);
    return { host, port, ...(servername !== undefined && { servername }) };
  };
  return { Connector: FailoverConnector as new (options: unknown) => SentinelConnector, natMap };
}

/** `10.0.0.1:6379`, `::1:6379`, `redis-1.example:6379`. */
function hostPortOf(address: string): HostPort {
  const at = address.lastIndexOf(':');
  return { host: address.slice(0, at), port: Number(address.slice(at + 1)) };
}

/** @param message `master mymaster 127.0.0.1 7000`, or `slave 127.0.0.1:7001 127.0.0.1 7001 @ mymaster 127.0.0.1 7000` */
function masterOf(message: string): string | undefined {
  const words = message.split(' ');
  return words[0] === 'master' ? words[1] : words[words.indexOf('@') + 1];
}

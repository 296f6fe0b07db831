import type { ApiKey } from '../domain/access/api-key.js';
import type { DestinationPolicy } from '../domain/addresses/destination-policy.js';
import type { DestinationRule } from '../domain/addresses/destination-rule.js';
import type { CircuitRules } from '../domain/flow/circuit.js';
import type { SecretKey } from '../domain/secrets/secret-box.js';
import type { SlotSetting } from '../domain/flow/slot-share.js';
import type { Jitter } from '../domain/task/retry-policy.js';
import type { ColourChoice } from './colour-choice.js';
import type { TlsFiles } from '../tls/tls-files.js';
import type { ProxyAddress } from './proxy-address.js';
import type { TracingConfig } from './tracing-settings.js';
import type { Environment } from './schema.js';
import type { HostPort } from './variable-kinds.js';

/** Our side of TLS with Redis. */
export interface RedisTls {
  readonly files: TlsFiles;
  /** Name that all certificates must have; undefined: the host that is connected to. */
  readonly servername: string | undefined;
}

/** Where Redis is; a union, so that no mode can lack what it needs. */
export type RedisConfig = {
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly tls: RedisTls | false;
} & (
  | { readonly mode: 'standalone'; readonly address: HostPort; readonly db: number }
  | {
      readonly mode: 'sentinel';
      readonly masterName: string;
      readonly sentinels: readonly HostPort[];
      readonly sentinelPassword: string | undefined;
      readonly sentinelTls: RedisTls | false;
      readonly db: number;
    }
  | { readonly mode: 'cluster'; readonly nodes: readonly HostPort[] }
);

export interface KafkaConfig {
  readonly brokers: readonly HostPort[];
  readonly tls: TlsFiles | false;
  readonly credentials: { readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'; readonly username: string; readonly password: string } | undefined;
}

/** The API's port, and what it takes there. */
export interface HttpConfig {
  readonly host: string;
  readonly port: number;
  readonly keepAliveMs: number;
  readonly maxConnections: number;
  readonly maxHeaderBytes: number;
  readonly maxHeaderLines: number;
  readonly maxBodyMemory: number;
  readonly maxAnswerMemory: number;
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /**
   * Names that a Host header may have besides `localhost` and IP addresses: `api.example.com`, `*.example.net`, in lower
   * case. `any`: every name.
   */
  readonly allowedHosts: readonly string[] | 'any';
}

/** Who may call the API. */
export interface AuthConfig {
  /** false: everybody may do everything. */
  readonly isOn: boolean;
  readonly bootstrapKey: ApiKey | undefined;
  readonly sessionTimes: SessionTimes;
  /** Wrong keys of one address that are answered. */
  readonly wrongKeysPerSecond: number;
}

/** When a session ends: after so long without use, in any case, and for a newer one of the same key. */
export interface SessionTimes {
  readonly idleMs: number;
  readonly lifetimeMs: number;
  readonly mostOfKey: number;
}

/** Who may read metrics, and where a worker shows them. */
export interface TelemetryConfig {
  readonly tracing: TracingConfig;
  readonly metricsToken: string | undefined;
  readonly workerPort: number | 'off';
}

/** How many of a kind callers may store, or ask for. */
export interface CallerLimits {
  readonly accessKeys: number;
  readonly quotaClients: number;
  /** Destinations with credentials. */
  readonly credentials: number;
  readonly testSendsPerMinute: number;
  /** Bulk actions whose numbers may still change. */
  readonly liveBulkActions: number;
  /** Of those the ones of one key. */
  readonly liveBulkActionsPerKey: number;
}

/** All settings of a process; durations are in milliseconds. The object is frozen. */
export interface Config {
  readonly environment: Environment;
  readonly logLevel: 'error' | 'warn' | 'info' | 'debug';
  readonly logColours: ColourChoice;
  readonly http: HttpConfig;
  readonly auth: AuthConfig;
  readonly callerLimits: CallerLimits;
  /** The first one encrypts. */
  readonly secretKeys: readonly SecretKey[];
  readonly redis: RedisConfig;
  /** Of the API: the Redis that the service moves away from; undefined: it does not move. */
  readonly previousRedis: RedisConfig | undefined;
  readonly redisHighWater: number;
  /** 0: nothing waits for replicas. */
  readonly redisMinReplicas: number;
  readonly queuePrefix: string;
  /**
   * Number of queues, over which the tasks are spread by id. It is set from the first day, because tasks are hard to move later.
   */
  readonly shards: number;
  readonly kafka: KafkaConfig;
  /** Sends in flight of each worker: see slot-share.ts. */
  readonly workerConcurrency: SlotSetting;
  readonly deliveryTimeoutMs: number;
  readonly circuit: CircuitRules;
  readonly maxMessageBytes: number;
  readonly batch: { readonly maxTasks: number; readonly maxBytes: number };
  /** Hosts whose paths are secret as a whole: see path-mask.ts. */
  readonly destinationPolicy: DestinationPolicy;
  /** undefined: receivers are connected to directly. */
  readonly destinationProxy: (ProxyAddress & { readonly resolves: boolean; readonly caFile: string | undefined; readonly bypass: readonly DestinationRule[] }) | undefined;
  readonly secretPathHosts: readonly string[];
  readonly retryJitter: Jitter;
  readonly dead: { readonly attempts: number; readonly baseDelayMs: number; readonly maxDelayMs: number };
  readonly stall: { readonly lockMs: number; readonly checkMs: number; readonly baseDelayMs: number; readonly maxDelayMs: number };
  readonly release: { readonly baseDelayMs: number; readonly maxDelayMs: number };
  /** It begins behind `shutdownDelayMs`. */
  readonly shutdownTimeoutMs: number;
  /** How long the API goes on to answer after it was told to stop. */
  readonly shutdownDelayMs: number;
  readonly telemetry: TelemetryConfig;
  readonly retention: { readonly deliveredMs: number; readonly deliveredMax: number; readonly deadLetterMs: number };
  /** Text to be logged once, at start. */
  readonly warnings: readonly string[];
}

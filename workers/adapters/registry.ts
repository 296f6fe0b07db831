import type { AddressGuard } from '../../shared/addresses/address-guard.js';
import type { Config } from '../../shared/config/config.js';
import type { Destination, DestinationType } from '../../shared/domain/destinations/destination.js';
import type { Clock, DeliveryAdapter } from '../../shared/domain/ports.js';
import { patchKafkajs } from '../../shared/kafka/kafkajs-patches.js';
import type { Logger } from '../../shared/logging/logger.js';
import type { CredentialsOption } from './http/credentials/credentials-in-use.js';
import { createHttpAdapter } from './http/http-adapter.js';
import type { ProxySettings } from './http/proxy-tunnel.js';
import { TlsClient } from '../../shared/tls/tls-client.js';
import { createKafkaAdapter } from './kafka/adapter.js';

/** There is one adapter for each type. */
export type AdapterRegistry = { readonly [T in DestinationType]: DeliveryAdapter<Extract<Destination, { type: T }>> };

/** A type without an adapter does not compile. */
export function createAdapters({ kafka, destinationProxy }: Pick<Config, 'kafka' | 'destinationProxy'>, { clock, logger, guard, credentials }: { readonly clock: Clock; readonly logger: Logger; readonly guard: AddressGuard; readonly credentials: CredentialsOption }): AdapterRegistry {
  for (const warning of patchKafkajs()) logger.warn(warning, { event: 'engine_warning' });
  const kafkaAdapter = createKafkaAdapter({
    defaultBrokers: kafka.brokers.map(({ host, port }) => `${host}:${port}`),
    tls: kafka.tls,
    logger,
    guard,
    stored: credentials.watch,
    // It measures for how long a topic was not used.
    clock: () => performance.now(),
    log: ({ level, message, fields }) => logger.debug(`kafkajs: ${message}`, { level, fields: JSON.stringify(fields) }),
    ...(kafka.credentials === undefined ? {} : { credentials: kafka.credentials }),
  });
  // Without them most deployments that use no Kafka would log a broker that is not there.
  if (kafka.credentials !== undefined || kafka.tls !== false) void kafkaAdapter.checkAccess();
  return {
    kafka: kafkaAdapter,
    http: createHttpAdapter({ clock, guard, credentials, proxy: proxyOf(destinationProxy, logger), logger }),
  };
}

function proxyOf(proxy: Config['destinationProxy'], logger: Logger): ProxySettings | undefined {
  if (proxy === undefined) return undefined;
  const { caFile, ...settings } = proxy;
  if (caFile === undefined) return settings;
  const tls = new TlsClient({ ca: caFile }, (why) => logger.error('the new DESTINATION_PROXY_CA_FILE cannot be used, so the old one counts', { error: why }));
  tls.load();
  return { ...settings, tls };
}

/** The adapter for a destination. */
export function adapterFor(registry: AdapterRegistry, destination: Destination): DeliveryAdapter {
  // This is sound because the mapped type pairs each adapter with its own destination.
  return registry[destination.type];
}

/** Closes every adapter. It fails if one of them fails. */
export async function closeAdapters(registry: AdapterRegistry): Promise<void> {
  await Promise.all(Object.values(registry).map((adapter) => adapter.close()));
}

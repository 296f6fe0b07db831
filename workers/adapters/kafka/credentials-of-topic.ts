import type { Credentials } from '../../../shared/domain/credentials/credential-values.js';
import { KAFKA_SCHEME } from '../../../shared/domain/destinations/kafka.js';
import { withoutTextsIn } from '../../../shared/domain/destinations/without-secrets.js';
import type { DeliveryErrorCode } from '../../../shared/domain/errors.js';
import type { DeliveryResult } from '../../../shared/domain/ports.js';
import { secretTextsOfLogin, type KafkaCluster } from '../../../shared/kafka/cluster-identity.js';
import { TlsClient } from '../../../shared/tls/tls-client.js';
import type { CredentialFinder, CredentialsInUse } from '../../credentials/credential-watch.js';

/** How a topic is written to: over which connections, and as whom. */
export interface TopicAccess {
  readonly cluster: KafkaCluster;
  /** The result as it is recorded. */
  readonly record: (result: DeliveryResult) => DeliveryResult;
}

const asItIs = (result: DeliveryResult): DeliveryResult => result;

/** They may come from what is stored alone, and then say nothing of the others that use the cluster. */
const refusalsOfIdentity: ReadonlySet<DeliveryErrorCode> = new Set<DeliveryErrorCode>([
  'broker_authentication_failed', 'broker_login_unsupported', 'cluster_authorization_denied',
  'tls_failed', 'tls_untrusted', 'tls_expired', 'tls_wrong_name', 'tls_client_refused', 'tls_not_spoken', 'tls_required',
]);

/**
 * Finds the credentials that hold for a topic. They take the place of KAFKA_* as a whole, but for the authority that the brokers are trusted by:
 * without a `ca` of their own that of KAFKA_TLS_CA_FILE holds for KAFKA_BROKERS.
 *
 * @param caFile KAFKA_TLS_CA_FILE
 * @returns undefined: what is stored cannot be decrypted, so nothing may be sent
 */
export function createAccessFinder(stored: CredentialFinder | undefined, caFile: string | undefined): (cluster: KafkaCluster, topic: string) => TopicAccess | undefined {
  /** What is stored is found for one cluster alone. */
  const made = new WeakMap<CredentialsInUse, TopicAccess>();
  /** Of the one cluster that has a login of KAFKA_*. */
  const ofOperator = new WeakMap<KafkaCluster, TopicAccess>();
  const plainAccess = (cluster: KafkaCluster): TopicAccess => {
    if (cluster.credentials === undefined) return { cluster, record: asItIs };
    let access = ofOperator.get(cluster);
    if (access === undefined) {
      const secretTexts = secretTextsOfLogin(cluster.credentials);
      ofOperator.set(cluster, (access = { cluster, record: (result) => withoutTextsIn(result, secretTexts) }));
    }
    return access;
  };
  return (cluster, topic) => {
    const host = KAFKA_SCHEME + cluster.name;
    // Nearly no cluster has any.
    if (stored?.has(host) !== true) return plainAccess(cluster);
    const inUse = stored.find(host, `/${topic}`);
    if (inUse === undefined) return plainAccess(cluster);
    if (inUse.fault !== undefined) return undefined;
    let access = made.get(inUse);
    if (access === undefined) made.set(inUse, (access = accessWith(inUse, cluster, host, caFile)));
    return access;
  };
}

function accessWith({ identity, key, values }: CredentialsInUse, cluster: KafkaCluster, host: string, caFile: string | undefined): TopicAccess {
  const { sasl, client_certificate: certificate } = values;
  const { mechanism, username, password } = sasl ?? {};
  const isSecure = certificate !== undefined || sasl?.tls !== false;
  const credentials = mechanism === undefined || username === undefined || password === undefined ? undefined : { mechanism, username, password };
  const secretTexts = secretTextsOfLogin(credentials);
  return {
    cluster: {
      ...cluster,
      identity,
      credentials,
      tls: isSecure ? tlsOf(certificate, cluster.isOfOperator ? caFile : undefined) : undefined,
    },
    record(result) {
      const shown = withoutTextsIn(result, secretTexts);
      // Those of the whole cluster are the login of all its topics.
      return shown.kind === 'failed' && key !== host && refusalsOfIdentity.has(shown.code) ? { ...shown, isHostWell: true, isOfWholeEndpoint: true } : shown;
    },
  };
}

function tlsOf({ certificate, key, ca }: NonNullable<Credentials['client_certificate']> = {}, caFile: string | undefined): TlsClient {
  const own = { ...(certificate === undefined ? {} : { cert: certificate }), ...(key === undefined ? {} : { key }), ...(ca === undefined ? {} : { ca }) };
  return new TlsClient(ca === undefined && caFile !== undefined ? { ca: caFile } : {}, undefined, own);
}

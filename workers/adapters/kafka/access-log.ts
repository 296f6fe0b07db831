import type { DeliveryErrorCode } from '../../../shared/domain/errors.js';
import type { DeliveryResult } from '../../../shared/domain/ports.js';
import type { Logger } from '../../../shared/logging/logger.js';

/** An operator has to act: on a password, a certificate, a right, or a setting. */
const refusals: ReadonlySet<DeliveryErrorCode> = new Set<DeliveryErrorCode>([
  'tls_failed', 'tls_untrusted', 'tls_expired', 'tls_wrong_name', 'tls_client_refused', 'tls_not_spoken', 'tls_required',
  'broker_authentication_failed', 'broker_login_unsupported', 'cluster_authorization_denied', 'authorization_denied',
]);

/** At most one line about the same refusal within this time, ms. */
const SAME_REFUSAL_MS = 60_000;
/** Refusals that are told apart. Clients choose the names of topics. */
const MAX_REFUSALS = 1_000;

export interface AskedKafka {
  /** Name of the cluster: `default`, or `host:port`. */
  readonly cluster: string;
  /** As whom: see KafkaCluster. */
  readonly identity: string;
  readonly topic: string;
}

/**
 * Logs that a cluster does not let us in, or to a topic: one line when it begins, at most one a minute while it lasts, and one
 * when it is over. The line of each attempt says so as well, but among thousands, and at the level `info`.
 */
export class AccessLog {
  /** When each refusal was logged, monotonic ms; by cluster, or cluster and topic. */
  readonly #refused = new Map<string, { readonly code: DeliveryErrorCode; readonly loggedAt: number }>();

  constructor(
    private readonly logger: Pick<Logger, 'error' | 'info'>,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** To be called with what became of each message. */
  note(asked: AskedKafka, result: DeliveryResult): void {
    if (result.kind === 'failed') this.refused(asked, result);
    else if (this.#refused.size > 0) this.#accepted(asked);
  }

  /** @returns whether it is one of those that an operator has to act on */
  refused(asked: AskedKafka, { code, detail }: { readonly code: DeliveryErrorCode; readonly detail: string }): boolean {
    if (!refusals.has(code)) return false;
    const isOfTopic = code === 'authorization_denied';
    const key = isOfTopic ? ofTopic(asked) : ofCluster(asked);
    const known = this.#refused.get(key);
    const now = this.now();
    if (known?.code === code && now - known.loggedAt < SAME_REFUSAL_MS) return true;
    if (this.#refused.size >= MAX_REFUSALS) this.#refused.clear();
    this.#refused.set(key, { code, loggedAt: now });
    this.logger.error('kafka refuses us', { cluster: asked.cluster, topic: isOfTopic ? asked.topic : undefined, code, error: detail });
    return true;
  }

  #accepted(asked: AskedKafka): void {
    if (this.#refused.delete(ofCluster(asked))) this.logger.info('kafka lets us in again', { cluster: asked.cluster });
    if (this.#refused.delete(ofTopic(asked))) this.logger.info('kafka lets us in again', { cluster: asked.cluster, topic: asked.topic });
  }
}

function ofCluster({ cluster, identity }: AskedKafka): string {
  return `${cluster} ${identity}`;
}

/** No host and no topic holds a space. */
function ofTopic(asked: AskedKafka): string {
  return `${ofCluster(asked)} ${asked.topic}`;
}

import type { RefusalReason } from './refusals/refusal-reason.js';
import type { RequestErrorCode } from './request-errors.js';

/**
 * Every way in which a send can fail, once: who is to blame, whether an attempt is used up, whether waiting can help. The
 * codes are API (timeline, log line, `x-retry-error`): adding one is a feature, renaming one breaks clients.
 * docs/ERRORS.md is generated from this table.
 */

/** The party at fault. It decides who has to act, and whether the task is charged an attempt. */
export type Blame = 'receiver' | 'broker' | 'network' | 'task' | 'policy' | 'redis' | 'us';

/**
 * What a failure is a failure of. `host`: nothing at that origin or cluster can be reached. `endpoint`: this url, topic or
 * flow_key fails, and others of the host may be well. `task`: it may concern this task alone, or the receiver did not
 * want it. `none`: it is ours, and says nothing of the destination.
 */
export type FailureOf = 'host' | 'endpoint' | 'task' | 'none';

interface DeliveryErrorRow {
  readonly blame: Blame;
  /** false: the receiver did not cause it, so the task goes back without losing one of its attempts. */
  readonly usesAttempt: boolean;
  /** false: the next attempt would fail in the same way, so the remaining retries are skipped. */
  readonly canImprove: boolean;
  /** Whose circuit counts it: see countsForCircuit. */
  readonly failureOf: FailureOf;
  /** The cause, and how a person can remove it. */
  readonly meaning: string;
}

const fault = (failureOf: FailureOf, blame: Blame, meaning: string): DeliveryErrorRow => ({ blame, usesAttempt: true, canImprove: true, failureOf, meaning });
const final = (failureOf: FailureOf, blame: Blame, meaning: string): DeliveryErrorRow => ({ blame, usesAttempt: true, canImprove: false, failureOf, meaning });
const uncounted = (failureOf: FailureOf, blame: Blame, meaning: string): DeliveryErrorRow => ({ blame, usesAttempt: false, canImprove: true, failureOf, meaning });

export const deliveryErrors = {
  http_redirect: fault('task', 'receiver', 'The receiver answered 3xx. Redirects are not followed: correct the url.'),
  http_client_error: fault('task', 'receiver', 'The receiver answered 4xx.'),
  http_server_error: fault('endpoint', 'receiver', 'The receiver answered 5xx.'),
  http_busy: fault('endpoint', 'receiver', 'The receiver answered 429 or 503: too many requests. Its Retry-After is obeyed as a minimum.'),
  http_unexpected_status: fault('task', 'receiver', 'The receiver answered with a status outside 200..599: 600 to 999, or 101, which was not asked for.'),
  response_invalid: fault('endpoint', 'receiver', 'What came back begins with no valid status line of HTTP/1.x, or 80 KiB came without one, or it came before the request was sent. With a status line, the status decides, whatever is wrong behind it.'),
  timed_out: fault('endpoint', 'receiver', 'No answer within the total time of one attempt, connecting included. Of an HTTP answer the status line is enough: with one, the status decides, even if the rest does not come in time.'),
  connection_refused: fault('host', 'network', 'Nothing listens at that address and port.'),
  connection_reset: fault('endpoint', 'network', 'The connection was closed before the status line of an answer had come.'),
  connect_timed_out: fault('host', 'network', 'No connection could be made in time: host down, or packets dropped on the way.'),
  host_not_found: fault('host', 'network', 'The host name does not resolve.'),
  host_unreachable: fault('host', 'network', 'No route to the host.'),
  tls_failed: fault('host', 'network', 'The TLS handshake failed: no common version, for example. Of an HTTP receiver also: wrong, expired or unknown certificate, which have codes of their own for Kafka.'),
  tls_untrusted: fault('host', 'network', 'No known authority signed the certificate of the broker: check KAFKA_TLS_CA_FILE, or `client_certificate.ca`.'),
  tls_expired: fault('host', 'network', 'The certificate of the broker has expired, or is not valid yet.'),
  tls_wrong_name: fault('host', 'network', 'The certificate of the broker is for other names than the one that was connected to: use a name that stands in it, and let the brokers advertise such names.'),
  tls_client_refused: fault('host', 'network', 'The broker does not take our certificate, or asks for one and has got none: check KAFKA_TLS_CERT_FILE and KAFKA_TLS_KEY_FILE, or `client_certificate` of the credentials of the destination.'),
  tls_not_spoken: fault('host', 'network', 'The port does not speak TLS, and KAFKA_TLS is true, or the credentials of the destination ask for TLS.'),
  tls_required: fault('host', 'network', 'The port speaks TLS, and we do not: set KAFKA_TLS for KAFKA_BROKERS, and credentials (`sasl`, `client_certificate`) for another cluster.'),
  broker_unreachable: fault('host', 'broker', 'No broker of the cluster could be reached, or what answers there is no Kafka broker.'),
  broker_timed_out: fault('endpoint', 'broker', 'A broker did not answer within the time limit: when it was connected to, when it was asked about the topic, or when it had the message. Only in the last case (`send: no answer`) may it have stored the message.'),
  broker_unavailable: fault('endpoint', 'broker', 'The cluster cannot take the message now: its partition has no leader, too few replicas are in sync, or a broker is starting.'),
  broker_throttled: uncounted('host', 'broker', 'The quota of this client is used up, and the broker asks to be sent nothing for a while. The message was not sent; it goes when that time is over. After 15 minutes of that it uses attempts.'),
  broker_rejected: fault('task', 'broker', 'The broker refused the message with an error that has no code of its own here, or speaks no version of the protocol that this service speaks.'),
  broker_authentication_failed: fault('host', 'broker', 'The broker refused our credentials: check KAFKA_USERNAME and KAFKA_PASSWORD, or `sasl` of the credentials of the destination.'),
  broker_login_unsupported: fault('host', 'broker', 'The broker does not offer the login that is asked for: it has no such KAFKA_SASL_MECHANISM (`sasl.mechanism`), or takes no logins at all.'),
  cluster_authorization_denied: fault('host', 'policy', 'The broker does not allow these credentials something that concerns the cluster as a whole.'),
  topic_unknown: fault('endpoint', 'broker', 'The topic does not exist on that cluster. Topics are never created by this service.'),
  topic_invalid: final('task', 'task', 'The broker says that the topic name is not legal.'),
  message_too_large: final('task', 'task', "The message alone is larger than the broker's or the topic's limit (message.max.bytes, max.message.bytes)."),
  authorization_denied: final('endpoint', 'policy', 'The broker does not allow these credentials to write to the topic.'),
  token_refused: fault('endpoint', 'receiver', 'The token server of the credentials of this destination (`oauth2`) gave no token: it refused the client, or the scope. It is not asked again with each send, but after 2 s, doubling to a minute.'),
  token_unavailable: fault('endpoint', 'receiver', 'The token server of the credentials of this destination (`oauth2`) could not be reached, or gave no answer that can be used.'),
  proxy_refused: fault('host', 'network', 'The proxy (DESTINATION_PROXY) was asked, and made no connection to the receiver: it cannot reach it, its own rules forbid it (a proxy that has let this process in before may ask for another login), or it ended the connection without an answer. Its status stands in the text.'),
  address_forbidden: final('task', 'policy', 'The address policy of this deployment forbids the destination.'),
  worker_crashed: uncounted('none', 'us', 'The worker that held the task died or froze before it could record a result.'),
  shutting_down: uncounted('none', 'us', 'The worker was told to stop; the send was aborted and the task given back.'),
  data_unreadable: uncounted('none', 'us', 'This version cannot read the task: it was written by a newer one. It waits for a worker that can.'),
  credentials_unreadable: uncounted('none', 'us', 'The credentials of this destination cannot be decrypted by this worker: SECRETS_KEYS lacks their key, or they were changed or moved in Redis. The log says which. Nothing was sent.'),
  internal: uncounted('none', 'us', 'A bug of ours made the send throw. After ten of them the task goes to its dead phase.'),
  local_resources: uncounted('none', 'us', 'This worker ran out of sockets, ports or memory for connections: raise its limits (ulimit -n), or lower WORKER_CONCURRENCY.'),
  proxy_unavailable: uncounted('none', 'us', 'The proxy (DESTINATION_PROXY) cannot be reached, or, before it has made any connection for this process, does not answer as a proxy, or asks for another login. Nothing was sent. The log has `proxy_unusable`.'),
  redis_unavailable: uncounted('none', 'redis', 'Redis could not be reached to record the result.'),
  unknown: fault('task', 'network', 'An error without a code of its own; the log has the whole chain of causes.'),
} as const satisfies Record<string, DeliveryErrorRow>;

export type DeliveryErrorCode = keyof typeof deliveryErrors;

/** A look-up with the row type widened, for code that reads the columns. */
export function deliveryError(code: DeliveryErrorCode): DeliveryErrorRow {
  return deliveryErrors[code];
}

/**
 * Does the code say something about the destination, so that it counts for a circuit? What is hopeless does not: its task is
 * dead-lettered at once, and waiting for a probe would only delay that.
 */
export function countsForCircuit(code: DeliveryErrorCode): boolean {
  const { failureOf, usesAttempt, canImprove } = deliveryError(code);
  return (failureOf === 'host' || failureOf === 'endpoint') && usesAttempt && canImprove;
}

/**
 * Does the failure tell neither that the destination is well nor that it is not? Nothing came from there: it was ours, or the address policy
 * forbade the connection, or it is not known what it was.
 */
export function saysNothing(code: DeliveryErrorCode): boolean {
  const { failureOf, usesAttempt, blame } = deliveryError(code);
  return !usesAttempt || (failureOf === 'task' && (blame === 'policy' || blame === 'network'));
}

/** What a refusal tells the operator, and never the caller. */
export interface RefusalNotes {
  readonly reason?: RefusalReason;
  /** What drew the line: an environment variable, a member of the access key, or what docs/LIMITS.md calls a limit that is fixed. */
  readonly limit?: string;
}

/** A refusal that has a code; error-response.ts makes the HTTP answer of it. */
export class RequestError extends Error {
  /** For the log and the counters alone. */
  readonly notes: RefusalNotes;
  /** When the same request may succeed, whole seconds; undefined: what its code says. */
  readonly retryAfterS: number | undefined;

  constructor(
    readonly code: RequestErrorCode,
    message: string,
    readonly details?: readonly { readonly field: string; readonly message: string; readonly position?: number; readonly matched?: number }[],
    { notes = {}, retryAfterS, ...options }: ErrorOptions & { readonly notes?: RefusalNotes; readonly retryAfterS?: number } = {},
  ) {
    super(message, options);
    this.name = 'RequestError';
    this.notes = notes;
    this.retryAfterS = retryAfterS;
  }
}

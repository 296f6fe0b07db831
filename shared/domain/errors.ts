import type { RefusalReason } from './refusals/refusal-reason.js';

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

/**
 * Why an API call was refused (`code` in the answer's body). The status of each code stands only in
 * server/http/error-response.ts, and nowhere else.
 */
export const requestErrors = {
  invalid_json: 'The body, or one task of a batch, is not one JSON value in UTF-8.',
  invalid_task: 'The task breaks one or more rules; `details` names the fields, 20 of them at most. Or its JSON is nested deeper than 64 levels, or has more than 10,000 of the characters `[ ] { } , :` outside strings: then it was not parsed.',
  invalid_request: 'The request is malformed: its path, its query, or a body that is no task; `details` names the fields, where there are some, 20 of them at most.',
  invalid_query: 'A parameter or member that says which tasks are meant (`q`, `state`, `client_id`, ...) cannot be read; `details` names it, and the position of the fault: characters from 0.',
  invalid_cursor: 'The cursor is none of this list, or belongs to a list with other parameters. Begin again without it.',
  secrets_not_configured: 'The request has a secret (values of `headers` of an HTTP destination, credentials), and this deployment has no key to encrypt it with. Set SECRETS_KEYS for the API and all workers.',
  request_timed_out: 'The request has not come whole in time, or its body of more than 64 KiB came too slowly: a thirtieth of what has come has to follow within 10 s. The connection is closed.',
  headers_too_large: 'The request has more than 16 KiB of headers, its first line included, or more than 200 header lines.',
  unauthenticated: 'This needs an access key that holds (`Authorization: Bearer krs_...`). It is missing, wrong, revoked, or has expired: the answer is the same for all of them, also for paths that there are not.',
  forbidden: 'The access key may not do this: the text names the role or permission that it lacks. Nothing was changed.',
  unknown_host: 'The API does not answer under this name (Host header): add it to ALLOWED_HOSTS, or use an IP address.',
  origin_refused: 'A web page of another origin has sent this change (headers Origin, Sec-Fetch-Site). Nothing was changed.',
  too_large: 'The body or its message_data is larger than this deployment takes; or a batch has too many tasks.',
  unsupported_media_type: 'The body must be application/json (a batch also application/x-ndjson), not compressed, in UTF-8.',
  unsupported_transfer_coding: 'The header Transfer-Encoding names another coding than chunked, or more than one. The connection is closed.',
  not_found: 'There is nothing under this address.',
  method_not_allowed: 'The address exists, but not for this method.',
  action_refused: 'This action of the board would break tasks and is switched off.',
  task_not_found: 'No task with this id is known: it was never submitted, or its record is gone (`DELIVERED_RETENTION`, `DELIVERED_MAX`, `DEAD_LETTER_RETENTION`).',
  bulk_action_not_found: 'No bulk action with this id is known: it was never asked for, or it is gone. They are kept for 30 days, and at most 1,000 of them.',
  key_not_found: 'No access key has this id.',
  task_unreadable: 'A newer version of the service wrote this task, and this process cannot read it. Ask one of the newer processes.',
  conflict: 'A live task has this id, with other content; or the same Idempotency-Key came with other content before; or a bulk action has this id, with another body; or a task that waits was to be deleted (`action=delete`).',
  count_differs: 'Another number of tasks matches than `expected` says. No task was touched: look at the new number, and ask again if it is right.',
  parked: 'A parked task has this id: it is the only copy left. Change it (PATCH), start it again (retry) or delete it first.',
  being_sent: 'The task is in the hands of a worker. Ask again when that attempt is over; if the worker has died, when its lock has lapsed (LOCK_DURATION).',
  finished: 'The task has ended: nothing is left to cancel or to send. Submit it again to have it sent again. Or the bulk action has ended, and cannot be changed any more.',
  last_admin: 'It is the last admin key that never expires: without it nobody could manage keys. Make another one first, or set BOOTSTRAP_API_KEY.',
  rate_limited: 'Too many requests: the `rate_limit` of the access key is used up, or too many wrong keys came from one address. Send the same request again after the seconds in Retry-After. In a batch, single tasks are answered so; those before them are stored.',
  quota_exceeded: 'The client has as many tasks as its `quota` allows: waiting, due, being sent, or parked. The new task was not stored. Or there are as many bulk actions, of all callers or of this key, as may be unfinished, and the new one was not begun. Send the same request again when some of them have ended, and not before the seconds in Retry-After.',
  overloaded: 'This process has no room for the body, or no time for the answer: too many large bodies are being received or handled, or too many large answers are being made or left unread. Nothing was stored of what has this code. Bodies of at most 64 KiB are always taken. Send the same request again.',
  no_worker: 'No worker has taken the test send, or the one that took it has not answered: then it may have been sent. GET /status says how many workers there are.',
  redis_unavailable: 'Redis cannot be reached, so nothing can be accepted. Nothing was changed, or it was changed and this answer was lost: send the same request again.',
  redis_full: 'Redis has used up its memory for new tasks. Nothing was stored.',
  redis_refused: "Redis answers, and refuses: its settings or rights forbid it (too few replicas, a failed snapshot, a missing right, a read-only replica). An operator has to act: the reason, in Redis' own words, stands in the API's log. Send the same request again afterwards.",
  internal: 'A bug of ours.',
} as const;

export type RequestErrorCode = keyof typeof requestErrors;

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

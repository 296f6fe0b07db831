/** One kind of line. */
export interface LogEventRow {
  /** The message of its lines; a `*` stands for any text. '' for one whose message differs each time: the caller names the event in the field `event`. */
  readonly message: string;
  /** Where the message does not say enough. */
  readonly doc?: string;
}

/**
 * Every kind of line that a process writes. The names are what programs may rely on; messages are for people, and change. docs/LOGS.md is generated from this
 * table, and a test compares it with the calls of the logger, in both directions.
 */
export const logEvents = {
  attempt: { message: 'attempt', doc: 'One attempt: docs/OPERATIONS.md has its fields.' },
  api_started: { message: 'the API is up' },
  worker_started: { message: 'worker is up' },
  stopping: { message: 'stopping*', doc: 'A process was told to stop; the message goes on with what is in flight.' },
  stopped: { message: 'stopped' },
  stopped_with_failures: { message: 'stopped with failures' },
  shutdown_step_failed: { message: 'shutdown step failed' },
  stopped_at_once: { message: 'told to stop again: exiting at once' },
  uncaught_error: { message: 'uncaught error: stopping' },
  start_refused: { message: '', doc: 'The process ends with 78: the message says what to change.' },
  configuration_warning: { message: '', doc: 'Something in the configuration has to be looked at.' },
  no_access_key: { message: '', doc: 'AUTH is on, and there is no key yet.' },
  key_change_untold: { message: 'a changed access key may be taken as it was by a process that does not reach the master of the keys: less than half of the marks on the Cluster could be told', doc: 'docs/SECURITY.md says what marks are.' },
  session_end_untold: { message: 'a session that has ended may be taken as open by a process that does not reach the master of the sessions: less than half of the marks on the Cluster could be told', doc: 'docs/SECURITY.md says what marks are.' },
  engine_warning: { message: '', doc: 'A library is not patched as it should be.' },
  request_refused: { message: 'request refused' },
  requests_refused: { message: 'more requests were refused' },
  request_bug: { message: 'bug: a request failed' },
  connections_closed: { message: 'connections were closed: too many (HTTP_MAX_CONNECTIONS), or too many unread answers' },
  signed_in: { message: 'a person has signed in' },
  signed_out: { message: 'a person has signed out' },
  audit_sign_in_missing: { message: 'a sign-in or sign-out could not be added to the audit' },
  operator_action: { message: 'operator action' },
  audit_incomplete: { message: 'an entry of the audit stays as it was begun: what came of the change could not be added' },
  audit_end_of_pause_missing: { message: 'the end of a pause could not be added to the audit' },
  settings_agree: { message: 'workers and this API go by the same settings again' },
  settings_differ: { message: 'workers and this API go by different settings: names and states are shown as most workers have them' },
  names_hidden: { message: '* of a path that is hidden now go to its hidden name', doc: 'SECRET_PATH_HOSTS hides a path under which something was set.' },
  names_respelled: { message: 'limits and pause of a name go to what it is called now', doc: 'An earlier version has stored them under another spelling, such as `kafka://default/`.' },
  names_not_hidden: { message: 'limits, pauses and credentials of names that are hidden or spelled otherwise now could not be moved to what they are called now' },
  traces_lost: { message: 'traces are lost' },
  address_refused: { message: 'an address was refused' },
  addresses_refused: { message: 'more addresses were refused' },
  redis_away: { message: 'redis is away' },
  redis_part_awaited: { message: 'waits for a part of Redis', doc: 'A process that starts needs it; `what` names it.' },
  redis_back: { message: 'redis is back' },
  redis_refuses: { message: 'redis refuses' },
  redis_accepts: { message: 'redis takes writes again' },
  deliveries_paused: { message: '*: deliveries pause until *', doc: 'Redis is full, refuses, cannot answer, or fails again and again.' },
  deliveries_resumed: { message: 'redis takes writes again: deliveries go on' },
  redis_login_refused: { message: 'redis does not let us in' },
  redis_right_missing: { message: 'redis does not give our user a right that it needs', doc: 'It was taken away while the process runs; `cause` names it.' },
  redis_rights_back: { message: 'redis gives our user every right again' },
  redis_is_replica: { message: 'redis is a replica', doc: 'For more than 5 s: it takes no writes.' },
  redis_evicts: { message: '', doc: 'Redis may delete tasks. In prod the process does not start so; of a master that takes over later it only tells.' },
  redis_hz_low: { message: 'Redis has hz *' },
  redis_full_coverage: { message: 'Redis has cluster-require-full-coverage yes: *', doc: 'One master that is away stops the tasks of all shards. The message says what to set.' },
  redis_replicas_missing: { message: 'REDIS_MIN_REPLICAS is *' },
  redis_hides_connections: { message: 'Redis does not show its connections: *' },
  worker_gone: { message: 'a worker is gone: the tasks in its hands go back, no attempt used' },
  task_stalled: { message: 'a worker died with a task: it goes back, no attempt used' },
  lock_lost: { message: 'lost the lock of tasks being sent: their outcome here will not count' },
  drain_over: { message: 'drain time is over: giving back what is in flight' },
  shard_rebuilt: { message: 'a shard stands still: its worker is built anew' },
  shard_given_up: { message: 'a shard stands still, and building its worker anew has not helped: this process ends' },
  replaced_worker_not_closed: { message: 'a worker that was replaced could not be closed' },
  delivery_bug: { message: 'bug: a delivery threw' },
  task_unreadable: { message: 'cannot read a task: left for a newer version' },
  task_undecryptable: { message: 'cannot decrypt the headers of a task: put back unsent' },
  worker_error: { message: 'worker error' },
  fleet_too_large: { message: '*deliveries in flight is more than*' },
  circuit_opened: { message: 'circuit open: its tasks wait, uncounted' },
  circuit_closed: { message: 'circuit closed: the destination answers again' },
  pause_over: { message: 'a pause is over: its tasks are sent again' },
  strays_restored: { message: 'tasks that stood in no set of Redis were put among those that wait or have ended: a command was refused halfway, or a key was removed' },
  janitor_failing: { message: 'janitor: cannot look after stored tasks now' },
  metrics_unreadable: { message: '/metrics of this worker answers nobody: AUTH is on, and METRICS_TOKEN is not set' },
  credentials_unread: { message: 'the credentials of destinations could not be read: those that are known stay in use' },
  credentials_undecryptable: { message: 'the credentials of a destination cannot be decrypted: nothing is sent there' },
  kafka_refuses: { message: 'kafka refuses us' },
  kafka_accepts: { message: 'kafka lets us in again' },
  kafka_away: { message: 'kafka does not answer' },
  kafka_tls_files_unusable: { message: 'new TLS files for kafka cannot be used, so the old ones count' },
  proxy_tls_file_unusable: { message: 'the new DESTINATION_PROXY_CA_FILE cannot be used, so the old one counts' },
  proxy_unusable: { message: 'the proxy cannot be used', doc: 'DESTINATION_PROXY cannot be reached, is none, or asks for another login; one line a minute. What goes through it waits, and uses no attempt.' },
  proxy_usable: { message: 'the proxy can be used again' },
  kafkajs: { message: 'kafkajs: *', doc: 'A line of the Kafka client.' },
  bulk_action: { message: 'bulk action' },
  bulk_actions_failing: { message: 'bulk actions: cannot go on now' },
  bulk_action_key_missing: { message: 'a bulk action needs a key of SECRETS_KEYS that this worker does not have' },
  bulk_action_bug: { message: 'bug: a bulk action failed' },
  test_send: { message: 'test send' },
  test_send_failed: { message: 'a test send failed in this worker' },
} as const satisfies Record<string, LogEventRow>;

/** For a message that stands in no row: a test keeps this from happening. */
const UNKNOWN = 'other';

const rows: readonly (readonly [event: string, row: LogEventRow])[] = Object.entries(logEvents);
const byMessage: ReadonlyMap<string, string> = new Map(rows.flatMap(([event, { message }]) => (message === '' || message.includes('*') ? [] : [[message, event] as const])));
const byPart = rows.flatMap(([event, { message }]) => (message.includes('*') ? [{ event, parts: message.split('*') }] : []));

/** `redis is away` -> `redis_away`, `Redis has hz 10: ...` -> `redis_hz_low` */
export function eventOf(message: string): string {
  return byMessage.get(message) ?? byPart.find(({ parts }) => hasParts(message, parts))?.event ?? UNKNOWN;
}

/** Only the beginning and the first part inside are looked at: no message needs more. */
function hasParts(message: string, [start = '', inside = '']: readonly string[]): boolean {
  return message.startsWith(start) && message.includes(inside, start.length);
}

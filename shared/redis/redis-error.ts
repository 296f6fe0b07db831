/**
 * Why Redis did not do what was asked, in four classes. Each one has a different answer:
 *
 * | class | seen as | API | worker |
 * |---|---|---|---|
 * | `full` | OOM: maxmemory is used up | 503 `redis_full` | pauses |
 * | `refused` | Redis answers, and does not allow it: NOPERM, NOREPLICAS, MISCONF, ... | 503 `redis_refused`, the cause in the log | pauses |
 * | `unavailable` | no answer, or "not now": connection lost, LOADING, CLUSTERDOWN, ... | 503 `redis_unavailable` | pauses |
 * | `bug` | everything else: an error in a script, a wrong number of keys | 500, logged | goes on |
 */
export type RedisErrorClass = 'full' | 'refused' | 'unavailable' | 'bug';

/** After a failover READONLY ends when the connection is made anew. If it lasts longer, this does not help. */
const READ_ONLY_LASTS_MS = 5_000;
/** After this long without a READONLY, the next one belongs to another failover. */
const READ_ONLY_ENDS_MS = 15_000;

/** The first word of a reply of Redis. It is part of the protocol, unlike the text behind it. */
const classOfReply: ReadonlyMap<string, RedisErrorClass> = new Map([
  ['OOM', 'full'],
  ['NOPERM', 'refused'],
  ['NOREPLICAS', 'refused'],
  ['MISCONF', 'refused'],
  ['WRONGTYPE', 'refused'],
  // A password that was changed later shows on the next connection only. An operator has to act, so it is not an outage.
  ['NOAUTH', 'refused'],
  ['WRONGPASS', 'refused'],
  ['DENIED', 'refused'],
  ['READONLY', 'unavailable'],
  ['LOADING', 'unavailable'],
  ['BUSY', 'unavailable'],
  ['MASTERDOWN', 'unavailable'],
  ['CLUSTERDOWN', 'unavailable'],
  ['TRYAGAIN', 'unavailable'],
  ['MOVED', 'unavailable'],
  ['ASK', 'unavailable'],
  ['UNBLOCKED', 'unavailable'],
  // transact() has loaded the scripts again by then, so they are being flushed repeatedly.
  ['NOSCRIPT', 'unavailable'],
]);

/**
 * Redis has no code of its own for "an ACL forbids a command of this script": it answers ERR, as for a fault in the
 * script. Therefore the text of a reply is read here, and nowhere else (up to 7.0, and since 7.2).
 */
const ACL_IN_SCRIPT = /^ERR (The user executing the script can't |ACL failure in script)/;

/**
 * Before 7.0 Redis put its answer to a command of a script behind ERR and the name of the script: `ERR Error running script (call to f_<sha1>):
 * @user_script:1: @user_script: 1: -OOM command not allowed`. What is not an answer of a command has no code of its own behind it.
 */
const SCRIPT_BEFORE_7 = /^ERR Error running script \(call to f_[0-9a-f]{40}\): @user_script:\d+: @user_script: ?\d+: (?:-(?=[A-Z]+ )|(?=The user executing the script ))/;

/** Errors of ioredis (and one of ours) without an answer of Redis, by class name. */
const CONNECTION_ERRORS = new Set(['RequestLimitReached', 'NotReplicatedError', 'NoFreeConnectionError', 'MaxRetriesPerRequestError', 'ClusterAllFailedError', 'AbortError', 'InterruptError', 'ParserError', 'ConnectionClosedError']);

/**
 * ioredis throws a plain Error without a code for most troubles of a connection: only these texts of the pinned version
 * tell them from a bug. test/integration/shared/redis/redis-error.test.ts provokes those of a single server.
 */
const CONNECTION_TEXTS = [
  'Connection is closed.',
  'Command timed out',
  "Stream isn't writeable and enableOfflineQueue options is false",
  'Socket timeout. ',
  "Cluster isn't ready and enableOfflineQueue options is false",
  'None of startup nodes is available',
  'Cluster is disconnect',
  'Node is disconnected',
  'No master node is available for the pipeline',
  'Too many Cluster redirections. ',
  'Failed to refresh slots cache.',
  'All sentinels are unreachable',
];

/** One part of a MULTI decides the class of the whole: full comes before refused, and a bug comes last. */
const WORST_FIRST = ['full', 'refused', 'unavailable', 'bug'] as const satisfies readonly RedisErrorClass[];

/** An error reply of Redis; `code` is its first word (`OOM`, `NOSCRIPT`, ...), the protocol's own error code. */
export function redisErrorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || (error.name !== 'ReplyError' && error.constructor.name !== 'ReplyError')) return undefined;
  return textOf(error).split(' ', 1)[0];
}

/** The reply as 7.0 and later versions write it. */
function textOf({ message }: Error): string {
  // A script's error is long, and every other one begins with something else.
  if (!message.startsWith('ERR Error running script ')) return message;
  const text = message.replace(SCRIPT_BEFORE_7, '');
  return text.startsWith('The user ') ? `ERR ${text}` : text;
}

/**
 * @param error what a command, a script or a MULTI was rejected with
 * @param readOnlyForMs for how long Redis has answered READONLY, ms; 0 for the first time
 */
export function classifyRedisError(error: unknown, readOnlyForMs = 0): RedisErrorClass {
  if (!(error instanceof Error)) return 'bug';
  // Ours: what Redis has refused before, see redis-access.ts.
  if (error.name === 'RedisRefusedError') return 'refused';
  const reply = redisErrorCode(error);
  if (reply === undefined) return isOfConnection(error) ? 'unavailable' : 'bug';
  if (isOfTransaction(error)) {
    const classes = partsOf(error).map((part) => classifyRedisError(part, readOnlyForMs));
    return WORST_FIRST.find((each) => classes.includes(each)) ?? 'bug';
  }
  if (reply === 'READONLY' && readOnlyForMs >= READ_ONLY_LASTS_MS) return 'refused';
  if (ACL_IN_SCRIPT.test(textOf(error))) return 'refused';
  return classOfReply.get(reply) ?? 'bug';
}

/**
 * Redis' own words for a log line; for a MULTI, those about the refused part: `NOREPLICAS Not enough good replicas to
 * write.`
 */
export function redisErrorCause(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const [part] = isOfTransaction(error) ? partsOf(error) : [];
  // The name of a script is a hash, which does not help a reader.
  return textOf(part ?? error).replace(/ script: [0-9a-f]{40}, on @user_script:\d+\.?$/, '');
}

/**
 * The answer to an EXEC tells only that something before it went wrong. Where MULTI itself was refused, Redis has no code of its own for
 * that: what stood behind it ran by itself.
 */
function isOfTransaction(error: Error): boolean {
  const code = redisErrorCode(error);
  return code === 'EXECABORT' || (code === 'ERR' && error.message === 'ERR EXEC without MULTI');
}

/** What EXEC itself was refused with stands behind this: `EXECABORT Transaction discarded because of: NOPERM ...`. */
const OF_EXEC = /^EXECABORT Transaction discarded because of: (?=[A-Z]+ )/;

/** The refusals of a MULTI, one by one. */
export function partsOf(error: Error): Error[] {
  // ioredis puts it there, for each command of the MULTI that was refused.
  const previous: unknown = 'previousErrors' in error ? error.previousErrors : [];
  const parts = Array.isArray(previous) ? previous.filter((part) => part instanceof Error) : [];
  const ofExec = error.message.replace(OF_EXEC, '');
  return ofExec === error.message ? parts : [...parts, Object.assign(new Error(ofExec), { name: 'ReplyError' })];
}

function isOfConnection(error: Error): boolean {
  if (CONNECTION_ERRORS.has(error.name)) return true;
  // These are Node's own: ECONNREFUSED, ECONNRESET, ENOTFOUND, ... An error of TLS has a code, but no syscall.
  if ('syscall' in error || ('code' in error && typeof error.code === 'string' && !(error instanceof TypeError) && !(error instanceof RangeError))) return true;
  return error.constructor === Error && CONNECTION_TEXTS.some((text) => error.message.startsWith(text));
}

/** Classifies the errors of one process, and knows since when Redis has been read-only. */
export class RedisErrors {
  #readOnlySince = 0;
  #readOnlyLast = -Infinity;

  /** @param now monotonic milliseconds */
  constructor(private readonly now: () => number = () => performance.now()) {}

  classify(error: unknown): RedisErrorClass {
    return classifyRedisError(error, isReadOnly(error) ? this.#readOnlyForMs() : 0);
  }

  #readOnlyForMs(): number {
    const now = this.now();
    if (now - this.#readOnlyLast > READ_ONLY_ENDS_MS) this.#readOnlySince = now;
    this.#readOnlyLast = now;
    return now - this.#readOnlySince;
  }
}

/** A replica has refused a write. */
export function isReadOnly(error: unknown): boolean {
  return redisErrorCode(error) === 'READONLY' || (error instanceof Error && isOfTransaction(error) && partsOf(error).some(isReadOnly));
}

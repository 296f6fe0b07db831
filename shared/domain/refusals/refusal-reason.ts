/**
 * Why a caller was refused, in the words of the log (`why`). The list is closed, since the names are counted. Callers are told a code
 * alone: most of these would tell what exists.
 */
export const refusalReasons = {
  no_key: 'no key',
  malformed_key: 'malformed key',
  unknown_key: 'unknown key',
  wrong_secret: 'wrong secret key',
  expired_key: 'expired key',
  revoked_key: 'revoked key',
  replaced_key: 'replaced key',
  unknown_session: 'unknown session',
  idle_session: 'idle session',
  old_session: 'session past its lifetime',
  guesses: 'too many wrong keys',
  role: 'the key lacks the role',
  permission: 'the key lacks the permission',
  bound_key: 'the key is bound to clients',
  foreign_client: 'the key is not bound to this client',
  foreign_task: 'task of another client',
  foreign_id: 'id of a task or bulk action of another client',
  foreign_bulk_action: 'bulk action of another client',
  host: 'name of the API',
  origin: 'page of another origin',
  address: 'address of the destination',
  rate_limit: 'rate limit of the key',
  test_sends: 'too many test sends',
  quota: 'quota of the client',
  size: 'size',
  headers: 'size of the headers',
  slow: 'too slow',
  room: 'no room',
} as const satisfies Readonly<Record<string, string>>;

export type RefusalReason = keyof typeof refusalReasons;

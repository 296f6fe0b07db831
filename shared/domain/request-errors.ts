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
  redis_refused: "Redis answers, and refuses: its settings or rights forbid it (too few replicas, a failed snapshot, a missing right, a changed password, a read-only replica). An operator has to act: the reason, in Redis' own words, stands in the API's log. Send the same request again afterwards.",
  internal: 'A bug of ours.',
} as const;

export type RequestErrorCode = keyof typeof requestErrors;

/** A verb that other APIs have at the end of a path, and the call that does it here. */
interface OtherWords {
  /** The path before the verb, such as `/tasks/:id`. */
  readonly path: string;
  readonly words: readonly string[];
  /** What is meant; the parameter stands in it as in `path`. */
  readonly meant: string;
}

export const otherWords: readonly OtherWords[] = [
  { path: '/tasks/:id', words: ['cancel', 'delete', 'remove', 'abort', 'discard', 'stop'], meant: 'DELETE /tasks/:id' },
  { path: '/tasks/:id', words: ['redrive', 'replay', 'requeue', 'resubmit', 'resend', 'send', 'send-now', 'run', 'resume', 'restart', 'retries'], meant: 'POST /tasks/:id/retry' },
  { path: '/tasks/:id', words: ['edit', 'update', 'patch'], meant: 'PATCH /tasks/:id' },
  { path: '/destinations/:key', words: ['limit', 'limits', 'rate', 'rate-limit', 'rate_limit', 'concurrency', 'throttle'], meant: 'PUT /destinations/:key' },
  { path: '/destinations/:key', words: ['stop', 'hold', 'disable', 'suspend'], meant: 'POST /destinations/:key/pause' },
  { path: '/destinations/:key', words: ['unpause', 'start', 'continue', 'enable', 'close', 'reset', 'restart'], meant: 'POST /destinations/:key/resume' },
  { path: '/bulk-actions/:id', words: ['stop', 'abort', 'delete', 'remove'], meant: 'POST /bulk-actions/:id/cancel' },
  { path: '/bulk-actions/:id', words: ['hold', 'suspend'], meant: 'POST /bulk-actions/:id/pause' },
  { path: '/bulk-actions/:id', words: ['unpause', 'start', 'continue'], meant: 'POST /bulk-actions/:id/resume' },
  { path: '/bulk-actions/:id', words: ['rate', 'edit', 'update'], meant: 'PATCH /bulk-actions/:id' },
  { path: '/keys/:id', words: ['revoke', 'delete', 'remove', 'disable'], meant: 'DELETE /keys/:id' },
  { path: '/keys/:id', words: ['renew', 'roll'], meant: 'POST /keys/:id/rotate' },
  { path: '/keys/:id', words: ['edit', 'update'], meant: 'PATCH /keys/:id' },
];

/**
 * The call that was meant by a path which ends with a verb of other APIs: `POST /tasks/a/cancel` -> `DELETE /tasks/a`. A path that is
 * read is left alone: there the last part more likely belongs to an id.
 *
 * @param path as it came
 * @returns undefined where none is known
 */
export function callMeantBy(method: string, path: string): string | undefined {
  if (method === 'GET' || method === 'HEAD') return undefined;
  const parts = path.split('/').slice(1);
  if (parts.at(-1) === '') parts.pop();
  const [first = '', ...others] = parts;
  const word = others.pop()?.toLowerCase();
  if (word === undefined || others.length === 0) return undefined;
  const row = otherWords.find((each) => each.path.startsWith(`/${first}/:`) && each.words.includes(word));
  // A / in the id must be written in another way, too.
  return row?.meant.replace(/:\w+/, () => others.join('%2F'));
}

import { randomBytes } from 'node:crypto';

/** A key prefix that no other test has, so that files can share one Redis and never need FLUSHDB. */
export function uniquePrefix(): string {
  return `test-${Date.now().toString(36)}-${randomBytes(5).toString('hex')}`;
}

import { MismatchError } from './mismatch-error.js';

/**
 * The installed libraries are not those that this version was made for. Tasks could be lost, so the process must not go
 * on.
 */
export class EngineMismatchError extends MismatchError {
  override readonly name = 'EngineMismatchError';

  /** @param findings each names the expected and the found value, such as `bullmq: expected 6.7.0, found 6.8.0` */
  constructor(readonly findings: readonly string[]) {
    super(`this version was not made for the libraries that are installed; install what package-lock.json says (npm ci). ${findings.join('; ')}`);
  }
}

import { statSync } from 'node:fs';
import { createSecureContext, type SecureContext } from 'node:tls';
import { readTlsFiles, type TlsFiles, type TlsMaterial } from './tls-files.js';

/**
 * Our side of TLS, for every connection to one cluster or server. The files are looked at for each new connection, and read
 * again when they have changed: certificates are renewed on disk while a process runs. As long as new files cannot be used
 * (one of two is written already), the last good ones count.
 */
export class TlsClient {
  readonly #files: TlsFiles;
  readonly #onUnusable: (why: string) => void;
  readonly #own: TlsMaterial;
  #stamp = '';
  #context: SecureContext | undefined;

  /**
   * @param onUnusable told once for each change of the files that cannot be used
   * @param own        what stands in no file
   */
  constructor(files: TlsFiles = {}, onUnusable: (why: string) => void = () => undefined, own: TlsMaterial = {}) {
    this.#files = files;
    this.#onUnusable = onUnusable;
    this.#own = own;
  }

  /** Reads the files now. @throws when they cannot be used */
  load(): void {
    this.#context = contextOf(this.#files, this.#own);
    this.#stamp = stampOf(this.#files);
  }

  /** @throws when the files could never be used yet */
  get secureContext(): SecureContext {
    const stamp = stampOf(this.#files);
    if (this.#context !== undefined && stamp === this.#stamp) return this.#context;
    this.#stamp = stamp;
    try {
      this.#context = contextOf(this.#files, this.#own);
    } catch (error) {
      if (this.#context === undefined) throw error;
      this.#onUnusable(error instanceof Error ? error.message : String(error));
    }
    return this.#context;
  }
}

function contextOf(files: TlsFiles, own: TlsMaterial): SecureContext {
  const { material, faults } = readTlsFiles(files, Date.now());
  // With a certificate that has expired meanwhile the other side is asked all the same: its clock may differ.
  const fatal = faults.filter(({ isExpiry }) => isExpiry !== true);
  if (fatal.length > 0) throw new Error(fatal.map(({ role, text }) => `${String(files[role])} ${text}`).join('; '));
  return createSecureContext({ ...material, ...own });
}

/** It differs when a file was written, replaced or removed. */
function stampOf({ ca, cert, key }: TlsFiles): string {
  return [ca, cert, key].map((file) => (file === undefined ? '' : stampOfFile(file))).join();
}

function stampOfFile(file: string): string {
  try {
    // A mounted secret is a link, which leads to another file after a change.
    const { ino, size, mtimeMs } = statSync(file);
    return `${ino}-${size}-${mtimeMs}`;
  } catch {
    return 'missing'; // the reader says why
  }
}

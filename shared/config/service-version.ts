import { readFileSync } from 'node:fs';

/** From dist/shared/config and from shared/config alike, the folder above `shared` or `dist` holds package.json. */
const candidates = ['../../package.json', '../../../package.json'];

/**
 * What the image was built from, such as a commit: the build writes it into a file `revision` beside package.json.
 * @returns `unknown` without that file, as in a clone
 */
export function serviceRevision(): string {
  for (const path of candidates) {
    try {
      return readFileSync(new URL(path.replace('package.json', 'revision'), import.meta.url), 'utf8').trim() || 'unknown';
    } catch {
      // It is not there. The next place is tried.
    }
  }
  return 'unknown';
}

/** Version of the service, such as `0.1.0`; it stands in package.json alone. @throws when that file is missing */
export function serviceVersion(): string {
  let failure: unknown;
  for (const path of candidates) {
    try {
      const { version } = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as { readonly version?: unknown };
      if (typeof version === 'string') return version;
    } catch (error) {
      failure = error;
    }
  }
  throw new Error('package.json is missing, or names no version', { cause: failure });
}

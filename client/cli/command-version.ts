import { readFileSync } from 'node:fs';

/** From dist/client/cli and from client/cli alike, the folder above `client` or `dist` holds package.json. */
const candidates = ['../../package.json', '../../../package.json'];

/** Such as `0.1.0`: the command and the service have one version. The client takes nothing of the service, so this is its own reader. */
export function commandVersion(): string {
  for (const path of candidates) {
    try {
      const { version } = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as { readonly version?: unknown };
      if (typeof version === 'string') return version;
    } catch {
      // It is not there. The next place is tried.
    }
  }
  return 'of an unknown version';
}

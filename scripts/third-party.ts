// What this service is made of besides its own code: the packages of package-lock.json, and files that are copied into vendor/. It is the source
// of docs/THIRD-PARTY.md and of the bill of materials (npm run sbom).
import { readFileSync } from 'node:fs';
import path from 'node:path';

/** Licences that ask for no more than a notice. Another one needs a decision of a person, and a line here. */
const acceptedLicences: ReadonlySet<string> = new Set(['MIT', 'ISC', '0BSD', 'BSD-2-Clause', 'BSD-3-Clause', 'Apache-2.0', 'BlueOak-1.0.0', 'CC0-1.0', 'Python-2.0', 'PSF-2.0']);

/** Who passes the file on has to pass on its source, too, or it is in nobody's hands. What only tests use is passed on to nobody. */
const acceptedInTests: ReadonlySet<string> = new Set(['MPL-2.0', 'Unlicense']);

export interface ThirdParty {
  readonly name: string;
  readonly version: string;
  /** As SPDX writes it: `MIT`, `(MIT OR CC0-1.0)`. */
  readonly licence: string;
  /** `run`: it is in the image. `build`: only who builds and tests has it. */
  readonly use: 'run' | 'build';
}

/** Copied files that come from a package. Their hashes stand in vendor/swagger-ui/README.md. */
export const vendored: readonly ThirdParty[] = [{ name: 'swagger-ui-dist', version: '5.35.0', licence: 'Apache-2.0', use: 'run' }];

interface LockedPackage {
  readonly version?: string;
  readonly license?: string;
  readonly dev?: boolean;
}

/** All packages of the lockfile, sorted by name; those that are there twice stand twice, if their versions differ. */
export function lockedPackages(root: string): readonly ThirdParty[] {
  const { packages } = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8')) as { packages: Readonly<Record<string, LockedPackage>> };
  const found = new Map<string, ThirdParty>();
  for (const [folder, { version = '?', license = 'unknown', dev = false }] of Object.entries(packages)) {
    if (folder === '') continue;
    const name = folder.slice(folder.lastIndexOf('node_modules/') + 'node_modules/'.length);
    const key = `${name} ${version}`;
    // One that is needed to run counts so, wherever else it is needed.
    if (found.get(key)?.use !== 'run') found.set(key, { name, version, licence: license, use: dev ? 'build' : 'run' });
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)) || (a.version < b.version ? -1 : 1));
}

/** Whether the licence, or one of those to choose from, is accepted; all of those that hold together have to be. */
export function isAcceptedLicence(expression: string, use: ThirdParty['use'] = 'run'): boolean {
  const text = expression.replace(/^\((.*)\)$/, '$1');
  if (text.includes('(')) return false;
  return text.split(' OR ').some((choice) => choice.split(' AND ').every((licence) => acceptedLicences.has(licence) || (use === 'build' && acceptedInTests.has(licence))));
}

/** @throws Error that names each package whose licence is not accepted */
export function checkLicences(parts: readonly ThirdParty[]): void {
  const refused = parts.filter(({ licence, use }) => !isAcceptedLicence(licence, use));
  if (refused.length > 0) throw new Error(`licences that nobody has accepted (scripts/third-party.ts): ${refused.map(({ name, version, licence }) => `${name} ${version}: ${licence}`).join('; ')}`);
}

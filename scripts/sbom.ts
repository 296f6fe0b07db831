// npm run sbom [-- <file>]: writes a software bill of materials (CycloneDX, JSON) of what the image holds besides Node and its system: the packages
// that are needed to run, as npm lists them, and the files in vendor/. Without a file: sbom.cdx.json.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { checkLicences, lockedPackages, vendored } from './third-party.js';

const root = path.resolve(import.meta.dirname, '..');

interface Component {
  readonly 'bom-ref': string;
  readonly type: string;
  readonly name: string;
  readonly version: string;
  readonly [other: string]: unknown;
}

interface BillOfMaterials {
  readonly metadata: { readonly component: Component; readonly [other: string]: unknown };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
  readonly [other: string]: unknown;
}

const { name, version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { name: string; version: string };
const packages = lockedPackages(root);
checkLicences([...packages, ...vendored]);
// With --omit=dev npm 11 leaves out what development needs as well, such as `debug`. So it lists all, and the lockfile says what runs.
const listed = execFileSync('npm', ['sbom', '--sbom-format', 'cyclonedx', '--sbom-type', 'application', '--package-lock-only'], { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1_048_576 });
// npm's own answer.
const bill = JSON.parse(listed) as BillOfMaterials;
const own = bill.metadata.component['bom-ref'];
const running = new Set(packages.filter(({ use }) => use === 'run').map((part) => `${part.name} ${part.version}`));
const installed = bill.components.filter((part) => running.has(`${part.name} ${part.version}`)).map(({ properties: _ofNpm, ...part }) => part);
const kept = new Set([own, ...installed.map((part) => part['bom-ref'])]);
const dependencies = bill.dependencies.filter(({ ref }) => kept.has(ref)).map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((each) => kept.has(each)) }));
const copied: readonly Component[] = vendored.map((part) => ({
  'bom-ref': `${part.name}@${part.version}`,
  type: 'library',
  name: part.name,
  version: part.version,
  scope: 'required',
  purl: `pkg:npm/${part.name}@${part.version}`,
  licenses: [{ license: { id: part.licence } }],
  hashes: [{ alg: 'SHA-256', content: createHash('sha256').update(readFileSync(path.join(root, 'vendor/swagger-ui/swagger-ui-bundle.js'))).digest('hex') }],
}));
const whole = {
  ...bill,
  // npm names the project by the folder that it lies in.
  metadata: { ...bill.metadata, component: { ...bill.metadata.component, name, version } },
  components: [...installed, ...copied],
  dependencies: [...dependencies.map((each) => (each.ref === own ? { ...each, dependsOn: [...each.dependsOn, ...copied.map((part) => part['bom-ref'])] } : each)), ...copied.map((part) => ({ ref: part['bom-ref'], dependsOn: [] }))],
};
const target = process.argv[2] ?? 'sbom.cdx.json';
writeFileSync(target, `${JSON.stringify(whole, null, 2)}\n`);
console.log(`${target}: ${whole.components.length} components`);

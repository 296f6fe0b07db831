import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { runCommand } from '../processes/run-command.mjs';
import { SetupError } from '../processes/setup-error.mjs';
import { cacheDir } from './clone-paths.mjs';
import { findProgram } from './find-program.mjs';
import { installPackages } from './system-packages.mjs';

const HELM = { name: 'helm', source: 'helm.sh/helm/v3/cmd/helm', version: 'v3.22.0' };
const KUBECONFORM = { name: 'kubeconform', source: 'github.com/yannh/kubeconform/cmd/kubeconform', version: 'v0.8.0' };

/** The package has the schemas of every version of Kubernetes as files; its own program is not used. */
const SCHEMAS = { package: 'kubernetes-validate', version: '1.37.0', kubernetes: ['1.27.0', '1.37.0'] };
/** What the chart makes besides Kubernetes' own kinds, from the sources of those who define them. */
const CUSTOM = [
  { source: 'github.com/kedacore/keda/v2', version: 'v2.21.0', folder: 'config/crd/bases' },
  { source: 'github.com/prometheus-operator/prometheus-operator', version: 'v0.85.0', folder: 'example/prometheus-operator-crd' },
];

/**
 * @typedef {object} ChartTools
 * @property {string} helm         path of the program
 * @property {string} kubeconform  path of the program
 * @property {string} schemas      folder of JSON schemas: `v1.37.0/<kind>-<group>-<version>.json`, `<group>/<kind>_<version>.json`
 */

/**
 * What the chart is checked with: built or fetched once, then found in .cache. Takes minutes of a processor the first time.
 * @param {{signal?: AbortSignal}} [options]
 * @returns {Promise<ChartTools>}
 */
export async function ensureChartTools({ signal } = {}) {
  return {
    helm: await ensureGoProgram(HELM, { signal }),
    kubeconform: await ensureGoProgram(KUBECONFORM, { signal }),
    schemas: await ensureSchemas({ signal }),
  };
}

/**
 * @param {typeof HELM} program
 * @param {{signal?: AbortSignal}} options
 * @returns {Promise<string>} its path
 */
async function ensureGoProgram({ name, source, version }, { signal }) {
  const dir = path.join(cacheDir, 'go', `${name}-${version}`);
  const built = path.join(dir, name);
  if (existsSync(built)) return built;
  const go = await findOrInstallGo({ signal });
  console.log(`Building ${name} ${version}, once …`);
  await runCommand(go, ['install', `${source}@${version}`], { env: { ...process.env, GOBIN: dir, GOFLAGS: '', CGO_ENABLED: '0' }, signal, isQuiet: true });
  return built;
}

/** @param {{signal?: AbortSignal}} options */
async function findOrInstallGo({ signal }) {
  const usual = ['/usr/local/go/bin/go'].find((file) => existsSync(file)) ?? null;
  const found = findProgram('go') ?? usual;
  if (found !== null) return found;
  await installPackages({ apk: ['go'], dnf: ['golang'], brew: ['go'], apt: ['golang-go'] }, { signal });
  const installed = findProgram('go');
  if (installed !== null) return installed;
  throw new SetupError('The check of the Helm chart builds helm and kubeconform with Go 1.21 or newer. It was not found, and could not be installed without asking you: https://go.dev/dl');
}

/**
 * @param {{signal?: AbortSignal}} options
 * @returns {Promise<string>} their folder
 */
async function ensureSchemas({ signal }) {
  const dir = path.join(cacheDir, 'kubernetes-schemas', [SCHEMAS, ...CUSTOM].map(({ version }) => version).join('_'));
  if (existsSync(dir)) return dir;
  console.log('Fetching the schemas of Kubernetes, once …');
  mkdirSync(path.dirname(dir), { recursive: true });
  // Moved to its place when it is complete: what was interrupted must not be taken for all of it.
  const building = mkdtempSync(`${dir}-`);
  try {
    await fetchKubernetes(building, { signal });
    for (const custom of CUSTOM) await fetchCustom(building, custom, { signal });
    renameSync(building, dir);
    return dir;
  } finally {
    rmSync(building, { recursive: true, force: true });
  }
}

/**
 * @param {string} dir
 * @param {{signal?: AbortSignal}} options
 */
async function fetchKubernetes(dir, { signal }) {
  const python = findProgram('python3');
  if (python === null) throw new SetupError('The schemas of Kubernetes are a package of Python: python3 with pip is needed to check the Helm chart.');
  await runCommand(python, ['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-input', '--no-deps', '--dest', dir, `${SCHEMAS.package}==${SCHEMAS.version}`], { signal, isQuiet: true });
  const wheel = readdirSync(dir).find((name) => name.endsWith('.whl'));
  if (wheel === undefined) throw new SetupError(`pip brought no wheel of ${SCHEMAS.package}.`);
  const unpack = 'import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1])\n[z.extract(n, sys.argv[2]) for n in z.namelist() if any(f"/v{v}-local-strict/" in n for v in sys.argv[3:])]';
  await runCommand(python, ['-c', unpack, path.join(dir, wheel), dir, ...SCHEMAS.kubernetes], { signal });
  for (const version of SCHEMAS.kubernetes) {
    const of = path.join(dir, `v${version}`);
    renameSync(path.join(dir, 'kubernetes_validate', 'kubernetes-json-schema', `v${version}-local-strict`), of);
    // Their ids and references are addresses of a server; here the common definitions lie beside them.
    for (const file of readdirSync(of)) {
      const { $id: _, ...schema } = JSON.parse(readFileSync(path.join(of, file), 'utf8'));
      writeFileSync(path.join(of, file), JSON.stringify(schema).replaceAll('"/api/_definitions.json', '"_definitions.json'));
    }
  }
  rmSync(path.join(dir, 'kubernetes_validate'), { recursive: true });
  rmSync(path.join(dir, wheel));
}

/**
 * @param {string} dir
 * @param {typeof CUSTOM[number]} custom
 * @param {{signal?: AbortSignal}} options
 */
async function fetchCustom(dir, { source, version, folder }, { signal }) {
  const go = await findOrInstallGo({ signal });
  // Not at the head: this file is read before the dependencies are installed.
  const { parse } = await import('yaml');
  const { Dir } = JSON.parse(execFileSync(go, ['mod', 'download', '-json', `${source}@${version}`], { encoding: 'utf8', cwd: dir }));
  for (const file of readdirSync(path.join(Dir, folder)).filter((name) => name.endsWith('.yaml'))) {
    const { spec } = parse(readFileSync(path.join(Dir, folder, file), 'utf8'));
    mkdirSync(path.join(dir, spec.group), { recursive: true });
    for (const { name, schema } of spec.versions) writeFileSync(path.join(dir, spec.group, `${spec.names.kind.toLowerCase()}_${name}.json`), JSON.stringify(strict(schema.openAPIV3Schema)));
  }
}

/**
 * A cluster drops fields that it does not know without a word; here they are faults.
 * @param {any} schema
 * @returns {any}
 */
function strict(schema) {
  if (Array.isArray(schema)) return schema.map(strict);
  if (typeof schema !== 'object' || schema === null) return schema;
  const inner = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, strict(value)]));
  if (schema['x-kubernetes-int-or-string'] === true) delete inner.type;
  const isClosed = typeof schema.properties === 'object' && schema.additionalProperties === undefined && schema['x-kubernetes-preserve-unknown-fields'] !== true;
  return isClosed ? { ...inner, additionalProperties: false } : inner;
}

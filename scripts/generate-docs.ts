// npm run docs:generate / docs:check. Writes what can be read from the code: docs/ENVIRONMENT.md, docs/ERRORS.md, docs/LIMITS.md, docs/LOGS.md, docs/TASK-FIELDS.md,
// docs/THIRD-PARTY.md, the tables of settings in docs/OPERATIONS.md and of metrics in docs/METRICS.md and of values in the chart's README.md, between their markers; and client/api-contract.ts, the
// types of docs/openapi.yaml. With
// --check nothing is written; stale files are an error.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import openapiTypes, { astToString } from 'openapi-typescript';
import { limits } from '../shared/config/limits.js';
import { logEvents, type LogEventRow } from '../shared/logging/log-events.js';
import { valuesTable } from './chart/values-table.js';
import { checkLicences, lockedPackages, vendored, type ThirdParty } from './third-party.js';
import { metricRow, metricRows, type LabelValues, type MetricName } from '../shared/telemetry/metric-rows.js';
import { GENERATED, NOTICE, table } from './docs/page-parts.js';
import { commonVariables, environmentDoc, variableTable } from './docs/settings-doc.js';
import { errorsDoc } from './docs/errors-doc.js';
import { taskFieldsDoc } from './docs/task-fields-doc.js';

const root = path.resolve(import.meta.dirname, '..');

const CHART_PAGE = 'deploy/helm/kafka-retry/README.md';

/** Every generated file as it should be: its path from the root, and its text. */
export async function generatedDocs(): Promise<ReadonlyMap<string, string>> {
  const operations = readFileSync(path.join(root, 'docs/OPERATIONS.md'), 'utf8');
  const metrics = readFileSync(path.join(root, 'docs/METRICS.md'), 'utf8');
  return new Map([
    ['docs/ENVIRONMENT.md', environmentDoc()],
    ['docs/ERRORS.md', errorsDoc()],
    ['docs/LIMITS.md', limitsDoc()],
    ['docs/LOGS.md', logsDoc()],
    ['docs/TASK-FIELDS.md', taskFieldsDoc()],
    ['docs/THIRD-PARTY.md', thirdPartyDoc()],
    ['docs/OPERATIONS.md', betweenMarkers(operations, 'settings', variableTable(commonVariables))],
    ['docs/METRICS.md', betweenMarkers(metrics, 'metrics', metricTable())],
    [CHART_PAGE, betweenMarkers(readFileSync(path.join(root, CHART_PAGE), 'utf8'), 'values', valuesTable(readFileSync(path.join(root, 'deploy/helm/kafka-retry/values.yaml'), 'utf8')))],
    ['client/api-contract.ts', await contractTypes()],
  ]);
}

/** The files that differ from what the code says. */
export async function staleDocs(): Promise<string[]> {
  const isStale = ([file, text]: readonly [string, string]): boolean => {
    const full = path.join(root, file);
    return !existsSync(full) || readFileSync(full, 'utf8') !== text;
  };
  return [...(await generatedDocs())].filter(isStale).map(([file]) => file);
}

/** The contract as types, for client/. Without its comments: so a sentence that is changed in docs/openapi.yaml changes no code. */
async function contractTypes(): Promise<string> {
  // A field with a default may be left out of a request.
  const types = await openapiTypes(pathToFileURL(path.join(root, 'docs/openapi.yaml')), { immutable: true, defaultNonNullable: false });
  return `// ${GENERATED} docs/openapi.yaml is its source.\n${astToString(types, { formatOptions: { removeComments: true } })}`;
}

/** A long list of values is named by where it stands. */
const LONG_LIST = 12;

function metricTable(): string {
  const allowed = (values: LabelValues): string => ('bounded' in values ? values.bounded : values.length > LONG_LIST ? 'the codes of [ERRORS.md](ERRORS.md)' : values.map((value) => `\`${value}\``).join(', '));
  return table(
    ['metric', 'kind', 'from', 'labels', 'meaning'],
    (Object.keys(metricRows) as MetricName[]).map((name) => {
      const { kind, from, isOfFleet = false, labels, help } = metricRow(name);
      const shown = Object.entries(labels).map(([label, values]) => `\`${label}\`: ${allowed(values)}`);
      return [`\`${name}\``, kind, isOfFleet ? 'API, *fleet*' : from.map((source) => (source === 'api' ? 'API' : source)).join(', '), shown.length === 0 ? '-' : shown.join('; '), help];
    }),
  );
}

function logsDoc(): string {
  const rows: readonly (readonly [string, LogEventRow])[] = Object.entries(logEvents);
  return [
    '# Lines of the log',
    '',
    NOTICE,
    '',
    'With `ENVIRONMENT=prod` each line is a JSON object with `time`, `level`, `service`, `version`, `role` (`api` or `worker`), `event` and `message`; what else it has depends on the event.',
    'Programs go by `event`: its names stay, messages are for people and may change. [OPERATIONS.md](OPERATIONS.md#what-is-logged) has the fields of an attempt.',
    '',
    '| event | message | |',
    '|---|---|---|',
    ...rows.map(([event, { message, doc = '' }]) => `| \`${event}\` | ${message === '' ? '' : message.replaceAll('*', '...')} | ${doc} |`),
    '',
  ].join('\n');
}

function limitsDoc(): string {
  const printSetting = (setting: (typeof limits)[number]['setting']): string => (setting === 'key' ? 'the access key' : 'fixed' in setting ? `fixed: ${setting.fixed}` : setting.map((name) => `\`${name}\``).join(', '));
  return `${[
    '# Limits',
    NOTICE,
    [
      'What callers may send, and what is taken of receivers. Source: `shared/config/limits.ts`; [ENVIRONMENT.md](ENVIRONMENT.md) has the variables,',
      '[SECURITY.md](SECURITY.md#how-much-a-key-may-do) the limits of keys. What is fixed says why. A refusal names its',
      'setting in the log (`limit` of the line `request refused`), and not to the caller. Each limit has a test that goes up to it, and one beyond.',
    ].join('\n'),
    table(
      ['limit', 'value', 'set by', 'beyond it', 'test'],
      limits.map(({ what, value, setting, beyond, test }) => [what, value, printSetting(setting), beyond, `\`${test}\``]),
    ),
  ].join('\n\n')}\n`;
}

/** @throws Error for a licence that nobody has accepted */
function thirdPartyDoc(): string {
  const packages = lockedPackages(root);
  checkLicences([...packages, ...vendored]);
  const rows = (parts: readonly ThirdParty[]): string => table(['package', 'version', 'licence'], parts.map(({ name, version, licence }) => [name, version, licence]));
  return `${[
    '# What this service is made of',
    NOTICE,
    [
      'Source: `package-lock.json`, and `vendored` in `scripts/third-party.ts`, which also has the licences that are accepted: another one fails',
      '`npm run docs:check` and `npm run sbom`. The latter writes a bill of materials (CycloneDX) of what is in the image.',
    ].join('\n'),
    `## In the image\n\n${rows(packages.filter(({ use }) => use === 'run'))}`,
    `## Copied into vendor/\n\n${rows(vendored)}`,
    `## To build and test\n\n${rows(packages.filter(({ use }) => use === 'build'))}`,
  ].join('\n\n')}\n`;
}

function betweenMarkers(text: string, name: string, content: string): string {
  const begin = `<!-- generated: ${name} -->`;
  const end = '<!-- end of generated -->';
  const from = text.indexOf(begin);
  const to = text.indexOf(end, from);
  if (from === -1 || to === -1) throw new Error(`the file lacks the markers ${begin} and ${end}`);
  return `${text.slice(0, from + begin.length)}\n${content}\n${text.slice(to)}`;
}

async function main(args: readonly string[]): Promise<number> {
  const stale = await staleDocs();
  if (args.includes('--check')) {
    for (const file of stale) console.error(`${file} is stale: run \`npm run docs:generate\`.`);
    if (stale.length === 0) console.log('The generated docs say what the code says.');
    return stale.length === 0 ? 0 : 1;
  }
  const docs = await generatedDocs();
  for (const file of stale) writeFileSync(path.join(root, file), docs.get(file) ?? '');
  console.log(stale.length === 0 ? 'Nothing to do.' : `Written: ${stale.join(', ')}`);
  return 0;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) process.exitCode = await main(process.argv.slice(2));

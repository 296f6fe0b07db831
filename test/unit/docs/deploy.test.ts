import { readdirSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';

import { commands, commonOptions } from '../../../client/cli/commands.js';
import { metricRow, metricRows, type MetricName } from '../../../shared/telemetry/metric-rows.js';
import { Metrics } from '../../../shared/telemetry/metrics.js';
import { Scrape } from '../../support/scrape.js';
import { entries, printLeaf, readText, readYaml, type Tree } from './repository-file.js';

const names = Object.keys(metricRows) as MetricName[];
/** Labels that Prometheus gives the targets of one installation; no metric has them of itself. */
const installationLabels = ['namespace', 'installation'];
const ofFleet = names.filter((name) => metricRow(name).isOfFleet === true);

const rules = entries(readYaml('deploy/prometheus/rules.yaml')['groups']).flatMap(([, group]) => entries(group['rules']).map(([, rule]) => rule));
const dashboard = JSON.parse(readText('deploy/grafana/dashboard.json')) as { templating: { list: readonly { readonly name: string; readonly type: string; readonly multi?: boolean; readonly includeAll?: boolean }[] }; panels: readonly { readonly title: string; readonly targets?: readonly { readonly expr: string }[] }[] };
const docs = [...readText('docs/METRICS.md').matchAll(/^\| [^|]+ \| (`.*`) \|$/gm)].flatMap(([, cell = '']) => [...cell.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text)).filter((text) => text.includes('('));

const expressions = [
  ...rules.map((rule) => ({ where: `alert ${printLeaf(rule['alert'])}`, expr: printLeaf(rule['expr']) })),
  ...dashboard.panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ where: `panel ${title}`, expr }))),
  ...docs.map((expr) => ({ where: 'docs/METRICS.md', expr })),
];

/** Names of metrics in an expression; a histogram's parts count for the histogram. */
function namesIn(expr: string): string[] {
  const found = expr.match(/\b(kafka_retry|process|nodejs)_[a-z0-9_]+/g) ?? [];
  return found.map((name) => (names.some((known) => known === name) ? name : name.replace(/_(bucket|sum|count)$/, '')));
}

describe('deploy/: alert rules and dashboard', () => {
  const exported = new Set<string>(names);
  before(async () => {
    const metrics = new Metrics('api');
    metrics.addProcess();
    for (const series of new Scrape(await metrics.text()).series.keys()) exported.add(series.replace(/{.*/, ''));
  });

  it('are found', () => {
    expect(rules.length).to.be.at.least(9);
    expect(dashboard.panels.length).to.be.at.least(20);
    expect(docs.length).to.be.at.least(7);
  });

  for (const { where, expr } of expressions) {
    it(`${where} names metrics that are exported: ${expr.trim().slice(0, 100)}`, () => {
      expect(namesIn(expr)).to.not.deep.equal([]);
      expect(namesIn(expr).filter((name) => !exported.has(name))).to.deep.equal([]);
    });

    it(`${where} sums no number of the fleet over processes: ${expr.trim().slice(0, 100)}`, () => {
      const summed = ofFleet.filter((name) => new RegExp(`\\b(sum|avg|count)\\s*(by|without)?\\s*(\\([^()]*\\))?\\s*\\(\\s*${name}\\b(?!_)`).test(expr));
      expect(summed).to.deep.equal([]);
    });
  }

  it('use a label of a closed list only with values that it has', () => {
    for (const { where, expr } of expressions) {
      for (const [, name = '', matchers = ''] of expr.matchAll(/(kafka_retry_[a-z_]+)\{([^}]*)\}/g)) {
        const row = metricRow(name as MetricName);
        for (const [, label = '', value = ''] of matchers.matchAll(/(\w+)=~?"([^"]*)"/g)) {
          if (installationLabels.includes(label)) continue;
          const values = row.labels[label];
          expect(values, `${where}: ${name} has ${label}`).to.not.equal(undefined);
          if (values !== undefined && !('bounded' in values)) expect(values, where).to.include.members(value.split('|'));
        }
      }
    }
  });

  it('judge each installation by itself, where one Prometheus reads several', () => {
    for (const rule of rules) {
      const expr = printLeaf(rule['expr']);
      const groups = [...expr.matchAll(/\b(?:sum|max|min|avg|count|group|topk|quantile)\b\s*(?:by \(([^)]*)\))?/g)].map(([, labels = '']) => labels);
      expect(groups.length, expr).to.be.at.least(1);
      for (const labels of groups) expect(labels, expr).to.match(/^namespace, installation/);
    }
  });

  it('show one installation on the dashboard: each metric is chosen by both of its variables, and those of Node are of our processes alone', () => {
    const variables = dashboard.templating.list.filter(({ type }) => type === 'query');
    expect(variables.map(({ name, multi, includeAll }) => [name, multi, includeAll])).to.deep.equal(installationLabels.map((name) => [name, false, false]));
    for (const { where, expr } of expressions.filter(({ where: place }) => place.startsWith('panel'))) {
      const chosen = [...expr.matchAll(/\b(?:kafka_retry|process|nodejs)_[a-z0-9_]+(\{[^}]*\})?/g)].map(([, matchers = '']) => matchers);
      for (const matchers of chosen) expect(matchers, where).to.match(/^\{namespace="\$namespace",installation="\$installation"[,}]/);
      if (/\b(?:process|nodejs)_/.test(expr)) expect(expr, where).to.match(/ and on \(job, instance\) kafka_retry_build_info\{/);
    }
  });

  it('show every metric of ours on the dashboard, but what only says what runs', () => {
    const shown = new Set(dashboard.panels.flatMap(({ targets = [] }) => targets.flatMap(({ expr }) => namesIn(expr.replace(/ and on .*/, '')))));
    expect(names.filter((name) => !shown.has(name))).to.deep.equal(['kafka_retry_shards_away', 'kafka_retry_build_info']);
  });

  it('say commands that there are', () => {
    const [, section = ''] = /^## When an alert fires$([^]*?)^## /m.exec(readText('docs/OPERATIONS.md')) ?? [];
    // Values, examples and notes tell people what to run, too. (In `-n kafka-retry apply` and `upgrade kafka-retry deploy/...` it is a name.)
    const deployed = readdirSync(path.resolve(import.meta.dirname, '../../../deploy'), { recursive: true, encoding: 'utf8' }).filter((file) => /\.(yaml|txt|tpl|md)$/.test(file)).map((file) => readText(`deploy/${file}`));
    expect(deployed.length).to.be.at.least(15);
    const used = [section, ...deployed].flatMap((text) => [...text.matchAll(/(?<![\w/-]|-n |wait |upgrade )kafka-retry ([a-z][\w-]*)([^`\n]*)/g)]).map(([, verb = '', rest = '']) => ({ verb, options: [...rest.matchAll(/--([\w-]+)/g)].map(([, option = '']) => option) }));
    expect(used.length).to.be.at.least(15);
    for (const { verb, options } of used) {
      const command = commands.find(({ name }) => name === verb);
      expect(command, verb).to.not.equal(undefined);
      for (const option of options) expect({ ...commonOptions, ...command?.options }, `${verb} --${option}`).to.have.property(option);
    }
  });

  for (const rule of rules) {
    const alert = printLeaf(rule['alert']);
    it(`${alert} says how bad it is, and has its section for the person who is woken`, () => {
      expect(printLeaf(rule['labels']?.['severity'])).to.be.oneOf(['critical', 'warning']);
      const annotations: Tree | undefined = rule['annotations'];
      expect(printLeaf(annotations?.['runbook'])).to.equal(`docs/OPERATIONS.md#${alert.toLowerCase()}`);
      const section = new RegExp(`^### ${alert}\\n([^]*?)^##`, 'm').exec(readText('docs/OPERATIONS.md'))?.[1] ?? '';
      expect(section, 'what to do is a command of ours').to.match(/kafka-retry \w+|curl /);
    });
  }
});

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { eventually } from './eventually.js';
import { killWithUs } from './kill-with-us.js';

export interface PrometheusOptions {
  /** Addresses such as `127.0.0.1:8080`. */
  readonly targets: readonly string[];
  /** METRICS_TOKEN of the targets. */
  readonly token: string;
  /** The alert rules, as YAML. */
  readonly rules: string;
}

/** A real Prometheus that scrapes each second. */
export class Prometheus {
  private constructor(
    private readonly url: string,
    /** Ends it, and removes what it wrote. */
    readonly close: () => Promise<void>,
  ) {}

  static async start({ targets, token, rules }: PrometheusOptions): Promise<Prometheus> {
    const folder = mkdtempSync(path.join(tmpdir(), 'kafka-retry-prometheus-'));
    const file = (name: string, text: string): string => {
      writeFileSync(path.join(folder, name), text);
      return path.join(folder, name);
    };
    // JSON is YAML.
    const config = file('prometheus.yml', JSON.stringify({
      global: { scrape_interval: '1s', evaluation_interval: '1s' },
      rule_files: [file('rules.yaml', rules)],
      scrape_configs: [{ job_name: 'kafka-retry', authorization: { credentials_file: file('token', token) }, static_configs: [{ targets }] }],
    }));
    const port = await freePort();
    const log: string[] = [];
    const child = spawn(programPath(), [`--config.file=${config}`, `--storage.tsdb.path=${path.join(folder, 'data')}`, `--web.listen-address=127.0.0.1:${port}`, '--log.level=warn'], { stdio: ['ignore', 'ignore', 'pipe'] });
    child.stderr.setEncoding('utf8').on('data', (text: string) => log.push(text));
    killWithUs(child);
    const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
    const close = async (): Promise<void> => {
      child.kill('SIGKILL');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    };
    const url = `http://127.0.0.1:${port}`;
    try {
      await eventually(async () => {
        const { status } = await fetch(`${url}/-/ready`);
        if (status !== 200) throw new Error(`Prometheus is not ready: ${log.join('')}`);
      }, { withinMs: 30_000 });
    } catch (error) {
      await close();
      throw error;
    }
    return new Prometheus(url, close);
  }

  /** @returns the values of an instant query, by their labels as JSON */
  async query(expr: string): Promise<ReadonlyMap<string, number>> {
    const answer = await fetch(`${this.url}/api/v1/query?query=${encodeURIComponent(expr)}`);
    // The API's own form; a field that is missing fails the test.
    const { data } = (await answer.json()) as { data: { result: { metric: Record<string, string>; value: [number, string] }[] } };
    return new Map(data.result.map(({ metric, value }) => [JSON.stringify(metric), Number(value[1])]));
  }

  /** Names of the alerts that fire. */
  async firing(): Promise<readonly string[]> {
    return [...(await this.query('sum by (alertname) (ALERTS{alertstate="firing"})')).keys()].map((labels) => (JSON.parse(labels) as { alertname: string }).alertname);
  }
}

/** The server lies beside promtool. Missing is a failure, never a skip. */
function programPath(): string {
  const promtool = process.env['PROMTOOL_PATH'] ?? '';
  const program = path.join(path.dirname(promtool), 'prometheus');
  if (promtool === '' || !existsSync(program)) throw new Error('This test needs Prometheus, beside the promtool that PROMTOOL_PATH names. Run `npm test`, which finds or installs it.');
  return program;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** The rules of deploy/ with shorter waits: nothing has to be so for minutes. */
export function quickRules(): string {
  return readFileSync(path.resolve(import.meta.dirname, '../../deploy/prometheus/rules.yaml'), 'utf8').replace(/for: \d+m/g, 'for: 2s');
}

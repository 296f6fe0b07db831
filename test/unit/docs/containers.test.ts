import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';

import { expect } from 'chai';

import { loadConfig } from '../../../shared/config/load.js';
import { variables } from '../../../shared/config/schema.js';
import { nodeFlags } from '../../../scripts/launch/node-flags.mjs';
import { entries, printLeaf, readText, readYaml, type Tree } from './repository-file.js';

const root = path.resolve(import.meta.dirname, '../../..');
const compose = readYaml('docker-compose.yml');
const service = (name: string): Tree => {
  const found = compose['services']?.[name];
  if (found === undefined) throw new Error(`no service ${name}`);
  return found;
};
/** Environment of a service, as a process would see it. */
const environment = (name: string): Record<string, string> => Object.fromEntries(entries(service(name)['environment']).map(([key, value]) => [key, withDefaults(printLeaf(value))]));
/** With the values that stand in the file: `${API_PORT:-8080}` is 8080. */
const withDefaults = (text: string): string => text.replace(/\$\{\w+:-([^}]*)\}/g, '$1');
const list = (node: Tree | undefined): string[] => (Array.isArray(node) ? node.map((each) => withDefaults(String(each))) : []);

// No container engine is needed here. These tests do not prove that the containers run.
describe('docker-compose.yml', () => {
  it('has Redis, Kafka, the API and workers', () => {
    expect(entries(compose['services']).map(([name]) => name)).to.have.members(['redis', 'kafka', 'server', 'worker', 'prometheus', 'grafana']);
  });

  it('publishes on loopback only', () => {
    const ports = entries(compose['services']).flatMap(([, each]) => list(each['ports']));
    expect(ports).to.have.lengthOf(4);
    for (const port of ports) expect(port).to.match(/^127\.0\.0\.1:\d+:\d+$/);
  });

  it('gives the services a configuration that they accept', () => {
    for (const name of ['server', 'worker']) {
      const env = environment(name);
      expect(Object.keys(variables), name).to.include.members(Object.keys(env));
      expect(loadConfig(env).redis, name).to.deep.include({ mode: 'standalone', address: { host: 'redis', port: 6379 } });
    }
    expect(loadConfig(environment('server')).http).to.deep.include({ host: '0.0.0.0', port: 8080 });
    expect(loadConfig(environment('server')).http.allowedHosts, 'its name in the network of the containers').to.include('server');
  });

  it('gives the API and the workers the same variables', () => {
    expect(environment('server')).to.deep.equal(environment('worker'));
    expect(environment('server')).to.have.property('KAFKA_BROKERS');
  });

  it('lets the API and the workers write no file and have no right of the system', () => {
    for (const name of ['server', 'worker']) {
      expect(service(name)['read_only'], name).to.equal(true);
      expect(list(service(name)['cap_drop']), name).to.deep.equal(['ALL']);
      expect(list(service(name)['security_opt']), name).to.deep.equal(['no-new-privileges:true']);
      for (const command of [list(service(name)['command']), list(service(name)['healthcheck']?.['test'])]) expect(command.join(' '), 'no shell').to.not.match(/CMD-SHELL|\bsh\b/);
    }
  });

  it('runs Redis so that no task is lost or late', () => {
    const command = list(service('redis')['command']).join(' ');
    expect(command).to.match(/^redis-server /);
    for (const setting of ['--appendonly yes', '--appendfsync everysec', '--hz 100', '--maxmemory-policy noeviction']) expect(command).to.include(setting);
    expect(list(service('redis')['volumes'])).to.deep.equal(['redis-data:/data']);
  });

  it('keeps what Redis and Kafka hold in named volumes', () => {
    const volumes = entries(compose['services']).flatMap(([, each]) => list(each['volumes'])).map((volume) => volume.split(':')[0] ?? '');
    expect(volumes.filter((volume) => !volume.startsWith('./'))).to.have.members(Object.keys(compose['volumes'] ?? {}));
    for (const file of volumes.filter((volume) => volume.startsWith('./'))) expect(existsSync(path.join(root, file)), file).to.equal(true);
  });

  it('waits for a healthy Redis, and never for Kafka', () => {
    for (const name of ['server', 'worker']) expect(service(name)['depends_on']?.['redis']?.['condition'], name).to.equal('service_healthy');
    expect(service('server')['depends_on']?.['kafka']).to.equal(undefined);
    expect(service('worker')['depends_on']?.['kafka']?.['condition']).to.equal('service_started');
    for (const name of ['redis', 'kafka']) expect(list(service(name)['healthcheck']?.['test']), name).to.not.deep.equal([]);
  });

  it('lets workers be many, and gives them time to drain', () => {
    expect(service('worker')).to.not.have.any.keys('container_name', 'ports');
    const { scripts } = JSON.parse(readText('package.json')) as { scripts: { worker: string } };
    expect(list(service('worker')['command']).filter((word) => word !== '--enable-source-maps').join(' '), 'beside npm run worker').to.equal(scripts.worker);
    for (const name of ['server', 'worker']) {
      const graceMs = Number.parseInt(printLeaf(service(name)['stop_grace_period']), 10) * 1_000;
      const { shutdownDelayMs, shutdownTimeoutMs, deliveryTimeoutMs } = loadConfig(environment(name));
      expect(graceMs, name).to.be.greaterThan(shutdownDelayMs + shutdownTimeoutMs);
      expect(shutdownTimeoutMs, 'a send that was begun may end').to.be.greaterThan(deliveryTimeoutMs);
    }
  });

  it('lets the processes write nothing', () => {
    for (const name of ['server', 'worker']) expect(service(name)['read_only'], name).to.equal(true);
  });

  it('asks each worker whether it lives, at the port that it has', () => {
    expect(loadConfig(environment('worker')).telemetry.workerPort).to.equal(9464);
    expect(readText('docs/OPERATIONS.md'), 'its port is not published').to.match(/docker compose exec worker node -e "fetch\('http:\/\/127\.0\.0\.1:9464\/readyz'\)/).and.to.not.match(/http:\/\/<worker>/);
    const check = list(service('worker')['healthcheck']?.['test']);
    expect(check.slice(0, 3)).to.deep.equal(['CMD', 'node', '-e']);
    expect(check[3]).to.include('/livez').and.to.include('process.env.WORKER_HTTP_PORT');
  });

  it('takes each port from a variable, and .env.example names all variables, as they are without one', () => {
    const used = new Map([...readText('docker-compose.yml').matchAll(/\$\{(\w+):-([^}]*)\}/g)].map(([, name = '', value = '']) => [name, value]));
    const named = new Map([...readText('.env.example').matchAll(/^(\w+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value]));
    expect(named).to.deep.equal(used);
    const raw = [...readText('docker-compose.yml').matchAll(/^ +- "127\.0\.0\.1:(.*):.*"$/gm)].map(([, port = '']) => port);
    expect(raw).to.have.lengthOf(4);
    for (const port of raw) expect(port).to.match(/^\$\{\w+_PORT:-\d+\}/);
    // Compose reads .env; the processes must not find other meanings for these names.
    expect([...used.keys()].filter((name) => name in variables)).to.deep.equal([]);
  });

  it('starts Prometheus and Grafana only when they are asked for, with our alerts and our dashboard', () => {
    for (const name of ['prometheus', 'grafana']) expect(list(service(name)['profiles']), name).to.deep.equal(['monitoring']);
    for (const [name, { profiles }] of entries(compose['services']).filter(([each]) => !['prometheus', 'grafana'].includes(each))) expect(profiles, name).to.equal(undefined);
    for (const name of ['prometheus', 'grafana']) expect(printLeaf(service(name)['image']), name).to.match(/:v?\d+\.\d+\.\d+$/);
    const jobs = entries(readYaml('deploy/prometheus/compose.yaml')['scrape_configs']).map(([, job]) => entries(job['dns_sd_configs'])[0]?.[1]);
    expect(jobs.map((job) => [list(job?.['names'])[0], Number(printLeaf(job?.['port']))])).to.deep.equal([['server', 8080], ['worker', loadConfig(environment('worker')).telemetry.workerPort]]);
    const [, source] = entries(readYaml('deploy/grafana/provisioning/datasources/prometheus.yaml')['datasources'])[0] ?? [];
    expect(printLeaf(source?.['url'])).to.equal('http://prometheus:9090');
    const [, provider] = entries(readYaml('deploy/grafana/provisioning/dashboards/kafka-retry.yaml')['providers'])[0] ?? [];
    expect(list(service('grafana')['volumes']).join(' ')).to.include(`./deploy/grafana/dashboard.json:${printLeaf(provider?.['options']?.['path'])}/dashboard.json:ro`);
  });

  it('has a Kafka that takes the largest message, and tells each side an address it can reach', () => {
    const kafka = environment('kafka');
    expect(Number(kafka['KAFKA_MESSAGE_MAX_BYTES'])).to.be.greaterThan(loadConfig({}).maxMessageBytes + 65_536);
    const advertised = (kafka['KAFKA_ADVERTISED_LISTENERS'] ?? '').split(',').map((listener) => listener.replace(/^\w+:\/\//, ''));
    expect(advertised).to.have.members([environment('worker')['KAFKA_BROKERS'], 'localhost:9092']);
    expect(list(service('kafka')['ports'])).to.deep.equal(['127.0.0.1:9092:9092']);
  });
});

/** Node's options in a script of package.json. */
function flagsIn(script: 'server' | 'worker'): string[] {
  const { scripts } = JSON.parse(readText('package.json')) as { scripts: Record<typeof script, string> };
  return scripts[script].split(' ').filter((word) => word.startsWith('--'));
}

describe('Dockerfile', () => {
  const lines = readText('Dockerfile').split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const last = (instruction: string): string => lines.findLast((line) => line.startsWith(`${instruction} `)) ?? '';

  it('names a version of Node to the last digit, one that package.json allows and that .ci/run tries', () => {
    const { engines } = JSON.parse(readText('package.json')) as { engines: { node: string } };
    const [, major = ''] = /^ARG NODE_IMAGE=node:(\d+)\.\d+\.\d+-/.exec(lines[0] ?? '') ?? [];
    expect(Number(major)).to.be.at.least(Number(/^>=(\d+)\./.exec(engines.node)?.[1]));
    expect(readText('.ci/run')).to.include(`smoke_on_node ${major}\n`);
  });

  it('gives a worker 64 threads, however it is started', () => {
    expect(lines.filter((line) => line.startsWith('ENV ')).flatMap((line) => line.split(' '))).to.include('UV_THREADPOOL_SIZE=64');
    for (const given of [flagsIn('worker'), nodeFlags.worker]) {
      const sizeWith = (env: Record<string, string>): string => execFileSync(process.execPath, [...given, '-p', 'process.env.UV_THREADPOOL_SIZE'], { cwd: root, env, encoding: 'utf8' }).trim();
      expect([sizeWith({}), sizeWith({ UV_THREADPOOL_SIZE: '8' })], given.join(' ')).to.deep.equal(['64', '8']);
    }
  });

  it('runs as a user that is not root, with node as process 1', () => {
    expect(last('USER'), 'a number, as runAsNonRoot wants it').to.match(/^USER [1-9]\d*:[1-9]\d*$/);
    expect(JSON.parse(last('CMD').slice('CMD '.length))).to.deep.equal(['node', '--enable-source-maps', ...flagsIn('server'), 'dist/server/main.js']);
  });

  it('has no shell in the image that runs, and needs none', () => {
    expect(lines.filter((line) => line.startsWith('FROM '))).to.deep.equal(['FROM ${NODE_IMAGE} AS build', 'FROM ${RUNTIME_IMAGE}']);
    expect(lines.find((line) => line.startsWith('ARG RUNTIME_IMAGE='))).to.match(/^ARG RUNTIME_IMAGE=gcr\.io\/distroless\/nodejs24-/);
    const running = lines.slice(lines.indexOf('FROM ${RUNTIME_IMAGE}'));
    expect(running.filter((line) => line.startsWith('RUN ')), 'nothing to run it').to.deep.equal([]);
    // Its own entrypoint is node, and `node` in front of it would be taken for a script.
    expect(running).to.include('ENTRYPOINT []');
    expect(last('ENV'), 'node is found by its name').to.include('/nodejs/bin');
    for (const line of running.filter((each) => /^(CMD|ENTRYPOINT|\s*CMD) /.test(each))) expect(line, 'the exec form').to.match(/(CMD|ENTRYPOINT) \[/);
  });

  it('listens on all addresses, so that a published port reaches the API', () => {
    expect(lines.filter((line) => line.startsWith('ENV ')).join(' ').split(' ')).to.include('HTTP_HOST=::');
  });

  it('asks /readyz on the port that is configured', () => {
    const check = lines[lines.findIndex((line) => line.startsWith('HEALTHCHECK ')) + 1] ?? '';
    const [program, flag, code] = JSON.parse(check.trim().slice('CMD '.length)) as string[];
    expect([program, flag]).to.deep.equal(['node', '-e']);
    expect(code).to.include('/readyz').and.to.include('process.env.HTTP_PORT');
  });

  it('copies only what .dockerignore lets in', () => {
    const allowed = readText('.dockerignore').split('\n').filter((line) => line.startsWith('!')).map((line) => line.slice(1));
    const copied = lines
      .filter((line) => line.startsWith('COPY ') && !line.includes('--from='))
      .flatMap((line) => line.split(' ').slice(1, -1));
    expect(copied).to.have.members(allowed);
    expect(copied).to.include('docs/openapi.yaml');
  });
});

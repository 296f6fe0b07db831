import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { parse } from 'yaml';

import { loadConfig } from '../../shared/config/load.js';
import { variables } from '../../shared/config/schema.js';
import type { Variable } from '../../shared/config/variable-kinds.js';
import { metricRows } from '../../shared/telemetry/metric-rows.js';
import { renderedFiles } from '../../scripts/chart/rendered-files.mjs';
import { chartDir, examples, helm, kubeconform, Rendered, renderText, type Container, type Labels, type Manifests } from '../support/helm.js';

const root = path.resolve(import.meta.dirname, '../..');
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');
const WITH_SECRET = ['config.REDIS_ADDR=redis:6379', 'secrets.existingSecret=kept'];
const API_FROM = ['networkPolicy.enabled=true', 'networkPolicy.apiFrom[0].podSelector.matchLabels.app=orders'];
const PROCESSES = ['api', 'worker'] as const;

const isSelected = (wanted: Labels, labels: Labels): boolean => Object.entries(wanted).every(([name, value]) => labels[name] === value);

/** As an operator makes them. */
const samples: Readonly<Record<string, string>> = { BOOTSTRAP_API_KEY: `krs_boot_${randomBytes(32).toString('hex')}`, SECRETS_KEYS: `one:${randomBytes(32).toString('base64')}`, METRICS_TOKEN: randomBytes(16).toString('hex') };

/** What a process would read: of a secret file, a value that fits. */
function settingsOf({ env }: Container): Record<string, string> {
  const read = env.filter(({ name }) => name !== 'UV_THREADPOOL_SIZE' && !name.includes('_TLS'));
  return Object.fromEntries(read.map(({ name, value = '' }) => {
    const secret = name.endsWith('_FILE') ? name.slice(0, -'_FILE'.length) : undefined;
    return secret === undefined ? [name, value] : [secret, samples[secret] ?? 'a password'];
  }));
}

const portsOut = ({ egress }: Manifests['NetworkPolicy']['spec']): number[] => egress.flatMap(({ ports = [] }) => ports.map(({ port }) => port));

describe('the Helm chart', function () {
  this.timeout(120_000);

  it('passes helm lint with every set of values', () => {
    for (const example of examples) expect(helm(['lint', '--strict', chartDir, '--values', `${chartDir}/examples/${example}.yaml`]), example).to.include('1 chart(s) linted, 0 chart(s) failed');
  });

  for (const example of examples) {
    describe(example, () => {
      let rendered: Rendered;
      before(() => { rendered = new Rendered({ example }); });

      it('is valid to the oldest Kubernetes it is meant for, and to a new one', () => {
        for (const version of ['1.27.0', '1.37.0']) expect(kubeconform(renderText({ example }), version)).to.match(/Invalid: 0, Errors: 0, Skipped: 0/);
      });

      it('gives API and workers settings that they accept, and time to end', () => {
        for (const component of PROCESSES) {
          const { template } = rendered.one('Deployment', component).spec;
          const settings = settingsOf(rendered.container(component));
          expect([...Object.keys(variables), 'UV_THREADPOOL_SIZE'], component).to.include.members(Object.keys(settings));
          const { shutdownDelayMs, shutdownTimeoutMs, deliveryTimeoutMs, telemetry } = loadConfig(settings);
          expect(template.spec.terminationGracePeriodSeconds * 1_000, component).to.be.greaterThan(shutdownDelayMs + shutdownTimeoutMs);
          expect(shutdownTimeoutMs, 'a send that was begun may end').to.be.at.least(deliveryTimeoutMs + 5_000);
          if (component === 'api') expect(shutdownDelayMs, 'endpoints take seconds to learn that it goes').to.be.at.least(5_000);
          else expect(telemetry.workerPort).to.equal(rendered.container(component).ports[0]?.containerPort);
        }
      });

      it('gives both the same settings, but for what only one of them reads', () => {
        const [api, worker] = PROCESSES.map((component) => settingsOf(rendered.container(component)));
        const own = ['HTTP_PORT', 'SHUTDOWN_DELAY', 'BOOTSTRAP_API_KEY', 'WORKER_HTTP_PORT'];
        const shared = (settings: Record<string, string> = {}): Record<string, string> => Object.fromEntries(Object.entries(settings).filter(([name]) => !own.includes(name)));
        expect(shared(api)).to.deep.equal(shared(worker));
        expect(worker).to.not.have.property('BOOTSTRAP_API_KEY');
      });

      it('answers under the name by which its own parts call it', () => {
        const names = (settingsOf(rendered.container('api'))['ALLOWED_HOSTS'] ?? '').split(',');
        const called = [...rendered.one('Pod').spec.containers[0].env, ...rendered.of('ScaledObject').flatMap(({ spec }) => spec.triggers.map(({ metadata }) => ({ name: 'API_URL', value: metadata['url'] ?? '' })))];
        const urls = called.filter(({ name }) => name === 'API_URL').map(({ value = '' }) => new URL(value).hostname);
        expect(urls.length).to.be.at.least(1);
        expect(names).to.include.members(urls);
      });

      it('lets no container be root, write to its image, or talk to Kubernetes', () => {
        for (const { spec } of rendered.pods) {
          expect(spec.securityContext).to.include({ runAsNonRoot: true }).and.to.have.nested.property('seccompProfile.type', 'RuntimeDefault');
          expect(spec.securityContext.runAsUser, 'a number above 0').to.be.above(0);
          expect(spec.automountServiceAccountToken).to.equal(false);
          for (const { securityContext, resources } of spec.containers) {
            expect(securityContext).to.deep.equal({ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } });
            expect(resources.requests).to.have.keys('cpu', 'memory');
            expect(resources.limits).to.have.keys('memory');
          }
        }
      });

      it('asks the process alone whether it lives, and restarts it only after a minute', () => {
        for (const component of PROCESSES) {
          const container = rendered.container(component);
          const ports = container.ports.map(({ name }) => name);
          for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe'] as const) {
            expect(container[probe].httpGet.path, probe).to.equal(probe === 'readinessProbe' ? '/readyz' : '/livez');
            expect(ports, probe).to.include(container[probe].httpGet.port);
          }
          const { periodSeconds, failureThreshold } = container.livenessProbe;
          expect(periodSeconds * failureThreshold).to.be.at.least(60);
        }
      });

      it('starts a new pod before it ends an old one, and lets a node be drained', () => {
        for (const component of PROCESSES) {
          const { spec } = rendered.one('Deployment', component);
          expect(spec.strategy.rollingUpdate).to.deep.equal({ maxSurge: 1, maxUnavailable: 0 });
          const budget = rendered.of('PodDisruptionBudget').find((each) => isSelected(each.spec.selector.matchLabels, spec.template.metadata.labels));
          expect(budget?.spec).to.include({ maxUnavailable: 1, unhealthyPodEvictionPolicy: 'AlwaysAllow' });
          expect(spec.template.spec.topologySpreadConstraints.map(({ topologyKey }) => topologyKey)).to.deep.equal(['kubernetes.io/hostname', 'topology.kubernetes.io/zone']);
        }
      });

      it('selects what it means: each selector the pods of one workload', () => {
        for (const workload of [...rendered.of('Deployment'), ...rendered.of('StatefulSet')]) expect(isSelected(workload.spec.selector.matchLabels, workload.spec.template.metadata.labels), workload.metadata.name).to.equal(true);
        const selectors = [
          ...rendered.of('Service').map(({ spec }) => spec.selector),
          ...rendered.of('PodDisruptionBudget').map(({ spec }) => spec.selector.matchLabels),
          ...rendered.of('NetworkPolicy').map(({ spec }) => spec.podSelector.matchLabels),
        ];
        for (const selector of selectors) expect(rendered.pods.filter(({ metadata }) => isSelected(selector, metadata.labels)), JSON.stringify(selector)).to.have.lengthOf(1);
      });

      it('makes each pod a target of its own for Prometheus', () => {
        const services = PROCESSES.map((component) => rendered.one('Service', component));
        for (const { spec } of rendered.of('ServiceMonitor')) {
          for (const { metadata } of services) expect(isSelected(spec.selector.matchLabels, metadata.labels)).to.equal(true);
          expect(services.flatMap((service) => service.spec.ports.map(({ name }) => name))).to.have.members(spec.endpoints.map(({ port }) => port));
        }
        expect(rendered.one('Service', 'worker').spec.clusterIP, 'no address that stands for several').to.equal('None');
      });

      it('makes no secret, and is the same byte for byte when it is rendered again', () => {
        expect(rendered.of('Secret')).to.deep.equal([]);
        expect(renderText({ example })).to.equal(renderText({ example }));
      });
    });
  }

  it('starts the processes as the image and docker-compose.yml do', () => {
    const { services } = parse(read('docker-compose.yml')) as { services: { worker: { command: string[] } } };
    const rendered = new Rendered({ example: 'trial' });
    expect(rendered.container('worker').command).to.deep.equal(services.worker.command);
    const [, command = ''] = /^CMD (\[.*\])$/m.exec(read('Dockerfile')) ?? [];
    expect(rendered.container('api').command).to.deep.equal(JSON.parse(command));
    const [, user = ''] = /^USER (\d+):\d+$/m.exec(read('Dockerfile')) ?? [];
    expect(rendered.one('Deployment', 'api').spec.template.spec.securityContext.runAsUser).to.equal(Number(user));
  });

  it('lets the grace period follow the longest send', () => {
    const grace = (value: string): number[] => {
      const rendered = new Rendered({ set: [...WITH_SECRET, value] });
      return PROCESSES.map((component) => rendered.one('Deployment', component).spec.template.spec.terminationGracePeriodSeconds);
    };
    expect(grace('config.DELIVERY_TIMEOUT=30s')).to.deep.equal([55, 45]);
    expect(grace('config.DELIVERY_TIMEOUT=5m')).to.deep.equal([325, 315]);
    expect(grace('config.DELIVERY_TIMEOUT=1h'), 'SHUTDOWN_TIMEOUT is an hour at most').to.deep.equal([3_620, 3_610]);
    expect(grace('config.SHUTDOWN_TIMEOUT=1500ms')).to.deep.equal([22, 12]);
    expect(grace('api.shutdownDelay=1m')).to.deep.equal([105, 45]);
  });

  it('keeps a pod as it is when something else is changed, and makes it anew when its secret is', () => {
    const checksums = (...set: string[]): (string | undefined)[] => new Rendered({ set: [...WITH_SECRET, ...set] }).of('Deployment').map(({ spec }) => spec.template.metadata.annotations['checksum/secret']);
    expect(checksums('worker.replicas=7')).to.deep.equal(checksums());
    expect(checksums('secrets.version=two')).to.not.have.members(checksums());
  });

  const refused: readonly { readonly set: readonly string[]; readonly says: RegExp }[] = [
    { set: [], says: /Which Redis\?/ },
    { set: ['config.REDIS_ADDR=redis:6379'], says: /The chart makes no secrets[^]*kubectl create secret generic[^]*BOOTSTRAP_API_KEY=krs_boot_/ },
    { set: ['config.ENVIRONMENT=dev', 'config.AUTH=on', 'redis.enabled=true'], says: /The chart makes no secrets/ },
    { set: ['config.ENVIRONMENT=dev', 'config.REDIS_ADDR=redis:6379', 'redis.enabled=true'], says: /take one of the two away/ },
    { set: ['secrets.existingSecret=kept', 'config.REDIS_CLUSTER_ADDRS=redis:6379'], says: /nothing reads them with REDIS_MODE=standalone: set config\.REDIS_MODE=cluster/ },
    { set: ['secrets.existingSecret=kept', 'config.REDIS_MASTER_NAME=m', 'config.REDIS_SENTINEL_ADDRS=sentinel'], says: /set config\.REDIS_MODE=sentinel/ },
    { set: [...WITH_SECRET, 'worker.autoscaling.enabled=true'], says: /worker\.autoscaling\.keySecret\.name/ },
    { set: [...WITH_SECRET, 'api.shutdownDelay=ten'], says: /shutdownDelay/ },
    { set: [...WITH_SECRET, 'workers.replicas=3'], says: /workers/ },
    { set: [...WITH_SECRET, 'config.REDIS_PASSWORD=clear'], says: /REDIS_PASSWORD/ },
    { set: [...WITH_SECRET, 'config.HTTP_PORT=80'], says: /HTTP_PORT/ },
    { set: [...WITH_SECRET, 'api.ingress.enabled=true'], says: /hosts/ },
    { set: [...WITH_SECRET, 'secrets.names={PASSWORD}'], says: /secrets.names/ },
    { set: [...WITH_SECRET, ...API_FROM, 'monitoring.serviceMonitor.enabled=true'], says: /networkPolicy\.metricsFrom/ },
    { set: [...WITH_SECRET, ...API_FROM, 'worker.autoscaling.enabled=true', 'worker.autoscaling.prometheus=http://prometheus:9090'], says: /networkPolicy\.metricsFrom/ },
    { set: [...WITH_SECRET, 'api.hosts={a b}'], says: /api\/hosts/ },
    { set: [...WITH_SECRET, 'api.autoscaling.enabled=true', 'api.autoscaling.minReplicas=9'], says: /minReplicas \(9\) is above maxReplicas \(6\)/ },
  ];
  for (const { set, says } of refused) {
    it(`says what is wrong with ${set.length === 0 ? 'no values' : (set.at(-1) ?? '')}`, () => {
      expect(() => renderText({ set })).to.throw(says);
    });
  }

  it('knows the variables that are secrets, and no other', () => {
    const secrets = Object.entries<Variable<unknown>>(variables).filter(([, { isSecret }]) => isSecret === true).map(([name]) => name);
    const schema = JSON.parse(read(`${chartDir}/values.schema.json`)) as { definitions: { secretVariable: { enum: string[] } } };
    expect(schema.definitions.secretVariable.enum).to.have.members(secrets);
  });

  it('hands on numbers of a file of values as they were written', () => {
    const container = new Rendered({ set: WITH_SECRET, file: 'config: { MAX_MESSAGE_BYTES: 2097152, REDIS_HIGH_WATER: 0.75, DELIVERED_MAX: 100000000, FLOW_CIRCUIT_FAILURES: 50 }' }).container('api');
    const settings = settingsOf(container);
    expect(settings).to.include({ MAX_MESSAGE_BYTES: '2097152', REDIS_HIGH_WATER: '0.75', DELIVERED_MAX: '100000000', FLOW_CIRCUIT_FAILURES: '50' });
    expect(loadConfig(settings).deliveryTimeoutMs).to.equal(30_000);
  });

  it('has a value for every variable of the service', () => {
    const schema = JSON.parse(read(`${chartDir}/values.schema.json`)) as { properties: { config: { propertyNames: { not: { anyOf: [unknown, { enum: string[] }, { pattern: string }] } } } }; definitions: { secretVariable: { enum: string[] } } };
    const [, { enum: own }, { pattern }] = schema.properties.config.propertyNames.not.anyOf;
    const secrets = schema.definitions.secretVariable.enum;
    const all = Object.entries<Variable<unknown>>(variables);
    const inConfig = all.filter(([name]) => !own.includes(name) && !secrets.includes(name) && !new RegExp(pattern).test(name)).map(([name, { fallback, allowed }]) => `  ${name}: "${fallback ?? (allowed.startsWith('a duration') ? '30s' : allowed.split(',')[0])}"`);
    const tls = ['redis', 'kafka', 'otel'].flatMap((of) => [`tls.${of}.existingSecret=${of}-tls`, `tls.${of}.clientCertificate=true`]);
    const rendered = new Rendered({ file: `config:\n${inConfig.join('\n')}`, set: [...WITH_SECRET, `secrets.names={${secrets.join(',')}}`, ...tls, 'tls.proxy.existingSecret=proxy-tls', 'tls.destinations.existingSecret=destinations-tls'] });
    const set = PROCESSES.flatMap((component) => rendered.container(component).env.map(({ name }) => name));
    expect(all.map(([name]) => name).filter((name) => !set.includes(name) && !set.includes(`${name}_FILE`))).to.deep.equal([]);
    expect(set, 'what the SDK of traces and Node read by themselves').to.include.members(['OTEL_EXPORTER_OTLP_CERTIFICATE', 'OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE', 'OTEL_EXPORTER_OTLP_CLIENT_KEY', 'NODE_EXTRA_CA_CERTS']);
    for (const { spec: { template: { spec: { containers: [{ env, volumeMounts }], volumes } } } } of rendered.of('Deployment')) {
      const files = env.map(({ value = '' }) => value).filter((value) => value.startsWith('/run/'));
      const mounted = volumes.flatMap(({ name, secret }) => (secret?.items ?? []).map((item) => `${volumeMounts.find((mount) => mount.name === name)?.mountPath ?? ''}/${item.path}`));
      expect(mounted, 'each file that is named is there').to.include.members(files);
    }
  });

  it('renders the values of a version before this one, as --reuse-values hands them on', () => {
    // A value of null takes the default of the chart away.
    const before = new Rendered({ set: WITH_SECRET, file: 'tls: { otel: null, proxy: null, destinations: null }\ntest: { keySecret: { key: "" } }' });
    expect(before.of('Deployment')).to.deep.equal(new Rendered({ set: WITH_SECRET }).of('Deployment'));
  });

  it('gives its Redis room for a rewrite of its file, by default and as the runbook raises it', () => {
    const bytes = (text: string): number => Number.parseInt(text) * (/g/i.test(text) ? 2 ** 30 : 2 ** 20);
    const enlarged = /patch pvc [^`]*"storage":"(\w+)"/.exec(read('docs/OPERATIONS.md'))?.[1] ?? '';
    const raised = /helm upgrade kafka-retry [^`]*redis\.maxmemory[^`]*/.exec(read('docs/OPERATIONS.md'))?.[0].match(/(?<=--set )\S+/g) ?? [];
    expect(raised).to.include('redis.maxmemory=1gb');
    for (const set of [[], raised]) {
      const { template, volumeClaimTemplates } = new Rendered({ example: 'trial', set }).one('StatefulSet').spec;
      const { args, resources } = template.spec.containers[0];
      const most = bytes(args[args.indexOf('--maxmemory') + 1] ?? '');
      expect(most).to.be.above(0);
      expect(bytes(resources.limits.memory), set.join(' ')).to.be.at.least(2 * most);
      expect(bytes(resources.requests.memory), set.join(' ')).to.be.at.least(most);
      const { spec: { resources: volume } } = volumeClaimTemplates[0];
      expect(bytes(set === raised ? enlarged : volume.requests.storage), 'the file, what is written meanwhile, and the new one').to.be.at.least(3 * most);
    }
  });

  it('renders no key of a secret that has no name', () => {
    const items = (...set: string[]): unknown => new Rendered({ set: [...WITH_SECRET, ...set] }).one('Pod').spec.volumes.find(({ name }) => name === 'key')?.secret?.items;
    expect(items('test.keySecret.name=submit')).to.deep.equal([{ key: 'token', path: 'key' }]);
    expect(items('test.keySecret.name=submit', 'test.keySecret.key=one')).to.deep.equal([{ key: 'one', path: 'key' }]);
    expect(items()).to.deep.equal([{ key: 'BOOTSTRAP_API_KEY', path: 'key' }]);
    expect(items('test.keySecret.name=submit', 'test.keySecret.key='), 'the default of a version before this one').to.deep.equal([{ key: 'token', path: 'key' }]);
    expect(() => renderText({ set: [...WITH_SECRET, 'worker.autoscaling.keySecret.key='] })).to.throw('keySecret/key');
  });

  it('says in values.yaml which variables config cannot have, and which values set them', () => {
    const about = /^# Variables of docs\/ENVIRONMENT\.md[^]*?(?=^config:)/m.exec(read(`${chartDir}/values.yaml`))?.[0] ?? '';
    for (const name of ['SHUTDOWN_TIMEOUT', 'ALLOWED_HOSTS']) {
      expect(about).to.contain(name);
      expect(settingsOf(new Rendered({ set: [...WITH_SECRET, `config.${name}=7s`] }).container('api')), `${name}: config wins`).to.include({ [name]: '7s' });
    }
    for (const [name, value] of [['SHUTDOWN_DELAY', 'api.shutdownDelay'], ['HTTP_PORT', 'api.port'], ['WORKER_HTTP_PORT', 'worker.port']] as const) {
      expect(about).to.contain(`${name} (${value})`);
      expect(() => renderText({ set: [...WITH_SECRET, `config.${name}=7000`] }), name).to.throw(`invalid propertyName '${name}'`);
    }
  });

  const switches = Object.entries<Variable<unknown>>(variables).filter(([, { allowed }]) => allowed === 'on, off').map(([name]) => name);
  it('refuses true and false where a variable is on or off, as YAML reads them without quotes', () => {
    expect(switches).to.include.members(['AUTH', 'FLOW_CIRCUIT']);
    for (const name of switches) {
      expect(() => renderText({ set: WITH_SECRET, file: `config: { ${name}: off }` }), name).to.throw(`/config/${name}`);
      expect(settingsOf(new Rendered({ set: WITH_SECRET, file: `config: { ${name}: "off" }` }).container('api')), name).to.include({ [name]: 'off' });
    }
  });

  it('gives each worker its part of 2,000 slots where their number follows the load', () => {
    const set = [...WITH_SECRET, 'worker.autoscaling.enabled=true', 'worker.autoscaling.keySecret.name=k'];
    const slots = (more: string): string | undefined => settingsOf(new Rendered({ set: [...set, more] }).container('worker'))['WORKER_CONCURRENCY'];
    expect([slots('worker.autoscaling.maxReplicas=10'), slots('worker.autoscaling.maxReplicas=4'), slots('config.WORKER_CONCURRENCY=70')]).to.deep.equal(['200', '500', '70']);
  });

  it('scales by a number that is there: `load` of GET /status, or metrics that are exported', () => {
    const set = [...WITH_SECRET, 'worker.autoscaling.enabled=true'];
    const byApi = new Rendered({ set: [...set, 'worker.autoscaling.keySecret.name=k'] });
    const worker = byApi.one('Deployment', 'worker');
    expect(byApi.one('ScaledObject').spec.scaleTargetRef.name).to.equal(worker.metadata.name);
    expect(worker.spec, 'or an upgrade would undo it').to.not.have.property('replicas');
    expect(byApi.one('ScaledObject').spec.triggers[0]?.metadata).to.include({ valueLocation: 'load' });
    expect(read('docs/openapi.yaml')).to.match(/^ +load: \{ type: \[number, "null"\]/m);
    const { query = '' } = new Rendered({ set: [...set, 'worker.autoscaling.prometheus=http://prometheus:9090'] }).one('ScaledObject').spec.triggers[0]?.metadata ?? {};
    const used = query.match(/kafka_retry_[a-z_]+/g) ?? [];
    expect(used).to.have.lengthOf(3);
    expect(Object.keys(metricRows)).to.include.members(used);
    expect(query, 'numbers of the fleet are not summed').to.not.match(/sum\(kafka_retry_tasks/);
    expect(query.match(/\{namespace="retry"[,}]/g), 'of this installation').to.have.lengthOf(3);
    const beside = new Rendered({ set: [...set, 'worker.autoscaling.prometheus=http://prometheus:9090', 'monitoring.serviceMonitor.enabled=true'] });
    expect(beside.one('ScaledObject').spec.triggers[0]?.metadata['query']?.match(/\{namespace="retry",installation="kafka-retry"[,}]/g), 'and of no other in its namespace').to.have.lengthOf(3);
  });

  it('gives the targets of an installation the label by which alerts and dashboard tell it from others', () => {
    for (const { relabelings } of new Rendered({ example: 'production-sentinel' }).one('ServiceMonitor').spec.endpoints) expect(relabelings).to.deep.equal([{ targetLabel: 'installation', replacement: 'kafka-retry' }]);
  });

  it('has the alert rules and the dashboard of deploy/, not copies', () => {
    const rendered = new Rendered({ example: 'production-sentinel' });
    expect(rendered.one('PrometheusRule').spec).to.deep.equal(parse(read('deploy/prometheus/rules.yaml')));
    expect(JSON.parse(rendered.one('ConfigMap').data['kafka-retry.json'] ?? '')).to.deep.equal(JSON.parse(read('deploy/grafana/dashboard.json')));
  });

  it('lets in and out what it says where it has network policies', () => {
    const rendered = new Rendered({ example: 'production-sentinel' });
    const api = rendered.one('NetworkPolicy', 'api').spec;
    const worker = rendered.one('NetworkPolicy', 'worker').spec;
    expect(portsOut(api)).to.deep.equal([53, 53, 26379, 6379]);
    expect(api.ingress[0]?.from, 'and the pod of helm test').to.have.lengthOf(4);
    expect(api.ingress[0]?.from, 'Prometheus reads both').to.deep.include.members([...(worker.ingress[0]?.from ?? [])]);
    expect(portsOut(worker), 'names, wherever they are answered').to.deep.equal([53, 53]);
    const to = worker.egress.flatMap((rule) => rule.to ?? []);
    expect(to, 'pods, where an ipBlock does not hold them').to.deep.include({ namespaceSelector: {} });
    expect(JSON.stringify(to), 'no metadata service').to.include('"except":["169.254.0.0/16"]');
  });

  it('lets only those whom apiFrom and metricsFrom name, and the pod of helm test, reach the port of the API, whose metrics are there, too', () => {
    const from = (...set: string[]): (readonly object[] | undefined)[] => PROCESSES.map((component) => new Rendered({ set: [...WITH_SECRET, ...set] }).one('NetworkPolicy', component).spec.ingress[0]?.from);
    expect(from('networkPolicy.enabled=true'), 'everybody').to.deep.equal([undefined, undefined]);
    const [api, worker] = from(...API_FROM);
    expect([api?.length, worker], 'a reader of metrics would be shut out of the API').to.deep.equal([2, undefined]);
    const prometheus = { namespaceSelector: { matchLabels: { name: 'monitoring' } } };
    const [apiToo, workerToo] = from(...API_FROM, 'networkPolicy.metricsFrom[0].namespaceSelector.matchLabels.name=monitoring', 'monitoring.serviceMonitor.enabled=true');
    expect(apiToo, 'with orders and helm test').to.have.lengthOf(3).and.deep.include(prometheus);
    expect(workerToo).to.deep.equal([prometheus]);
  });

  it('lets the API out to the port that an address without one stands for', () => {
    const ports = (variable: string, addresses: string, mode = 'standalone'): number[] => portsOut(new Rendered({ set: ['secrets.existingSecret=kept'], file: `{ config: { REDIS_MODE: ${mode}, ${variable}: "${addresses}" }, networkPolicy: { enabled: true } }` }).one('NetworkPolicy', 'api').spec);
    expect(ports('REDIS_ADDR', '10.0.0.5')).to.deep.equal([53, 53, 6379]);
    expect(ports('REDIS_SENTINEL_ADDRS', 'sentinel-0, sentinel-1:26380,[fd00::5]', 'sentinel')).to.deep.equal([53, 53, 26379, 26380]);
    expect(ports('REDIS_CLUSTER_ADDRS', '[fd00::5],redis-1', 'cluster')).to.deep.equal([53, 53, 6379]);
  });

  it('lets the API out to every Redis that a variable names', () => {
    const named = Object.entries<Variable<unknown>>(variables).filter(([name, { allowed }]) => /^host:port(?:,|$)/.test(allowed) && name.includes('REDIS')).map(([name]) => name);
    expect(named).to.include.members(['REDIS_ADDR', 'PREVIOUS_REDIS_ADDR']);
    for (const name of named) expect(portsOut(new Rendered({ set: [...WITH_SECRET, 'networkPolicy.enabled=true', `config.${name}=redis:7001`] }).one('NetworkPolicy', 'api').spec), name).to.include(7_001);
  });

  it('is what deploy/kubernetes was made of', () => {
    for (const [file, text] of renderedFiles(process.env['HELM_PATH'] ?? '')) expect(read(file) === text, `${file} is stale: run \`npm run chart:render\``).to.equal(true);
  });
});

import { expect } from 'chai';

import { unknownVariables } from '../../../../shared/config/unknown-variables.js';
import { variables } from '../../../../shared/config/schema.js';

const known = Object.keys(variables);
const nearestOf = (name: string, value = '1'): string | undefined => unknownVariables({ [name]: value }, known)[0]?.nearest;

describe('unknownVariables', () => {
  const misspelt: readonly (readonly [name: string, meant: string])[] = [
    ['WORKER_CONCURENCY', 'WORKER_CONCURRENCY'],
    ['WORKERS_CONCURRENCY', 'WORKER_CONCURRENCY'],
    ['worker_concurrency', 'WORKER_CONCURRENCY'],
    ['WORKER-CONCURRENCY', 'WORKER_CONCURRENCY'],
    ['RETRY_JITER', 'RETRY_JITTER'],
    ['WORKER', 'WORKERS'],
    ['HTTP_PROT', 'HTTP_PORT'],
    ['LOGLEVEL', 'LOG_LEVEL'],
    ['KAFKA_BROKER', 'KAFKA_BROKERS'],
    ['REDIS_ADDRESS', 'REDIS_ADDR'],
    ['REDIS_USER', 'REDIS_USERNAME'],
    ['REDIS_PASS', 'REDIS_PASSWORD'],
    ['SHUTDOWN_TIMOUT', 'SHUTDOWN_TIMEOUT'],
    ['FLOW_CIRCUIT_COOLDOWN', 'FLOW_CIRCUIT_COOL_DOWN'],
    ['ALOWED_HOST', 'ALLOWED_HOSTS'],
    ['OTEL_EXPORTER_OTLP_ENDPOIN', 'OTEL_EXPORTER_OTLP_ENDPOINT'],
    ['OTEL_EXPORTER_OTLP_HEADER', 'OTEL_EXPORTER_OTLP_HEADERS'],
    ['OTEL_TRACE_EXPORTER', 'OTEL_TRACES_EXPORTER'],
  ];
  for (const [name, meant] of misspelt) {
    it(`takes ${name} for ${meant}`, () => {
      expect(nearestOf(name)).to.equal(meant);
    });
  }

  it('says nothing about a variable that is ours, nor about one that is empty', () => {
    for (const name of known) expect(nearestOf(name), name).to.equal(undefined);
    expect(nearestOf('WORKER_CONCURENCY', '')).to.equal(undefined);
  });

  it('says nothing about a variable of the standard of OpenTelemetry that its SDK reads, or that is about metrics and logs', () => {
    const exporter = ['ENDPOINT', 'HEADERS', 'PROTOCOL', 'TIMEOUT', 'COMPRESSION', 'INSECURE', 'CERTIFICATE', 'CLIENT_KEY', 'CLIENT_CERTIFICATE'];
    const standard = [
      ...['', 'TRACES_', 'METRICS_', 'LOGS_', 'PROFILES_'].flatMap((signal) => exporter.map((part) => `EXPORTER_OTLP_${signal}${part}`)),
      ...['EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE', 'EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION', 'EXPORTER_ZIPKIN_ENDPOINT', 'EXPORTER_ZIPKIN_TIMEOUT', 'EXPORTER_JAEGER_ENDPOINT', 'EXPORTER_PROMETHEUS_HOST', 'EXPORTER_PROMETHEUS_PORT'],
      ...['SERVICE_NAME', 'RESOURCE_ATTRIBUTES', 'ENTITIES', 'LOG_LEVEL', 'PROPAGATORS', 'TRACES_SAMPLER', 'TRACES_SAMPLER_ARG', 'METRICS_EXPORTER', 'LOGS_EXPORTER', 'METRICS_EXEMPLAR_FILTER', 'METRIC_EXPORT_INTERVAL', 'METRIC_EXPORT_TIMEOUT', 'CONFIG_FILE', 'EXPERIMENTAL_CONFIG_FILE', 'SEMCONV_STABILITY_OPT_IN'],
      ...['BSP', 'BLRP'].flatMap((batch) => ['SCHEDULE_DELAY', 'EXPORT_TIMEOUT', 'MAX_QUEUE_SIZE', 'MAX_EXPORT_BATCH_SIZE'].map((part) => `${batch}_${part}`)),
      ...['', 'SPAN_', 'EVENT_', 'LINK_', 'LOGRECORD_'].flatMap((of) => [`${of}ATTRIBUTE_COUNT_LIMIT`, `${of}ATTRIBUTE_VALUE_LENGTH_LIMIT`]),
      ...['SPAN_EVENT_COUNT_LIMIT', 'SPAN_LINK_COUNT_LIMIT', 'NODE_RESOURCE_DETECTORS', 'NODE_ENABLED_INSTRUMENTATIONS', 'NODE_DISABLED_INSTRUMENTATIONS', 'PYTHON_DISTRO', 'JAVAAGENT_ENABLED'],
    ].map((name) => `OTEL_${name}`);
    for (const name of standard) expect(nearestOf(name), name).to.equal(undefined);
  });

  describe('and the words of others for the servers of a process', () => {
    const words: readonly (readonly [name: string, value: string, meant: string])[] = [
      ['REDIS_URL', 'rediss://:secret@redis.example:6380/1', 'REDIS_ADDR=host:port, with REDIS_USERNAME, REDIS_PASSWORD, REDIS_DB and REDIS_TLS=true for rediss://,'],
      ['redis_uri', 'redis://redis.example', 'REDIS_ADDR=host:port, with REDIS_USERNAME, REDIS_PASSWORD, REDIS_DB and REDIS_TLS=true for rediss://,'],
      ['REDIS_HOST', 'redis.example', 'REDIS_ADDR=host:port'],
      ['REDIS_PORT', '6380', 'REDIS_ADDR=host:port'],
      ['REDIS_CLUSTER_NODES', 'a:1,b:2', 'REDIS_MODE=cluster with REDIS_CLUSTER_ADDRS=host:port,host:port'],
      ['REDIS_SENTINELS', 'a:1,b:2', 'REDIS_MODE=sentinel with REDIS_SENTINEL_ADDRS=host:port,host:port and REDIS_MASTER_NAME'],
      ['KAFKA_BOOTSTRAP_SERVERS', 'a:1', 'KAFKA_BROKERS=host:port,host:port'],
    ];
    for (const [name, value, meant] of words) {
      it(`takes ${name} for ${meant}`, () => {
        expect(nearestOf(name, value)).to.equal(meant);
      });
    }

    it('says nothing where one of ours names the server', () => {
      for (const [name, value] of words) {
        for (const ours of name.startsWith('KAFKA') ? ['KAFKA_BROKERS'] : ['REDIS_ADDR', 'REDIS_SENTINEL_ADDRS', 'REDIS_CLUSTER_ADDRS']) {
          expect(unknownVariables({ [name]: value, [ours]: 'a:1' }, known), `${name}, ${ours}`).to.deep.equal([]);
          expect(unknownVariables({ [name]: value, [ours]: '' }, known), `${name}, no ${ours}`).to.have.lengthOf(1);
        }
      }
    });
  });

  const foreign: readonly (readonly [name: string, value?: string])[] = [
    ...['PATH', 'HOME', 'HOSTNAME', 'SHELL', 'TERM', 'LANG', 'LC_ALL', 'PWD', 'OLDPWD', 'USER', 'LOGNAME', 'SHLVL', 'TMPDIR', 'EDITOR', 'PORT', 'HOST', 'TZ', '_'],
    ...['NODE_ENV', 'NODE_OPTIONS', 'NODE_PATH', 'npm_lifecycle_event', 'npm_config_user_agent', 'npm_package_name', 'NPM_TOKEN', 'CI', 'DEBUG', 'FORCE_COLOR', 'NO_COLOR', 'COLORTERM'],
    ...['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'NO_PROXY', 'ALL_PROXY', 'REDIS_TTL', 'KAFKA_OPTS', 'KAFKA_HOME', 'KAFKA_HEAP_OPTS', 'JAVA_HOME'],
    ...['KUBERNETES_SERVICE_HOST', 'KUBERNETES_PORT', 'KUBERNETES_PORT_443_TCP_ADDR', 'OTEL_SERVICE_NAME', 'OTEL_EXPORTER_OTLP_ENDPOINT', 'AWS_REGION', 'DATABASE_URL', 'GITHUB_TOKEN'],
    ...['REDIS_SERVICE_HOST', 'REDIS_SERVICE_PORT', 'REDIS_SERVICE_PORT_REDIS', 'REDIS_PORT_6379_TCP', 'REDIS_PORT_6379_TCP_PROTO', 'WORKERS_SERVICE_HOST', 'REDIS_TLS_CA_FILE'],
  ].map((name) => [name] as const);
  const services = [['REDIS_PORT', 'tcp://10.0.0.1:6379'], ['HTTP_PORTS', 'tcp://10.0.0.1:80'], ['KAFKA_PORT', 'tcp://10.0.0.1:9092']] as const;
  for (const [name, value] of [...foreign, ...services]) {
    it(`says nothing about ${name}${value === undefined ? '' : `=${value}`}`, () => {
      expect(nearestOf(name, value)).to.equal(undefined);
    });
  }
});

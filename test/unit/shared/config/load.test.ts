import { randomBytes } from 'node:crypto';
import { expect } from 'chai';

import { ConfigError, loadConfig } from '../../../../shared/config/load.js';
import type { Config } from '../../../../shared/config/config.js';
import { knownChatWebhooks } from '../../../../shared/domain/destinations/path-mask.js';

function faultsOf(env: Record<string, string>): readonly string[] {
  let config: Config;
  try {
    config = loadConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  throw new Error(`accepted: ${JSON.stringify(config)}`);
}

describe('loadConfig', () => {
  it('has the defaults of design.md', () => {
    expect(loadConfig({})).to.deep.equal({
      environment: 'dev',
      logLevel: 'info',
      logColours: 'auto',
      http: { host: '127.0.0.1', port: 8080, keepAliveMs: 65_000, maxConnections: 10_000, maxHeaderBytes: 16_384, maxHeaderLines: 200, maxBodyMemory: 268_435_456, maxAnswerMemory: 67_108_864, headersTimeoutMs: 70_000, requestTimeoutMs: 300_000, allowedHosts: [] },
      auth: { isOn: false, bootstrapKey: undefined, sessionTimes: { idleMs: 3_600_000, lifetimeMs: 43_200_000, mostOfKey: 100 }, wrongKeysPerSecond: 10 },
      callerLimits: { accessKeys: 10_000, quotaClients: 10_000, credentials: 10_000, testSendsPerMinute: 10, liveBulkActions: 1_000, liveBulkActionsPerKey: 250 },
      secretKeys: [],
      redis: { mode: 'standalone', address: { host: '127.0.0.1', port: 6379 }, db: 0, username: undefined, password: undefined, tls: false },
      previousRedis: undefined,
      redisHighWater: 0.85,
      redisMinReplicas: 0,
      queuePrefix: 'bull',
      shards: 1,
      kafka: { brokers: [{ host: 'localhost', port: 9092 }], tls: false, credentials: undefined },
      workerConcurrency: 'auto',
      deliveryTimeoutMs: 30_000,
      circuit: { isOn: true, failuresInARow: 30, rowGapMs: 60_000, failureShare: 0.75, shareOf: 40, shareWithinMs: 10_000, baseCoolMs: 2_000, maxCoolMs: 30_000, maxOpenMs: 900_000 },
      maxMessageBytes: 1_048_576,
      batch: { maxTasks: 10_000, maxBytes: 33_554_432 },
      destinationPolicy: { level: 'any', allow: [], deny: [] },
      destinationProxy: undefined,
      secretPathHosts: [...knownChatWebhooks],
      retryJitter: 'none',
      dead: { attempts: 10, baseDelayMs: 1_000, maxDelayMs: 300_000 },
      stall: { lockMs: 15_000, checkMs: 5_000, baseDelayMs: 1_000, maxDelayMs: 300_000 },
      release: { baseDelayMs: 30_000, maxDelayMs: 600_000 },
      shutdownTimeoutMs: 10_000,
      shutdownDelayMs: 0,
      telemetry: { tracing: { isOff: false, isWanted: false, exporter: 'otlp', protocol: 'http/protobuf', fromFiles: {}, secretTexts: [] }, metricsToken: undefined, workerPort: 'off' },
      retention: { deliveredMs: 3_600_000, deliveredMax: 100_000, deadLetterMs: 30 * 86_400_000 },
      warnings: [],
    });
  });

  it('takes the jitter of tasks that name none from RETRY_JITTER', () => {
    for (const jitter of ['none', 'equal', 'full'] as const) expect(loadConfig({ RETRY_JITTER: jitter }).retryJitter).to.equal(jitter);
    expect(faultsOf({ RETRY_JITTER: 'half' })).to.deep.equal(['RETRY_JITTER="half": must be none, equal, full']);
  });

  it('takes a number of slots exactly, or auto', () => {
    for (const number of [1, 200, 10_000]) expect(loadConfig({ WORKER_CONCURRENCY: String(number) }).workerConcurrency).to.equal(number);
    expect(loadConfig({ WORKER_CONCURRENCY: 'auto' }).workerConcurrency).to.equal('auto');
    for (const odd of ['0', '10001', 'AUTO', '-1', 'auto ']) expect(faultsOf({ WORKER_CONCURRENCY: odd }), odd).to.deep.equal([`WORKER_CONCURRENCY=${JSON.stringify(odd)}: must be auto, or a whole number from 1 to 10000${odd.toLowerCase().trim() === 'auto' ? ': did you mean auto?' : ''}`]);
  });

  it('gives what is in flight its whole time limit in prod', () => {
    const shutdown = (env: Record<string, string>): number => loadConfig({ AUTH: 'off', ...env }).shutdownTimeoutMs;
    expect(shutdown({ ENVIRONMENT: 'prod' })).to.equal(35_000);
    expect(shutdown({ ENVIRONMENT: 'prod', DELIVERY_TIMEOUT: '90s' })).to.equal(95_000);
    expect(shutdown({ ENVIRONMENT: 'prod', DELIVERY_TIMEOUT: '90s', SHUTDOWN_TIMEOUT: '7s' })).to.equal(7_000);
    expect(shutdown({ DELIVERY_TIMEOUT: '90s' })).to.equal(10_000);
  });

  it('takes a delay of zero, and none without an end', () => {
    for (const [text, ms] of [['0s', 0], ['0ms', 0], ['3s', 3_000], ['10m', 600_000]] as const) expect(loadConfig({ SHUTDOWN_DELAY: text }).shutdownDelayMs, text).to.equal(ms);
    for (const odd of ['0', '-1s', '601s', 'soon']) expect(faultsOf({ SHUTDOWN_DELAY: odd }), odd).to.deep.equal([`SHUTDOWN_DELAY=${JSON.stringify(odd)}: must be a duration from 0s to 10m, such as 500ms, 10s, 5m${odd === '0' ? ': did you mean 0s?' : ''}`]);
  });

  it('takes a port for a worker, or off', () => {
    for (const [text, port] of [['off', 'off'], ['', 'off'], ['0', 0], ['9464', 9_464]] as const) expect(loadConfig({ WORKER_HTTP_PORT: text }).telemetry.workerPort, text).to.equal(port);
    for (const odd of ['on', '65536', '-1', '94.64']) expect(faultsOf({ WORKER_HTTP_PORT: odd }), odd).to.deep.equal([`WORKER_HTTP_PORT=${JSON.stringify(odd)}: must be off, or a whole number from 0 to 65535`]);
  });

  it('takes a proxy with its login, and no other kind of one', () => {
    expect(loadConfig({ DESTINATION_PROXY: 'https://us:p%40ss@Proxy.example', DESTINATION_PROXY_BYPASS: '*.inner.example' }).destinationProxy).to.deep.include({ host: 'proxy.example', port: 443, isSecure: true, authorization: `Basic ${Buffer.from('us:p@ss').toString('base64')}`, resolves: false });
    expect(loadConfig({ DESTINATION_PROXY: 'http://[::1]:3128/', DESTINATION_PROXY_RESOLVES: 'on' }).destinationProxy).to.deep.include({ host: '::1', port: 3128, isSecure: false, authorization: undefined, resolves: true });
    for (const text of ['socks5://proxy.example:1080', 'proxy.example:3128', 'http://us:secret-of-proxy@proxy.example/path', 'http://']) {
      expect(() => loadConfig({ DESTINATION_PROXY: text }), text).to.throw(/DESTINATION_PROXY/).with.property('message').that.does.not.include('secret-of-proxy');
    }
  });

  it('takes no short token for metrics, and never prints one', () => {
    expect(loadConfig({ METRICS_TOKEN: 'a'.repeat(16) }).telemetry.metricsToken).to.equal('a'.repeat(16));
    for (const odd of ['short', 'a'.repeat(513), `${'a'.repeat(16)} b`, `${'a'.repeat(16)}\n`, 'ä'.repeat(16)]) {
      expect(faultsOf({ METRICS_TOKEN: odd }), odd).to.deep.equal(['METRICS_TOKEN=(hidden): must be 16 to 512 characters of ASCII, without spaces']);
    }
  });

  it('takes an empty variable for one that is not set', () => {
    expect(loadConfig({ HTTP_PORT: '', REDIS_PASSWORD: '', KAFKA_USERNAME: '', ENVIRONMENT: '' })).to.deep.equal(loadConfig({}));
  });

  it('warns of a variable that looks like a misspelt one, and names it beside the faults', () => {
    const env = { WORKER_CONCURENCY: 'hunter2', HTTP_PROXY: 'http://proxy:3128' };
    const warning = 'WORKER_CONCURENCY is set, and nothing reads it: WORKER_CONCURRENCY is probably meant';
    expect(loadConfig(env).warnings).to.deep.equal([warning]);
    expect(() => loadConfig({ ...env, HTTP_PORT: 'x' })).to.throw(ConfigError, `  - HTTP_PORT="x": must be a whole number from 0 to 65535\n  - ${warning}`);
  });

  it('listens everywhere in prod, unless told where', () => {
    expect(loadConfig({ ENVIRONMENT: 'prod' }).http.host).to.equal('0.0.0.0');
    expect(loadConfig({ ENVIRONMENT: 'prod', HTTP_HOST: '10.0.0.1' }).http.host).to.equal('10.0.0.1');
  });

  it('cannot be changed afterwards, not even inside', () => {
    const config = loadConfig({});
    expect(Object.isFrozen(config)).to.equal(true);
    expect(Object.isFrozen(config.redis)).to.equal(true);
    expect(Object.isFrozen(config.kafka.brokers[0])).to.equal(true);
  });

  const durations: readonly (readonly [text: string, ms: number])[] = [
    ['500ms', 500],
    ['10s', 10_000],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['30d', 2_592_000_000],
    ['1.5s', 1_500],
    ['0.5ms', 1],
  ];
  for (const [text, ms] of durations) {
    it(`reads ${text} as ${ms} ms`, () => {
      expect(loadConfig({ DEAD_LETTER_RETENTION: text }).retention.deadLetterMs).to.equal(ms);
    });
  }
  const meant: Readonly<Record<string, string>> = { '10': '10s', '1 s': '1s' };
  for (const text of ['10', '0s', '-1s', '1 s', '1w', 's', '1e3s', '1h30m', 'Infinityms', '4000d', '١s']) {
    it(`refuses ${JSON.stringify(text)} as a duration`, () => {
      expect(faultsOf({ DEAD_LETTER_RETENTION: text })).to.deep.equal([`DEAD_LETTER_RETENTION=${JSON.stringify(text)}: must be a duration above zero to 3650d, such as 500ms, 10s, 5m, 1h, 30d${meant[text] === undefined ? '' : `: did you mean ${meant[text]}?`}`]);
    });
  }

  const addresses: readonly (readonly [text: string, host: string, port: number])[] = [
    ['redis', 'redis', 6379],
    ['redis:6380', 'redis', 6380],
    ['10.0.0.1:1', '10.0.0.1', 1],
    ['[::1]:6380', '::1', 6380],
    ['[2001:db8::1]', '2001:db8::1', 6379],
  ];
  for (const [text, host, port] of addresses) {
    it(`reads the address ${text}`, () => {
      expect(loadConfig({ REDIS_ADDR: text }).redis).to.deep.include({ mode: 'standalone', address: { host, port } });
    });
  }
  for (const [name, text, said] of [
    ['KAFKA_BROKERS', 'kafka://localhost:9092', '"kafka://localhost:9092": must be host:port,host:port: did you mean localhost:9092?'],
    ['KAFKA_BROKERS', 'http://a.example:9092/,PLAINTEXT://b:9092', '"http://a.example:9092/,PLAINTEXT://b:9092": must be host:port,host:port: did you mean a.example:9092,b:9092?'],
    ['REDIS_ADDR', 'redis://user:secret@cache.example:6380/0', '(hidden): must be host:port: did you mean cache.example:6380?'],
    ['REDIS_CLUSTER_ADDRS', 'redis://a:1,nothing/', '"redis://a:1,nothing/": must be host:port,host:port'],
  ] as const) {
    it(`says which address was probably meant by ${name}=${text}`, () => {
      expect(faultsOf({ [name]: text })).to.deep.equal([`${name}=${said}`]);
    });
  }

  for (const text of ['redis:0', 'redis:65536', 'redis:', ':6379', '::1:6379', 'redis://x:1', 'a b:1', 'x:1,y:2']) {
    it(`refuses the address ${JSON.stringify(text)}`, () => {
      expect(faultsOf({ REDIS_ADDR: text })).to.deep.equal([`REDIS_ADDR=${JSON.stringify(text)}: must be host:port${text === 'redis://x:1' ? ': did you mean x:1?' : ''}`]);
    });
  }

  it('reads lists of brokers, with their default port', () => {
    expect(loadConfig({ KAFKA_BROKERS: 'a, b:1,[::1]:2' }).kafka.brokers).to.deep.equal([
      { host: 'a', port: 9092 },
      { host: 'b', port: 1 },
      { host: '::1', port: 2 },
    ]);
  });

  it('reads SECRETS_KEYS, and never prints what is wrong with it', () => {
    const base64 = (length: number): string => randomBytes(length).toString('base64');
    const [k1, k2] = [base64(32), base64(32)];
    const { secretKeys } = loadConfig({ SECRETS_KEYS: `k2:${k2}, k1:${k1}` });
    expect(secretKeys.map(({ id, key }) => [id, key.export().toString('base64')])).to.deep.equal([['k2', k2], ['k1', k1]]);
    for (const wrong of [k1, `k1:${base64(31)}`, `k1:${base64(33)}`, `k1:${base64(16)}`, `:${k1}`, `a b:${k1}`, `k1:${k1},k1:${k2}`, `k1:${k1},`, `k1:${Buffer.alloc(32).toString('base64')}`, `k1:${k1.slice(0, -1)}`]) {
      expect(() => loadConfig({ SECRETS_KEYS: wrong }), wrong).to.throw(ConfigError, 'SECRETS_KEYS=(hidden): must be id:key').and.to.satisfy(({ message }: Error) => !message.includes(k1.slice(0, -1)));
    }
  });

  it('reads the hosts whose paths are secret: names, `*.suffix` and `*`', () => {
    expect(loadConfig({ SECRET_PATH_HOSTS: 'Hooks.example.com, *.example.org,10.0.0.1,[::1]' }).secretPathHosts).to.deep.equal(['hooks.example.com', '*.example.org', '10.0.0.1', '[::1]']);
    expect(loadConfig({ SECRET_PATH_HOSTS: '*' }).secretPathHosts).to.deep.equal(['*']);
    expect(loadConfig({ SECRET_PATH_HOSTS: 'bücher.example,HOOKS.example.com.,127.1,[0:0:0:0:0:0:0:1],*.BÜCHER.example' }).secretPathHosts).to.deep.equal(['xn--bcher-kva.example', 'hooks.example.com', '127.0.0.1', '[::1]', '*.xn--bcher-kva.example']);
  });
  for (const wrong of ['a,,b', 'http://a', 'a:80', 'a:443', '[::1]:443', 'a/b', '*a', 'a.*', '**', 'a b', '.a', 'a..b', 'a@b', '%61', '*.127.0.0.1', '*.1', '[::1', '1.2.3.4.5']) {
    it(`refuses the host ${wrong}, whose paths would be shown`, () => {
      expect(faultsOf({ SECRET_PATH_HOSTS: wrong })).to.deep.equal([`SECRET_PATH_HOSTS=${wrong.includes('@') ? '(hidden)' : JSON.stringify(wrong)}: must be host names or IP addresses without ports, \`*.example.com\` for all names below one, or \`*\`; divided by commas`]);
    });
  }

  it('reports every fault at once: name, value and what is allowed', () => {
    const faults = faultsOf({
      ENVIRONMENT: 'production',
      LOG_LEVEL: 'loud',
      HTTP_PORT: '65536',
      REDIS_TLS: 'maybe',
      REDIS_DB: '-1',
      REDIS_HIGH_WATER: '1.1',
      QUEUE_PREFIX: 'a:b',
      WORKERS: '0',
      WORKER_CONCURRENCY: '1.5',
      MAX_MESSAGE_BYTES: '1e6',
      DEAD_ATTEMPTS: '0',
      SHUTDOWN_TIMEOUT: 'soon',
      DELIVERED_MAX: '',
      KAFKA_SASL_MECHANISM: 'gssapi',
      KAFKA_BROKERS: 'a,,b',
    });
    expect(faults).to.have.members([
      'ENVIRONMENT="production": must be dev, prod: did you mean prod?',
      'LOG_LEVEL="loud": must be error, warn, info, debug',
      'HTTP_PORT="65536": must be a whole number from 0 to 65535',
      'REDIS_TLS="maybe": must be true or false',
      'REDIS_DB="-1": must be a whole number from 0 to 65535',
      'REDIS_HIGH_WATER="1.1": must be a number above 0, at most 1',
      'QUEUE_PREFIX="a:b": must be 1 to 40 letters, digits, - or _',
      'WORKERS="0": must be a whole number from 1 to 64',
      'WORKER_CONCURRENCY="1.5": must be auto, or a whole number from 1 to 10000',
      'MAX_MESSAGE_BYTES="1e6": must be a whole number from 1 to 67108864',
      'DEAD_ATTEMPTS="0": must be a whole number from 1 to 1000',
      'SHUTDOWN_TIMEOUT="soon": must be a duration from 500ms to 1h, such as 500ms, 10s, 5m, 1h',
      'KAFKA_SASL_MECHANISM="gssapi": must be plain, scram-sha-256, scram-sha-512',
      'KAFKA_BROKERS="a,,b": must be host:port,host:port',
    ]);
  });

  for (const [name, text, meant] of [
    ['ENVIRONMENT', 'Prod', 'prod'],
    ['ENVIRONMENT', ' dev ', 'dev'],
    ['ENVIRONMENT', '"prod"', 'prod'],
    ['LOG_LEVEL', 'WARNING', 'warn'],
    ['AUTH', 'true', 'on'],
    ['FLOW_CIRCUIT', '0', 'off'],
    ['REDIS_TLS', 'yes', 'true'],
    ['WORKER_HTTP_PORT', 'disabled', 'off'],
    ['WORKER_CONCURRENCY', 'Auto', 'auto'],
    ['DELIVERY_TIMEOUT', '30', '30s'],
    ['DELIVERY_TIMEOUT', '2 minutes', '2m'],
    ['MAX_MESSAGE_BYTES', '1MB', '1048576'],
    ['MAX_MESSAGE_BYTES', '1_000_000', '1000000'],
  ] as const) {
    it(`names what was meant by ${name}=${JSON.stringify(text)}`, () => {
      expect(faultsOf({ [name]: text })).to.have.lengthOf(1).with.nested.property('0').that.match(new RegExp(`: did you mean ${meant}\\?$`));
    });
  }

  it('names nothing that would not be taken either, and nothing of a secret', () => {
    for (const env of [{ ENVIRONMENT: 'staging' }, { DELIVERY_TIMEOUT: '7200' }, { MAX_MESSAGE_BYTES: '1GB' }, { WORKERS: 'off' }, { METRICS_TOKEN: 'TRUE' }]) expect(faultsOf(env).join(), JSON.stringify(env)).to.not.equal('').and.not.include('did you mean');
  });

  it('asks for all that a mode needs', () => {
    expect(faultsOf({ REDIS_MODE: 'sentinel' })).to.deep.equal([
      'REDIS_MASTER_NAME: is required when REDIS_MODE=sentinel',
      'REDIS_SENTINEL_ADDRS: is required when REDIS_MODE=sentinel',
    ]);
    expect(faultsOf({ REDIS_MODE: 'cluster', REDIS_DB: '1' })).to.deep.equal([
      'REDIS_CLUSTER_ADDRS: is required when REDIS_MODE=cluster',
      'REDIS_DB="1": a cluster has only database 0',
    ]);
  });

  it('takes no other Redis than the one whose addresses are set, where REDIS_MODE was forgotten', () => {
    const unread = 'is set, and nothing reads it with REDIS_MODE=standalone';
    expect(faultsOf({ REDIS_CLUSTER_ADDRS: 'a:1,b:1' })).to.deep.equal([`REDIS_CLUSTER_ADDRS: ${unread}: set REDIS_MODE=cluster, or REDIS_ADDR if one Redis is meant`]);
    expect(faultsOf({ REDIS_MODE: 'standalone', REDIS_SENTINEL_ADDRS: 'a' })).to.deep.equal([`REDIS_SENTINEL_ADDRS: ${unread}: set REDIS_MODE=sentinel, or REDIS_ADDR if one Redis is meant`]);
    expect(faultsOf({ REDIS_SENTINEL_ADDRS: 'a', REDIS_MASTER_NAME: 'm', REDIS_ADDR: '' })).to.deep.equal([
      'REDIS_SENTINEL_ADDRS, REDIS_MASTER_NAME: are set, and nothing reads them with REDIS_MODE=standalone: set REDIS_MODE=sentinel, or REDIS_ADDR if one Redis is meant',
    ]);
  });

  it('warns of what is set for another mode, and goes by the one in force', () => {
    const warningsOf = (env: Record<string, string>): readonly string[] => loadConfig(env).warnings;
    const sentinel = { REDIS_SENTINEL_ADDRS: 's', REDIS_MASTER_NAME: 'm' };
    expect(warningsOf({ REDIS_ADDR: 'a', REDIS_CLUSTER_ADDRS: 'b' })).to.deep.equal(['REDIS_CLUSTER_ADDRS: is set, and nothing reads it with REDIS_MODE=standalone: set REDIS_MODE=cluster, or take it away']);
    expect(warningsOf({ REDIS_SENTINEL_TLS: 'true' })).to.deep.equal(['REDIS_SENTINEL_TLS: is set, and nothing reads it with REDIS_MODE=standalone: set REDIS_MODE=sentinel, or take it away']);
    expect(warningsOf({ REDIS_MODE: 'cluster', REDIS_CLUSTER_ADDRS: 'c', REDIS_ADDR: 'a', ...sentinel })).to.deep.equal([
      'REDIS_ADDR: is set, and nothing reads it with REDIS_MODE=cluster: set REDIS_MODE=standalone, or take it away',
      'REDIS_SENTINEL_ADDRS, REDIS_MASTER_NAME: are set, and nothing reads them with REDIS_MODE=cluster: set REDIS_MODE=sentinel, or take them away',
    ]);
    for (const env of [{ REDIS_MODE: 'sentinel', REDIS_SENTINEL_PASSWORD: 'p', REDIS_SENTINEL_TLS: 'true', ...sentinel }, { REDIS_ADDR: 'a', REDIS_SENTINEL_TLS: 'false' }, { REDIS_MODE: 'cluster', REDIS_CLUSTER_ADDRS: 'c' }]) {
      expect(warningsOf(env), JSON.stringify(env)).to.deep.equal([]);
    }
    expect(loadConfig({ REDIS_ADDR: 'a:1', ...sentinel }).redis).to.deep.include({ mode: 'standalone', address: { host: 'a', port: 1 } });
  });

  it('says at start what to set in place of REDIS_URL, and shows none of it', () => {
    expect(loadConfig({ REDIS_URL: 'rediss://:hunter2@redis.example:6380' }).warnings).to.deep.equal([
      'REDIS_URL is set, and nothing reads it: REDIS_ADDR=host:port, with REDIS_USERNAME, REDIS_PASSWORD, REDIS_DB and REDIS_TLS=true for rediss://, is probably meant',
    ]);
  });

  it('reads Sentinel and Cluster, which has 16 shards', () => {
    const sentinel = loadConfig({ REDIS_MODE: 'sentinel', REDIS_MASTER_NAME: 'm', REDIS_SENTINEL_ADDRS: 's', REDIS_DB: '2' });
    expect(sentinel.redis).to.deep.include({ mode: 'sentinel', masterName: 'm', sentinels: [{ host: 's', port: 26379 }], db: 2 });
    expect(sentinel.shards).to.equal(1);
    const cluster = loadConfig({ REDIS_MODE: 'cluster', REDIS_CLUSTER_ADDRS: 'a,b:1' });
    expect(cluster.redis).to.deep.include({ mode: 'cluster', nodes: [{ host: 'a', port: 6379 }, { host: 'b', port: 1 }] });
    expect(cluster.shards).to.equal(16);
  });

  it('reads where the tasks were before, and that they were nowhere else', () => {
    const { previousRedis } = loadConfig({ REDIS_MODE: 'cluster', REDIS_CLUSTER_ADDRS: 'a', PREVIOUS_REDIS_ADDR: 'old', PREVIOUS_REDIS_PASSWORD: 'p', PREVIOUS_REDIS_DB: '2' });
    expect(previousRedis).to.deep.equal({ mode: 'standalone', address: { host: 'old', port: 6379 }, username: undefined, password: 'p', db: 2, tls: false });
    expect(loadConfig({}).previousRedis).to.equal(undefined);
    expect(faultsOf({ PREVIOUS_REDIS_PASSWORD: 'p', PREVIOUS_REDIS_TLS: 'true' })).to.deep.equal([
      'PREVIOUS_REDIS_PASSWORD: is set, and PREVIOUS_REDIS_ADDR is not',
      'PREVIOUS_REDIS_TLS: is set, and PREVIOUS_REDIS_ADDR is not',
    ]);
    expect(faultsOf({ REDIS_ADDR: 'a', PREVIOUS_REDIS_ADDR: 'a:6379' })).to.deep.equal(['PREVIOUS_REDIS_ADDR="a:6379": is the Redis that is moved to (REDIS_ADDR)']);
  });

  it('wants credentials for Kafka whole, and never shows them', () => {
    const secret = 'hunter2';
    const whole = { KAFKA_SASL_MECHANISM: 'plain', KAFKA_USERNAME: 'u', KAFKA_PASSWORD: secret };
    expect(loadConfig(whole).kafka.credentials).to.deep.equal({ mechanism: 'plain', username: 'u', password: secret });
    const faults = faultsOf({ KAFKA_PASSWORD: secret, REDIS_PASSWORD: secret, HTTP_PORT: 'x' });
    expect(faults).to.include('KAFKA_SASL_MECHANISM, KAFKA_USERNAME, KAFKA_PASSWORD: set all three, or none');
    expect(faults.join('\n')).to.not.contain(secret);
  });

  it('takes an IPv6 address with and without brackets', () => {
    for (const text of ['::', '[::]']) expect(loadConfig({ HTTP_HOST: text }).http.host).to.equal('::');
  });

  it('sends to no loopback address in prod, unless told so', () => {
    expect(loadConfig({ ENVIRONMENT: 'prod' }).destinationPolicy).to.deep.equal({ level: 'internal', allow: [], deny: [] });
    const { level, allow, deny } = loadConfig({ ENVIRONMENT: 'prod', DESTINATION_POLICY: 'any', DESTINATION_ALLOW: '10.0.0.0/8, [fd00::/8]:9092', DESTINATION_DENY: '*.example.com:443' }).destinationPolicy;
    expect([level, allow.map(({ text }) => text), deny.map(({ text }) => text)]).to.deep.equal(['any', ['10.0.0.0/8', '[fd00::/8]:9092'], ['*.example.com:443']]);
    expect(() => loadConfig({ DESTINATION_ALLOW: '10.0.0.0/33' })).to.throw('DESTINATION_ALLOW="10.0.0.0/33"');
  });

  it('takes every name in prod, and none in dev, unless told which', () => {
    expect(loadConfig({ ENVIRONMENT: 'prod' }).http.allowedHosts).to.equal('any');
    expect(loadConfig({ ENVIRONMENT: 'prod', AUTH: 'off' }).http.allowedHosts).to.equal('any');
    expect(loadConfig({ ENVIRONMENT: 'prod', AUTH: 'off', ALLOWED_HOSTS: 'a' }).http.allowedHosts).to.deep.equal(['a']);
    expect(loadConfig({ AUTH: 'on', ALLOWED_HOSTS: 'a' }).http.allowedHosts, 'a page with another name has no key').to.equal('any');
    expect(loadConfig({ HTTP_HOST: 'Box.Example', ALLOWED_HOSTS: ' API.Example.com. ,*.Corp.example, m\u00fcller.example' }).http.allowedHosts).to.deep.equal([
      'api.example.com',
      '*.corp.example',
      'xn--mller-kva.example',
      'box.example',
    ]);
    for (const text of ['a,', 'a b', 'a:80', 'http://a', '*', '*.', '*a.b', 'a.*', 'a..b', '.a', '[::1]']) {
      expect(faultsOf({ ALLOWED_HOSTS: text })).to.deep.equal([`ALLOWED_HOSTS=${JSON.stringify(text)}: must be names divided by commas, such as api.example.com,*.example.net, without ports`]);
    }
  });

  it('asks for keys in prod, and not in dev, unless told so', () => {
    const key = `krs_ops1_${'0a'.repeat(32)}`;
    expect(loadConfig({}).auth).to.deep.include({ isOn: false, bootstrapKey: undefined });
    expect(loadConfig({ ENVIRONMENT: 'prod' }).auth.isOn).to.equal(true);
    expect(loadConfig({ ENVIRONMENT: 'prod', AUTH: 'off' }).auth.isOn).to.equal(false);
    expect(loadConfig({ AUTH: 'on', BOOTSTRAP_API_KEY: key }).auth).to.deep.include({ isOn: true, bootstrapKey: { id: 'ops1', secret: '0a'.repeat(32) } });
    expect(loadConfig({ ENVIRONMENT: 'prod', BOOTSTRAP_API_KEY: '' }).auth.bootstrapKey, 'an empty variable is no key').to.equal(undefined);
    expect(loadConfig({ ENVIRONMENT: 'prod' }).warnings).to.deep.equal([]);
    for (const wrong of ['secret', key.toUpperCase(), `${key}0`, `${key}\n`, `krs_ops1_${'0'.repeat(64)}`]) {
      const [fault = '', ...more] = faultsOf({ BOOTSTRAP_API_KEY: wrong });
      expect(more).to.deep.equal([]);
      expect(fault, 'its value is not printed').to.match(/^BOOTSTRAP_API_KEY=\(hidden\): must be krs_<id>_<secret>/);
    }
  });

  it('warns of what it ignores, and that everybody may call a prod without keys', () => {
    const { warnings } = loadConfig({ POLL_INTERVAL: '5s', ENVIRONMENT: 'prod', AUTH: 'off' });
    expect(warnings).to.have.lengthOf(3);
    expect(warnings.filter((warning) => warning.startsWith('ALLOWED_HOSTS is not set'))).to.have.lengthOf(1);
    expect(warnings.filter((warning) => warning.startsWith('POLL_INTERVAL is ignored'))).to.have.lengthOf(1);
    expect(warnings.filter((warning) => warning.startsWith('AUTH=off: whoever reaches the port'))).to.have.lengthOf(1);
  });
});

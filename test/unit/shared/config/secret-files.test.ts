import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { expect } from 'chai';

import { ConfigError, loadConfig } from '../../../../shared/config/load.js';
import { fileVariableOf, variables } from '../../../../shared/config/schema.js';
import type { Variable } from '../../../../shared/config/variable-kinds.js';
import { TestAuthority, type IssuedCertificate } from '../../../support/certificates.js';

function faultsOf(env: Record<string, string>): readonly string[] {
  try {
    loadConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

describe('loadConfig and files', () => {
  let folder: string;
  let authority: TestAuthority;
  let own: IssuedCertificate;
  let other: IssuedCertificate;
  let expired: IssuedCertificate;

  before(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'config-test-'));
    authority = await TestAuthority.create();
    [own, other, expired] = await Promise.all([authority.issue(), authority.issue(), authority.issue({ hasExpired: true })]);
  });
  after(async () => {
    rmSync(folder, { recursive: true });
    await authority.close();
  });

  function fileWith(contents: string | Buffer): string {
    const file = path.join(folder, `${Math.random()}`);
    writeFileSync(file, contents);
    return file;
  }
  const passwordIn = (contents: string | Buffer): string | undefined => loadConfig({ REDIS_PASSWORD_FILE: fileWith(contents) }).redis.password;

  for (const [what, contents, secret] of [
    ['no line break', 'hunter2', 'hunter2'],
    ['a line break at the end', 'hunter2\n', 'hunter2'],
    ['one of Windows', 'hunter2\r\n', 'hunter2'],
    ['two, of which one belongs to the secret', 'hunter2\n\n', 'hunter2\n'],
    ['spaces', '  hunter2 ', '  hunter2 '],
    ['other alphabets', 'пароль\n', 'пароль'],
  ] as const) {
    it(`takes a secret from a file with ${what}`, () => {
      expect(passwordIn(contents)).to.equal(secret);
    });
  }

  for (const [what, contents, said] of [
    ['nothing', '', 'is empty'],
    ['a line break alone', '\n', 'is empty'],
    ['a byte order mark', '\ufeffhunter2', 'begins with a byte order mark: save it without one'],
    ['bytes that are no text', Buffer.from([0x68, 0xff, 0x32]), 'is no text in UTF-8'],
    ['2 MB', 'hunter2'.repeat(300_000), 'is larger than 65536 bytes'],
  ] as const) {
    it(`refuses a file with ${what}, and repeats nothing of it`, () => {
      const file = fileWith(contents);
      expect(faultsOf({ REDIS_PASSWORD_FILE: file })).to.deep.equal([`REDIS_PASSWORD_FILE=${JSON.stringify(file)}: ${said}`]);
    });
  }

  it('refuses a file that is missing, and a folder', () => {
    const missing = path.join(folder, 'none');
    const inner = path.join(folder, 'folder');
    mkdirSync(inner);
    expect(faultsOf({ REDIS_PASSWORD_FILE: missing })).to.deep.equal([`REDIS_PASSWORD_FILE=${JSON.stringify(missing)}: cannot be read: ENOENT`]);
    expect(faultsOf({ REDIS_PASSWORD_FILE: inner })).to.deep.equal([`REDIS_PASSWORD_FILE=${JSON.stringify(inner)}: cannot be read: EISDIR`]);
  });

  it('refuses a secret that is given twice', () => {
    expect(faultsOf({ REDIS_PASSWORD: 'hunter2', REDIS_PASSWORD_FILE: fileWith('hunter3') })).to.deep.equal(['REDIS_PASSWORD, REDIS_PASSWORD_FILE: set one of them, not both']);
    expect(faultsOf({ REDIS_PASSWORD: '', REDIS_PASSWORD_FILE: fileWith('hunter3') })).to.deep.equal([]);
    expect(faultsOf({ REDIS_PASSWORD: 'hunter2', REDIS_PASSWORD_FILE: '' })).to.deep.equal([]);
  });

  const secrets = Object.entries(variables).filter(([, row]: readonly [string, Variable<unknown>]) => row.isSecret === true).map(([name]) => name);
  for (const name of secrets) {
    it(`takes ${name} from a file, and knows a misspelt ${fileVariableOf(name)}`, () => {
      const missing = path.join(folder, 'none');
      expect(faultsOf({ [fileVariableOf(name)]: missing }).join('\n')).to.include(`${fileVariableOf(name)}=${JSON.stringify(missing)}: cannot be read: ENOENT`);
      expect(loadConfig({ [`${name}_FIEL`]: 'x' }).warnings).to.deep.equal([`${name}_FIEL is set, and nothing reads it: ${fileVariableOf(name)} is probably meant`]);
    });
  }

  it('hands on what OpenTelemetry reads by itself, where it was given as a file', () => {
    const [file, own] = [fileWith('api-key=hunter2\n'), 'api-key=hunter3'];
    expect(loadConfig({ OTEL_EXPORTER_OTLP_HEADERS_FILE: file, OTEL_EXPORTER_OTLP_TRACES_HEADERS: own }).telemetry.tracing.fromFiles).to.deep.equal({ OTEL_EXPORTER_OTLP_HEADERS: 'api-key=hunter2' });
    expect(loadConfig({ OTEL_EXPORTER_OTLP_HEADERS: '', OTEL_EXPORTER_OTLP_TRACES_HEADERS_FILE: file }).telemetry.tracing.fromFiles).to.deep.equal({ OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'api-key=hunter2' });
    expect(loadConfig({}).telemetry.tracing.fromFiles).to.deep.equal({});
  });

  describe('of TLS', () => {
    const kafkaTls = (files: Record<string, string>): Record<string, string> => ({ KAFKA_TLS: 'true', ...files });

    it('are paths in the configuration, for Kafka, Redis and sentinels', () => {
      const files = { ca: authority.ca, cert: own.cert, key: own.key };
      const { kafka, redis } = loadConfig({
        KAFKA_TLS: 'true', KAFKA_TLS_CA_FILE: files.ca, KAFKA_TLS_CERT_FILE: files.cert, KAFKA_TLS_KEY_FILE: files.key,
        REDIS_MODE: 'sentinel', REDIS_SENTINEL_ADDRS: 'a', REDIS_MASTER_NAME: 'm', REDIS_SENTINEL_PASSWORD: 'hunter2',
        REDIS_TLS: 'true', REDIS_TLS_CA_FILE: files.ca, REDIS_TLS_CERT_FILE: files.cert, REDIS_TLS_KEY_FILE: files.key, REDIS_TLS_SERVERNAME: 'redis.example',
      });
      expect(kafka.tls).to.deep.equal(files);
      expect(redis).to.deep.include({ tls: { files, servername: 'redis.example' }, sentinelTls: { files, servername: 'redis.example' }, sentinelPassword: 'hunter2' });
    });

    it('speaks TLS with sentinels as with Redis, unless REDIS_SENTINEL_TLS says otherwise', () => {
      const sentinel = { REDIS_MODE: 'sentinel', REDIS_SENTINEL_ADDRS: 'a', REDIS_MASTER_NAME: 'm' };
      const tlsOf = (env: Record<string, string>) => {
        const { redis } = loadConfig({ ...sentinel, ...env });
        return [redis.tls !== false, redis.mode === 'sentinel' && redis.sentinelTls !== false];
      };
      expect(tlsOf({})).to.deep.equal([false, false]);
      expect(tlsOf({ REDIS_TLS: 'true' })).to.deep.equal([true, true]);
      expect(tlsOf({ REDIS_TLS: 'true', REDIS_SENTINEL_TLS: 'false' })).to.deep.equal([true, false]);
      expect(tlsOf({ REDIS_SENTINEL_TLS: 'true' })).to.deep.equal([false, true]);
    });

    it('are refused where TLS is off: what was meant to be encrypted would be sent in clear', () => {
      expect(faultsOf({ KAFKA_TLS_CA_FILE: authority.ca })).to.deep.equal(['KAFKA_TLS_CA_FILE: is set, and KAFKA_TLS is not true']);
      expect(faultsOf({ REDIS_TLS_CERT_FILE: own.cert, REDIS_TLS_KEY_FILE: own.key })).to.deep.equal(['REDIS_TLS_CERT_FILE, REDIS_TLS_KEY_FILE: are set, and REDIS_TLS is not true']);
      expect(faultsOf({ REDIS_TLS_SERVERNAME: 'redis.example' })).to.deep.equal(['REDIS_TLS_SERVERNAME: is set, and REDIS_TLS is not true']);
    });

    it('are refused when they cannot lead to a connection', () => {
      const faults = (files: Record<string, string>): string[] => faultsOf(kafkaTls(files)).map((fault) => fault.replace(/="[^"]*"/, ''));
      expect(faults({ KAFKA_TLS_CA_FILE: path.join(folder, 'none') })).to.deep.equal(['KAFKA_TLS_CA_FILE: cannot be read: ENOENT']);
      expect(faults({ KAFKA_TLS_CA_FILE: own.key })).to.deep.equal(['KAFKA_TLS_CA_FILE: holds no certificate in PEM (-----BEGIN CERTIFICATE-----)']);
      expect(faults({ KAFKA_TLS_CA_FILE: fileWith('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n') })).to.deep.equal(['KAFKA_TLS_CA_FILE: holds a certificate that cannot be read']);
      expect(faults({ KAFKA_TLS_CERT_FILE: own.cert })).to.deep.equal(['KAFKA_TLS_CERT_FILE, KAFKA_TLS_KEY_FILE: set both, or none']);
      expect(faults({ KAFKA_TLS_CERT_FILE: own.cert, KAFKA_TLS_KEY_FILE: other.key })).to.deep.equal(['KAFKA_TLS_KEY_FILE: is not the key of the certificate']);
      expect(faults({ KAFKA_TLS_CERT_FILE: own.cert, KAFKA_TLS_KEY_FILE: own.cert })).to.deep.equal(['KAFKA_TLS_KEY_FILE: holds no private key in PEM']);
      expect(faults({ KAFKA_TLS_CERT_FILE: own.cert, KAFKA_TLS_KEY_FILE: fileWith('-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n') })).to.deep.equal(['KAFKA_TLS_KEY_FILE: is encrypted: only a key without a passphrase is taken']);
      expect(faults({ KAFKA_TLS_CERT_FILE: expired.cert, KAFKA_TLS_KEY_FILE: expired.key }).join()).to.match(/^KAFKA_TLS_CERT_FILE: has expired on \w{3} .* GMT$/);
    });

    it('warns in prod of a password that goes over the network in clear', () => {
      const env = { ENVIRONMENT: 'prod', AUTH: 'on', KAFKA_SASL_MECHANISM: 'plain', KAFKA_USERNAME: 'u', KAFKA_PASSWORD: 'p' };
      expect(loadConfig(env).warnings.join()).to.include('KAFKA_SASL_MECHANISM=plain without KAFKA_TLS');
      expect(loadConfig({ ...env, KAFKA_TLS: 'true' }).warnings).to.deep.equal([]);
    });
  });
});

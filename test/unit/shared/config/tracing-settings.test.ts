import { expect } from 'chai';

import { ConfigError, loadConfig } from '../../../../shared/config/load.js';

describe('The settings of traces', () => {
  const cases: readonly (readonly [name: string, env: Readonly<Record<string, string>>, expected: { readonly isTraced: boolean; readonly protocol?: string; readonly exporter?: string }, warning?: RegExp])[] = [
    ['nothing set', {}, { isTraced: false }],
    ['an endpoint', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' }, { isTraced: true, protocol: 'http/protobuf', exporter: 'otlp' }],
    ['an endpoint of traces alone', { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://collector/v1/traces' }, { isTraced: true }],
    ['an exporter without an endpoint', { OTEL_TRACES_EXPORTER: 'otlp' }, { isTraced: true }],
    ['the console', { OTEL_TRACES_EXPORTER: 'console' }, { isTraced: true, exporter: 'console' }],
    ['no exporter', { OTEL_TRACES_EXPORTER: 'none', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' }, { isTraced: false }],
    ['an exporter that is not known', { OTEL_TRACES_EXPORTER: 'zipkin', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' }, { isTraced: false }, /OTEL_TRACES_EXPORTER="zipkin" is not known/],
    ['the SDK disabled', { OTEL_SDK_DISABLED: 'TRUE', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' }, { isTraced: false }],
    ['a variable that a compose file leaves empty', { OTEL_EXPORTER_OTLP_ENDPOINT: '' }, { isTraced: false }],
    ['gRPC', { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc', OTEL_TRACES_EXPORTER: 'otlp' }, { isTraced: true, protocol: 'grpc' }],
    ['gRPC, and another one for traces', { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc', OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/json', OTEL_TRACES_EXPORTER: 'otlp' }, { isTraced: true, protocol: 'http/json' }],
    ['a protocol that is not known', { OTEL_EXPORTER_OTLP_PROTOCOL: 'smoke', OTEL_TRACES_EXPORTER: 'otlp' }, { isTraced: true, protocol: 'http/protobuf' }, /OTEL_EXPORTER_OTLP_PROTOCOL="smoke" is not known/],
  ];
  for (const [name, env, { isTraced, ...expected }, warning] of cases) {
    it(`with ${name}: ${isTraced ? 'traces' : 'traces nothing'}`, () => {
      const { telemetry: { tracing }, warnings } = loadConfig(env);
      expect(!tracing.isOff && tracing.isWanted).to.equal(isTraced);
      expect(tracing).to.include(expected);
      expect(warnings.filter((text) => text.includes('OTEL')).join()).to.match(warning ?? /^$/);
    });
  }

  const names = ['OTEL_EXPORTER_OTLP_HEADERS', 'OTEL_EXPORTER_OTLP_TRACES_HEADERS'] as const;
  for (const headers of ['api-key=hunter2', 'api-key=hunter2,tenant=7', ' api-key = hunter2 ,\n tenant=7\n', 'authorization=Basic%20aHVudGVyMg==', 'authorization=Bearer hunter2', 'a!#$=%2C%3B%25']) {
    it(`take ${JSON.stringify(headers)} as headers`, () => {
      for (const name of names) expect(loadConfig({ [name]: headers }).warnings).to.deep.equal([]);
    });
  }
  for (const headers of ['api-key=hunter2\ntenant=7', 'api-key=hunter2\r\ntenant=7', 'api-key=hünter2', 'api-key=h%C3%BCnter2', 'api-key=hunter2%0A', 'api-key=hunter2%00', 'api-key=hunter2%', 'api-key=%FFhunter2', 'api-key=hunter2;a=b', 'api-key:hunter2', 'hunter2', '=hunter2', 'api key=hunter2', 'äpi-key=hunter2', 'api%0Akey=hunter2', 'api-key=', 'api-key=hunter2,', 'api-key=hunter2,,tenant=7']) {
    it(`refuse ${JSON.stringify(headers)} as headers, and repeat nothing of it`, () => {
      for (const name of names) expect(() => loadConfig({ [name]: headers })).to.throw(ConfigError, new RegExp(`^The configuration is wrong:\n  - ${name}=\\(hidden\\): must be comma-separated name=value [^\n]*$`)).with.property('message').that.does.not.include('nter2');
    });
  }
});

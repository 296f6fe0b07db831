import { diag } from '@opentelemetry/api';
import { globalErrorHandler } from '@opentelemetry/core';
import { expect } from 'chai';

import { tracingConfig } from '../../../../shared/config/tracing-settings.js';
import { troubleText } from '../../../../shared/telemetry/tracing/trouble-text.js';

const KEY = 'sk-live-1234567890';

describe('troubleText', () => {
  afterEach(() => diag.disable());

  const reported = (error: Error): string => {
    let text = '';
    diag.setLogger({ error: (message) => { text = message; }, warn: () => undefined, info: () => undefined, debug: () => undefined, verbose: () => undefined });
    globalErrorHandler(error);
    return text;
  };
  const { secretTexts } = tracingConfig({ OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer%20${KEY},x-team=a` } as unknown as Parameters<typeof tracingConfig>[0], {});

  const cases: readonly (readonly [name: string, text: string, shown: string])[] = [
    ['an answer that quotes the key', reported(Object.assign(new Error('Unauthorized'), { name: 'OTLPExporterError', code: 401, data: `bad credentials: Authorization: Bearer ${KEY}` })), 'spans are not taken: OTLPExporterError, code 401'],
    ['details of gRPC', reported(Object.assign(new Error(`16 UNAUTHENTICATED: ${KEY}`), { code: 16, details: KEY })), 'spans are not taken: Error, code 16'],
    ['a broken connection', reported(Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:4318'), { code: 'ECONNREFUSED' })), 'spans are not taken: Error, code ECONNREFUSED'],
    ['a code that is a text', reported(Object.assign(new Error('away'), { code: `no ${KEY}` })), 'spans are not taken: Error, away'],
    ['an error without a code', reported(new Error(`Request Timeout of ${KEY}`)), 'spans are not taken: Error, Request Timeout of ***'],
    ['a warning of the SDK', `Header "authorization" has invalid value (Bearer ${KEY}) and will be ignored`, 'Header "authorization" has invalid value (***) and will be ignored'],
  ];
  for (const [name, text, shown] of cases) {
    it(`shows no key: ${name}`, () => {
      expect(troubleText(text, secretTexts)).to.equal(shown);
    });
  }

  it('is short', () => {
    expect(troubleText('x'.repeat(1_000_000), [])).to.have.lengthOf(300);
  });
});

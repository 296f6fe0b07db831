import { expect } from 'chai';
import { parse } from 'yaml';

import { readText } from '../docs/repository-file.js';

/** For balancers, browsers and other machines. Sessions are for browsers. Limits are removed by the PUT that gives none. Credentials are set by hand. */
const notCalled = ['GET /', 'GET /health', 'GET /livez', 'GET /readyz', 'GET /metrics', 'GET /openapi.yaml', 'GET /openapi.json', 'GET /docs', 'GET /admin', 'POST /session', 'GET /session', 'DELETE /session', 'DELETE /destinations/{key}', 'GET /destinations/{key}/credentials', 'PATCH /destinations/{key}/credentials', 'DELETE /destinations/{key}/credentials'];

describe('the client', () => {
  it('has a call for every operation of the contract, and its types are those of the contract', () => {
    const { paths } = parse(readText('docs/openapi.yaml')) as { paths: Record<string, Record<string, unknown>> };
    const operations = Object.entries(paths).flatMap(([path, each]) => Object.keys(each).filter((key) => /^(get|post|put|patch|delete)$/.test(key)).map((verb) => `${verb.toUpperCase()} ${path}`));
    const called = ['retry-client.ts', 'task-lines.ts'].flatMap((file) => [...readText(`client/${file}`).matchAll(/'((?:GET|POST|PUT|PATCH|DELETE) \/[^']*)'/g)].map(([, route]) => route));
    expect([...new Set([...called, ...notCalled])]).to.have.members(operations);
    expect(readText('client/answers.ts')).to.not.match(/interface |: (string|number|boolean)\b/);
  });
});

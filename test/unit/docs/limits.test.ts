import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';

import { limits } from '../../../shared/config/limits.js';
import { variables, type VariableName } from '../../../shared/config/schema.js';
import { readText } from './repository-file.js';

const root = path.resolve(import.meta.dirname, '../../..');
const settings = new Set(limits.flatMap(({ setting }) => (Array.isArray(setting) ? (setting as readonly VariableName[]) : [])));

/** What the code writes into the log as the setting that drew the line. */
function namedLimits(): string[] {
  const files = ['server', 'shared', 'workers'].flatMap((folder) => readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts')).map((file) => path.join(folder, file)));
  return files.flatMap((file) => [...readText(file).matchAll(/\blimit: '([A-Za-z_, ]+)'/g)].flatMap(([, names = '']) => names.split(', ')));
}

describe('docs/LIMITS.md', () => {
  it('names variables that there are, and tests that there are', () => {
    expect(limits.length).to.be.above(20);
    expect([...settings].filter((name) => !(name in variables))).to.deep.equal([]);
    for (const { what, test } of limits) expect(existsSync(path.join(root, test)), what).to.equal(true);
  });

  it('has every limit that a refusal names in the log', () => {
    const named = [...new Set(namedLimits())];
    expect(named).to.include.members(['MAX_MESSAGE_BYTES', 'MAX_BATCH_TASKS', 'HTTP_MAX_HEADER_LINES', 'WRONG_KEYS_PER_SECOND', 'ALLOWED_HOSTS', 'DESTINATION_POLICY', 'REDIS_HIGH_WATER']);
    expect(named.filter((name) => name in variables && !settings.has(name as keyof typeof variables))).to.deep.equal([]);
    // Members of an access key and of a client are no variables. What is fixed is named as it stands in the table.
    const fixed = new Set(limits.flatMap(({ what, setting }) => (typeof setting === 'object' && 'fixed' in setting ? [what] : [])));
    expect(named.filter((name) => !(name in variables) && !fixed.has(name))).to.have.members(['rate_limit of the key', 'quota of the client']);
    expect(named.filter((name) => fixed.has(name))).to.have.members(['chunk extensions of a body', 'pace of a large body', 'test sends that wait for a worker', 'wait to read a large task']);
  });

  it('has a variable of every kind of limit that there is in the environment', () => {
    const bounding = Object.keys(variables).filter((name) => /MAX_(?!COOL|OPEN|DELAY)|_PER_MINUTE|HEADERS_TIMEOUT|REQUEST_TIMEOUT|DELIVERY_TIMEOUT|_PER_SECOND|^DESTINATION_(?!PROXY)|HIGH_WATER/.test(name));
    expect(bounding.filter((name) => !settings.has(name as keyof typeof variables))).to.deep.equal([]);
  });

  it('has the defaults of the variables', () => {
    const shown = (what: string): string => limits.find((each) => each.what === what)?.value ?? 'none';
    expect([variables.MAX_MESSAGE_BYTES.fallback, shown('`message_data`')]).to.deep.equal(['1048576', '1 MiB']);
    expect([variables.MAX_BATCH_TASKS.fallback, shown('tasks of a batch')]).to.deep.equal(['10000', '10,000']);
    expect([variables.MAX_BATCH_BYTES.fallback, shown('body of a batch')]).to.deep.equal([String(32 * 1_048_576), '32 MiB']);
    expect([variables.HTTP_MAX_HEADER_BYTES.fallback, shown('headers of a request')]).to.deep.equal([String(16 * 1_024), '16 KiB']);
    expect([variables.HTTP_MAX_HEADER_LINES.fallback, shown('header lines of a request')]).to.deep.equal(['200', '200']);
    expect([variables.HTTP_HEADERS_TIMEOUT.fallback, shown('time for the headers of a request')]).to.deep.equal(['70s', '70 s']);
    expect([variables.HTTP_REQUEST_TIMEOUT.fallback, shown('time for a whole request')]).to.deep.equal(['5m', '5 min']);
    expect([variables.HTTP_MAX_CONNECTIONS.fallback, shown('connections')]).to.deep.equal(['10000', '10,000']);
    expect([variables.HTTP_MAX_BODY_MEMORY.fallback, shown('large bodies in memory at once')]).to.deep.equal([String(256 * 1_048_576), '256 MiB']);
    expect([variables.HTTP_MAX_ANSWER_MEMORY.fallback, shown('large answers that are made or not yet read')]).to.deep.equal([String(64 * 1_048_576), '64 MiB']);
    expect([variables.WRONG_KEYS_PER_SECOND.fallback, shown('wrong keys of one address in a second')]).to.deep.equal(['10', '10, and 20 at once']);
    expect([variables.MAX_ACCESS_KEYS.fallback, shown('access keys')]).to.deep.equal(['10000', '10,000']);
    expect([variables.MAX_QUOTA_CLIENTS.fallback, shown('clients with a quota')]).to.deep.equal(['10000', '10,000']);
    expect([variables.MAX_CREDENTIALS.fallback, shown('destinations with credentials')]).to.deep.equal(['10000', '10,000']);
    expect([variables.MAX_SESSIONS_PER_KEY.fallback, shown('sessions of one key')]).to.deep.equal(['100', '100']);
    expect([variables.MAX_LIVE_BULK_ACTIONS.fallback, variables.MAX_LIVE_BULK_ACTIONS_PER_KEY.fallback, shown('bulk actions whose numbers may still change')]).to.deep.equal(['1000', '250', '1,000, and 250 of one key']);
    expect([variables.TEST_SENDS_PER_MINUTE.fallback, shown('test sends of one key in a minute')]).to.deep.equal(['10', '10']);
    expect([variables.DELIVERY_TIMEOUT.fallback, shown('time of an attempt')]).to.deep.equal(['30s', '30 s']);
  });
});

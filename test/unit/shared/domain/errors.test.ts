import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

import { expect } from 'chai';

import { countsForCircuit, deliveryErrors, type DeliveryErrorCode } from '../../../../shared/domain/errors.js';
import { requestErrors } from '../../../../shared/domain/request-errors.js';

describe('errors', () => {
  const rows = Object.entries(deliveryErrors);

  for (const [code, row] of rows) {
    it(`${code}: who is to blame decides whether an attempt is used`, () => {
      // A broker that asks us to wait was sent nothing.
      expect(row.usesAttempt).to.equal(row.blame !== 'us' && row.blame !== 'redis' && code !== 'broker_throttled');
    });

    it(`${code}: only the task itself or a policy can make it hopeless`, () => {
      if (!row.canImprove) expect(['task', 'policy']).to.include(row.blame);
      // What uses no attempt is put back, so giving it up must be impossible.
      if (!row.usesAttempt) expect(row.canImprove).to.equal(true);
      if (row.blame === 'task') expect(row.canImprove).to.equal(false);
    });
  }

  it('says of each code whose failure it is, and of ours that they are none of the destination', () => {
    const of = (failureOf: string): string[] => rows.filter(([, row]) => row.failureOf === failureOf).map(([code]) => code);
    expect(of('host')).to.have.members(['connection_refused', 'connect_timed_out', 'host_not_found', 'host_unreachable', 'tls_failed', 'tls_untrusted', 'tls_expired', 'tls_wrong_name', 'tls_client_refused', 'tls_not_spoken', 'tls_required', 'broker_unreachable', 'broker_authentication_failed', 'broker_login_unsupported', 'cluster_authorization_denied', 'broker_throttled', 'proxy_refused']);
    expect(of('endpoint')).to.include.members(['http_server_error', 'http_busy', 'timed_out', 'connection_reset', 'topic_unknown', 'broker_unavailable']);
    for (const [code, { blame, failureOf }] of rows) expect(failureOf === 'none', code).to.equal(blame === 'us' || blame === 'redis');
  });

  it('counts for circuits neither what is about the task nor what is hopeless or uses no attempt', () => {
    const codes = rows.filter(([, row]) => row.failureOf === 'host' || row.failureOf === 'endpoint').map(([code]) => code as DeliveryErrorCode);
    expect(codes.filter((code) => !countsForCircuit(code))).to.have.members(['broker_throttled', 'authorization_denied']);
    expect((['http_client_error', 'http_redirect', 'message_too_large', 'internal'] as const).map(countsForCircuit)).to.deep.equal([false, false, false, false]);
  });

  it('skips the retries for exactly what the design calls hopeless', () => {
    const hopeless = rows.filter(([, row]) => !row.canImprove).map(([code]) => code);
    expect(hopeless).to.have.members(['message_too_large', 'topic_invalid', 'authorization_denied', 'address_forbidden']);
  });

  it('has no code that nothing produces', () => {
    const code = sources(['server', 'shared', 'workers']).join('\n');
    const unused = [...rows.map(([name]) => name), ...Object.keys(requestErrors)].filter((name) => !code.includes(`'${name}'`));
    expect(unused).to.deep.equal([]);
  });

  it('has a code in snake_case and a sentence for each', () => {
    for (const [code, meaning] of [...rows.map(([name, row]) => [name, row.meaning] as const), ...Object.entries(requestErrors)]) {
      expect(code).to.match(/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/);
      expect(meaning, code).to.match(/^[A-Z].*\.$/s);
    }
  });
});

/** Texts of all source files of these rooms but for the list itself. */
function sources(rooms: readonly string[]): string[] {
  const root = path.resolve(import.meta.dirname, '../../../..');
  return rooms.flatMap((room) =>
    readdirSync(path.join(root, room), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts') && !file.endsWith(path.join('domain', 'errors.ts')))
      .map((file) => readFileSync(path.join(root, room, file), 'utf8')),
  );
}

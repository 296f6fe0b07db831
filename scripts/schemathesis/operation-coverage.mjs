import { readFileSync } from 'node:fs';

/** How often each operation of the contract was answered with each status: `{"GET /tasks": {"200": 61, "400": 40}}`. @typedef {Record<string, Record<string, number>>} Statuses */

/** Only a worker can carry them out, and none runs. */
const needWorker = new Set(['POST /test-sends']);

/**
 * An operation that was only ever refused was compared with its refusals alone. Then an example, a link or a format of
 * docs/openapi.yaml is missing, and the tool cannot find a request that is accepted.
 *
 * @param {string} file where hooks.py has left the statuses
 * @returns {readonly string[]} operations of the contract that were never answered with 2xx
 */
export function printOperationCoverage(file) {
  const statuses = /** @type {Statuses} */ (JSON.parse(readFileSync(file, 'utf8')));
  console.log('\nAnswers of each operation:');
  const never = [];
  for (const [operation, times] of Object.entries(statuses)) {
    const counted = Object.entries(times).sort();
    const accepted = counted.filter(([status]) => status.startsWith('2'));
    if (accepted.length === 0 && !needWorker.has(operation)) never.push(operation);
    console.log(`  ${operation.padEnd(34)} ${accepted.length === 0 ? 'NONE WITH 2xx ' : ''}${counted.map(([status, count]) => `${status}: ${count}`).join(', ')}`);
  }
  return never;
}

import { cpus } from 'node:os';

import type { Measured } from './scenario.js';
import type { Profile } from './profile.js';

/** One scenario that has run. */
export type Row = ({ readonly number: string; readonly title: string; readonly tookMs: number } & Measured) | { readonly number: string; readonly title: string; readonly failed: true };

const HEAD = ['', 'scenario', 'acked', 'refused', 'delivered', 'dead', 'parked', 'cancelled', 'lost', 'duplicates', 'recovery', 'measured besides'];

/** A Markdown table, which is readable in a terminal too. */
export function printTable(rows: readonly Row[], { name }: Profile): string {
  const lines = inOrder(rows).map((row) =>
    'failed' in row
      ? [row.number, row.title, 'FAILED', '', '', '', '', '', '', '', '', '']
      : [row.number, row.title, row.acked, row.refused, row.delivered, row.dead, row.parked, row.cancelled, row.lost, row.duplicates, `${(row.recoveryMs / 1_000).toFixed(1)} s`, row.note ?? ''],
  );
  return [`Chaos, ${name} form: ${tookSeconds(rows)} s`, '', ...[HEAD, HEAD.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`)].join('\n');
}

export function printReport(rows: readonly Row[], profile: Profile): string {
  return `# Reliability

Written by \`npm run chaos\`. Do not edit: run it again.

The run starts the built processes, breaks them, and keeps its own book. A task counts as delivered or dead only when
the receiver has it. Every task that was answered with 2xx has to end delivered, dead-lettered, parked or cancelled.

- acked: answered with 2xx. refused: answered with something else. A request without an answer is in neither.
- lost: acknowledged and without an end. This has to be 0.
- duplicates: messages that a receiver accepted more than once. The promise is at least once, so they may happen.
- recovery: from the end of the fault until every acknowledged task had ended.

Node ${process.versions.node}, ${cpus().length} cores, ${tookSeconds(rows)} s in all. Lock and stall times are shortened: see \`QUICK\` in test/chaos/scenario.ts.

${printTable(rows, profile)}
`;
}

function tookSeconds(rows: readonly Row[]): number {
  return Math.round(rows.reduce((sum, row) => sum + ('tookMs' in row ? row.tookMs : 0), 0) / 1_000);
}

function inOrder(rows: readonly Row[]): Row[] {
  return [...rows].sort((a, b) => a.number.localeCompare(b.number, 'en', { numeric: true }));
}

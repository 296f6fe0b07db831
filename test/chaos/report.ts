import { cpus } from 'node:os';

import type { Measured } from './scenario.js';
import type { Profile } from './profile.js';

/** One scenario that has run. */
export type Row = ({ readonly number: string; readonly title: string; readonly tookMs: number } & Measured) | { readonly number: string; readonly title: string; readonly failed: true };

const HEAD = ['', 'scenario', 'acked', 'refused', 'delivered', 'dead', 'parked', 'cancelled', 'lost', 'duplicates', 'recovery', 'measured besides'];

/** Facts of Redis, which no run of tests can show. */
const WHAT_FAILOVERS_LOSE = `
## What a failover can lose

Redis answers before its replicas have the write. So a task that was answered with 2xx is on the master alone for a moment, as a rule
for less than a millisecond. Unless REDIS_MIN_REPLICAS is set, the service does not wait for replicas. What that means:

| failover | acknowledged tasks that can be lost |
| --- | --- |
| a master is killed, or its host dies (Cluster and Sentinel) | those that it had not yet sent to the replica that takes over: none in most runs. A replica that lags loses as much as it lags |
| a master is frozen or cut off, and replaced | the same, and on Sentinel also what clients on its side of a split still write there. \`min-replicas-to-write 1\` with \`min-replicas-max-lag\` bounds that |
| two masters at once: a replica of a Cluster takes over (\`CLUSTER FAILOVER TAKEOVER\`) while the old master works | what the old one acknowledges until it hears of the new one. With REDIS_MIN_REPLICAS none (20e.7) |
| \`CLUSTER FAILOVER\` | none: the master stops writes until the replica is in step |
| \`SENTINEL FAILOVER\` | none, if each process hears of it in time. Sentinel does not stop the old master: it takes writes for up to 11 s more, and drops them all when it becomes a replica. Our processes leave it when Sentinel begins to choose a replica, about 0.15 s before that is promoted, and return when the switch is done: about a second of 503. A process that stands still for longer than those 0.15 s loses what it has acknowledged meanwhile |

Before our processes left the old master early, a planned failover lost 811 of 7,767 acknowledged tasks, and sent 811 twice; with
ioredis' own detection 288. Deliveries that were recorded only on a lost master are made again.

On a Cluster the audit stands in one slot, and no change is made that cannot be written down first ([SECURITY.md](SECURITY.md#what-a-refusal-tells)): while the master of that slot is away or takes no
writes, \`DELETE\`, \`PATCH\` and \`retry\` of tasks are 503 for the ids of all shards. Submissions, reads and deliveries of the other shards go on.

## What each setting survives

Acknowledged tasks that were lost, in the scenarios of test/topology/min-replicas.test.ts and of the table above: a master with one replica,
60 tasks while the replica is in trouble, then the master is killed and the replica is promoted.

| setting | the replica that is promoted was frozen | was cut off | lags behind | Redis killed with \`kill -9\`, no failover | the host loses power |
| --- | --- | --- | --- | --- | --- |
| REDIS_MIN_REPLICAS=0 (default) | 60 of 60 lost | 60 of 60 lost | 60 of 60 lost (10 s behind) | as appendfsync says | as appendfsync says |
| REDIS_MIN_REPLICAS = the number of all replicas | 0 lost: all 60 were answered with 503 | 0 lost: all 60 were answered with 503 | 0 of 60 lost (0.15 s behind) | as appendfsync says | a replica on another host has it |
| REDIS_MIN_REPLICAS = fewer than all | 0 lost if one that has it is promoted: Sentinel and Cluster take the one that is furthest, of those that they can reach | the same | the same | as appendfsync says | a replica on another host has it |
| \`min-replicas-to-write 1\` with \`min-replicas-max-lag 10\` (of Redis) | what was accepted in the last 10 s | the same | the same: it looks at the last sign of life of a replica, not at a write | as appendfsync says | as appendfsync says |
| \`appendfsync everysec\` | no help | no help | no help | 0 lost (3b) | up to the last second (3c) |
| \`appendfsync always\` | no help | no help | no help | 0 lost (3a) | 0 lost |
| \`cluster-require-full-coverage no\` | it loses nothing and saves nothing: with \`yes\` one master that is away stops all shards until it is replaced | | | | |

The rows of fewer than all replicas and of \`min-replicas-to-write\`, and the last column of REDIS_MIN_REPLICAS, follow from how Redis works; no scenario measures them.

With REDIS_MIN_REPLICAS each group of submissions and its WAIT go down one connection to the master that took it, and so does a mark behind each
change of an operator (cancel, edit, retry, pause, limits, credentials, keys, bulk actions). A repetition waits as the first one did, also one that is refused because it is done already. What is answered with 503
\`redis_unavailable\` because of it may be stored, and is then delivered: send it again. Set it to the number of all replicas, and have one replica more than
you want to lose, because nothing is accepted while fewer are in step. In a planned \`SENTINEL FAILOVER\` the old master loses a replica with the
promotion, so that it can acknowledge nothing that is lost (21c). With the number of all replicas nothing is accepted until
Sentinel has made the old master a replica of the new one: about 10 s of 503 by itself, and 2 to 3 s when the sentinels are told before to look often
(21e; the commands stand in [OPERATIONS.md](OPERATIONS.md#moving-a-master-on-purpose)). A bulk action changes tasks when the replicas of each shard have their list,
and is done when they have what it did. What else workers record does not wait: after a failover a delivery may be made again.
`;

/** What is known of a dead worker: see dead-worker.ts. */
const WHEN_A_WORKER_IS_GONE = `
## When a worker is gone

A worker that has not reported for 4 s is looked at by the others and by each API twice a second. Its tasks are taken over at once, 6 s after a \`kill -9\` at
the latest, if all of this holds. Each is sent again, with no attempt used, and counts as stalled. So a fleet of one worker needs only its API, and a new worker.

| it must be known that | because |
| --- | --- |
| the same masters answer as when it was last heard of, without a pause of 2 s or a step of Redis' clock since then | otherwise Redis was away, not the worker |
| the dead worker itself has seen no break before, for LOCK_DURATION (for an API: for an hour) or for its whole life | a failover may have lost locks |
| none of its connections is left at any master (\`CLIENT LIST\`), and those of the worker that looks are; an API has seen those of the dead one before | the kernel closes the connections of a process that has ended. One that is stopped, hangs or is cut off keeps them |

Otherwise its locks decide: they lapse within LOCK_DURATION, and the next two stall checks find its tasks. So it is when its machine has lost its
power, when Redis was away or was replaced meanwhile, and where Redis does not allow \`CLIENT LIST\` or \`INFO\`.

A worker can be taken for dead by mistake only if it lives, and has lost all its connections to a Redis that the others see, and gets none back for 4 s: a
network that resets connections. What it is sending then is sent twice. Its outcomes do not count, since its locks are gone.
`;

/** A Markdown table, which is readable in a terminal too. */
export function printTable(rows: readonly Row[], { name }: Profile): string {
  return [`Chaos, ${name} form: ${tookSeconds(rows)} s`, '', ...[HEAD, HEAD.map(() => '---'), ...inOrder(rows).map(cellsOf)].map(printLine)].join('\n');
}

/** One line, for the middle of an output. */
export function printRow(row: Row): string {
  if ('failed' in row) return `    ${row.number}: FAILED`;
  const named = cellsOf(row).map((cell, nth) => `${HEAD[nth]} ${cell}`).slice(2, -1).join(', ');
  return `    ${row.number}: ${named}${row.note === undefined ? '' : `; ${row.note}`}`;
}

/**
 * The report of an earlier run with the rows of this one in their places: a run of some scenarios is minutes, of all half an hour. How long
 * the whole run took is left out, because its rows are no longer of one run.
 *
 * @param rows none of them failed
 * @throws Error for a text that has no such table
 */
export function withRows(report: string, rows: readonly Row[]): string {
  const lines = report.replace(/^(Node .*? cores), \d+ s in all\./m, '$1.').replace(/^(Chaos, \w+ form): \d+ s$/m, '$1').split('\n');
  const first = lines.indexOf(printLine(HEAD.map(() => '---'))) + 1;
  if (first === 0) throw new Error('the report has no table of scenarios');
  const end = lines.indexOf('', first);
  const byNumber = new Map(lines.slice(first, end).map((line) => [line.split(' | ')[0]?.slice(2) ?? '', line]));
  for (const row of rows) byNumber.set(row.number, printLine(cellsOf(row)));
  const merged = [...byNumber].map(([number, line]) => ({ number, line }));
  return [...lines.slice(0, first), ...inOrder(merged).map(({ line }) => line), ...lines.slice(end)].join('\n');
}

function cellsOf(row: Row): readonly (string | number)[] {
  if ('failed' in row) return [row.number, row.title, 'FAILED', '', '', '', '', '', '', '', '', ''];
  return [row.number, row.title, row.acked, row.refused, row.delivered, row.dead, row.parked, row.cancelled, row.lost, row.duplicates, `${(row.recoveryMs / 1_000).toFixed(1)} s`, row.note ?? ''];
}

function printLine(cells: readonly (string | number)[]): string {
  return `| ${cells.join(' | ')} |`;
}

export function printReport(rows: readonly Row[], profile: Profile): string {
  return `# Reliability

Written by \`npm run chaos\`. Do not edit: run it again. \`npm run chaos -- --rows FILE\` writes the rows of one file of tests alone.

The run starts the built processes, breaks them, and keeps its own book. A task counts as delivered or dead only when
the receiver has it. Every task that was answered with 2xx has to end delivered, dead-lettered, parked or cancelled.

- acked: answered with 2xx. refused: answered with something else. A request without an answer is in neither.
- lost: acknowledged and without an end. This has to be 0.
- duplicates: messages that a receiver accepted more than once. The promise is at least once, so they may happen.
- recovery: from the end of the fault until every acknowledged task had ended.

Node ${process.versions.node}, ${cpus().length} cores, ${tookSeconds(rows)} s in all. Lock and stall times are shortened: see \`QUICK\` in test/chaos/scenario.ts.

${printTable(rows, profile)}
${WHEN_A_WORKER_IS_GONE}${WHAT_FAILOVERS_LOSE}`;
}

function tookSeconds(rows: readonly Row[]): number {
  return Math.round(rows.reduce((sum, row) => sum + ('tookMs' in row ? row.tookMs : 0), 0) / 1_000);
}

function inOrder<T extends { readonly number: string }>(rows: readonly T[]): T[] {
  return [...rows].sort((a, b) => a.number.localeCompare(b.number, 'en', { numeric: true }));
}

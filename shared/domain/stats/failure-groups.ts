import type { DeliveryErrorCode } from '../errors.js';
import type { Phase } from '../task/attempt-record.js';

/** What was decided after a failed send. */
export const failureNexts = ['retry', 'dead_letter', 'park'] as const;
export type FailureNext = (typeof failureNexts)[number];

/** Where a send failed, and how. */
export interface FailureReason {
  /** The endpoint or topic: `https://api.example.com/orders`. */
  readonly destinationKey: string;
  readonly code: DeliveryErrorCode;
  readonly httpStatus: number | undefined;
}

export interface Failure extends FailureReason {
  readonly next: FailureNext;
  readonly phase: Phase;
  readonly taskId: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** Failed sends of one reason. */
export interface FailureCounts {
  /** The number of sends by what was decided after them. */
  readonly byNext: Readonly<Record<FailureNext, number>>;
  /** How many of them were sends of dead letters: the tasks of those have another destination. */
  readonly dead: number;
  /** Milliseconds since the epoch. */
  readonly firstAt: number;
  readonly lastAt: number;
  /** Ids of the tasks that failed last, the newest first, each once. */
  readonly samples: readonly string[];
}

/** The group of all failures whose own groups would be too many. */
export const REST = '';

export const MAX_GROUPS = 1_000;
const MAX_SAMPLES = 3;
/** No id, path or code holds it. */
const SEPARATOR = '\x1f';

/** One text for a group: `https://api.example.com/orders\x1fhttp_busy\x1f503`. */
export function groupOf({ destinationKey, code, httpStatus }: { readonly destinationKey: string; readonly code: string; readonly httpStatus: number | undefined }): string {
  return [destinationKey, code, httpStatus].join(SEPARATOR);
}

/** @param group another version may have written it @returns undefined for the rest */
export function reasonOf(group: string): { readonly destinationKey: string; readonly code: string; readonly httpStatus: number | undefined } | undefined {
  const [destinationKey = '', code = '', status = ''] = group.split(SEPARATOR);
  return group === REST ? undefined : { destinationKey, code, httpStatus: status === '' ? undefined : Number(status) };
}

export function countOf({ byNext }: FailureCounts): number {
  return failureNexts.reduce((sum, next) => sum + byNext[next], 0);
}

/** Adds two counts. The samples of the one that lasted longer come first. */
export function addCounts(a: FailureCounts, b: FailureCounts): FailureCounts {
  const [later, earlier] = a.lastAt >= b.lastAt ? [a, b] : [b, a];
  return {
    byNext: { retry: a.byNext.retry + b.byNext.retry, dead_letter: a.byNext.dead_letter + b.byNext.dead_letter, park: a.byNext.park + b.byNext.park },
    dead: a.dead + b.dead,
    firstAt: Math.min(a.firstAt, b.firstAt),
    lastAt: later.lastAt,
    samples: newest([...later.samples, ...earlier.samples]),
  };
}

/** Adds counts to those of a group, which may be the rest when there are too many others. */
export function addToGroups(groups: Map<string, FailureCounts>, group: string, counts: FailureCounts, most: number): void {
  const name = groups.has(group) || groups.size < most ? group : REST;
  const known = groups.get(name);
  groups.set(name, known === undefined ? counts : addCounts(known, counts));
}

/** The groups with the most failures first, at most `most` of them, and the rest last, if there is one. */
export function largestGroups(groups: ReadonlyMap<string, FailureCounts>, most: number): ReadonlyMap<string, FailureCounts> {
  const sorted = [...groups].filter(([group]) => group !== REST).sort(([, a], [, b]) => countOf(b) - countOf(a) || b.lastAt - a.lastAt);
  const kept = new Map(sorted.slice(0, most));
  const rest = [...sorted.slice(most).map(([, counts]) => counts), ...[groups.get(REST) ?? []].flat()];
  const [first, ...others] = rest;
  if (first !== undefined) kept.set(REST, others.reduce(addCounts, first));
  return kept;
}

export function newest(samples: readonly string[]): readonly string[] {
  return [...new Set(samples)].slice(0, MAX_SAMPLES);
}

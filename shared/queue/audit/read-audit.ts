import { REQUEST_LIMIT_MS, withinRequestLimit } from '../../redis/request-limit.js';
import type { ShardHealth } from '../engine/shard-health.js';
import type { AuditEntry } from './audit-entry.js';
import { numberIn, type AuditLog } from './audit-log.js';

/** An entry has at most some 5 KB, so one reply has at most a megabyte. */
const READ_AT_ONCE = 200;
/** Of each of many logs so many are read at first: most pages need no more. */
const READ_AT_FIRST = 4;
/** One page looks at no more entries than this: some 20 ms of Redis' time, in steps of under 1 ms. */
const LOOKED_AT_MOST = 5_000;
/**
 * How long the logs are read for one page, and how long one of them is waited for, ms. A page that has less than `least` left ends where it is: a log
 * that works would be taken for one that is away, and the list would go on without what stands there.
 */
const limitsWhere = {
  partsMayBeAway: { ofPage: 700, ofLog: 400, least: 200 },
  allAreOne: { ofPage: REQUEST_LIMIT_MS, ofLog: REQUEST_LIMIT_MS, least: 200 },
} as const;

/** A log, and the part of Redis that has it. */
export interface NamedAuditLog {
  readonly part: string;
  readonly log: AuditLog;
}

export interface AuditRange {
  /** The place that the page before has told. */
  readonly before: string | undefined;
  /** The oldest entries to look at, ms since the epoch. */
  readonly sinceMs: number | undefined;
}

export interface AuditPage {
  /** The newest first. */
  readonly entries: readonly AuditEntry[];
  /** The place to go on from; undefined: nothing is left. */
  readonly next: string | undefined;
  /** The parts whose entries are not in it, or not all of them. */
  readonly partsAway: readonly string[];
}

export interface ReadingAudit {
  readonly health: ShardHealth;
  /** Whether an error means that a part cannot be asked; every other one is thrown. */
  readonly isAway: (error: unknown) => boolean;
}

/** The entries of one log in turn. */
class LogReader {
  readonly #entries: AuditEntry[] = [];
  #atOnce: number;
  /** Nothing is left to be read. */
  isAtEnd = false;
  /** It cannot be read further. What it has told is good. */
  isAway = false;

  constructor(readonly named: NamedAuditLog, private last: string | undefined, private readonly sinceMs: number | undefined, atOnce: number) {
    this.#atOnce = atOnce;
  }

  get newest(): AuditEntry | undefined {
    return this.#entries[0];
  }

  /** Of its newest entry; below all others when there is none. */
  number = -1;

  get mayHaveMore(): boolean {
    return !this.isAtEnd && !this.isAway;
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  /** It will be empty soon: it is read together with those that are. */
  get isLow(): boolean {
    return this.#entries.length * 4 <= this.#atOnce;
  }

  take(): void {
    this.#entries.shift();
    this.#look();
  }

  /** @returns how many entries were read */
  async readMore(most: number, limitMs: number): Promise<number> {
    const found = await withinRequestLimit(this.named.log.readSome(this.last, this.sinceMs, Math.min(this.#atOnce, most)), limitMs);
    this.#entries.push(...found);
    this.isAtEnd = found.length === 0;
    this.last = found.at(-1)?.id ?? this.last;
    this.#atOnce = Math.min(READ_AT_ONCE, 2 * this.#atOnce);
    this.#look();
    return found.length;
  }

  #look(): void {
    this.number = this.newest === undefined ? -1 : numberIn(this.newest.id);
  }
}

/** What one page is made of. */
class AuditReading {
  readonly readers: readonly LogReader[];
  readonly #limits: { readonly ofPage: number; readonly ofLog: number; readonly least: number };
  readonly #startedAt = performance.now();
  #lookedAt = 0;
  #hasAnswer = false;

  constructor(logs: readonly NamedAuditLog[], { before, sinceMs }: AuditRange, private readonly reading: ReadingAudit) {
    const atOnce = Math.min(READ_AT_ONCE, Math.max(READ_AT_FIRST, Math.ceil(READ_AT_ONCE / logs.length)));
    this.readers = logs.map((each) => new LogReader(each, before, sinceMs, atOnce));
    this.#limits = reading.health.isWatching ? limitsWhere.partsMayBeAway : limitsWhere.allAreOne;
  }

  /** Leaves out what is known to be away. */
  async begin(): Promise<void> {
    const answering = await this.reading.health.answering(this.readers.map(({ named }) => named.part));
    for (const reader of this.readers) reader.isAway = !answering.has(reader.named.part);
  }

  /** Which entry is the newest is not known before these are read further. */
  get mustRead(): boolean {
    return this.readers.some((reader) => reader.isEmpty && reader.mayHaveMore);
  }

  get isOver(): boolean {
    return this.#lookedAt >= LOOKED_AT_MOST || this.#restMs < this.#limits.least;
  }

  /** The log with the newest entry that is left. Without logs there is none. */
  get newest(): LogReader | undefined {
    return this.readers.reduce<LogReader | undefined>((newest, each) => (newest === undefined || each.number > newest.number ? each : newest), undefined);
  }

  get partsAway(): readonly string[] {
    return this.readers.flatMap(({ isAway, named }) => (isAway ? [named.part] : []));
  }

  /** @throws as readAudit */
  async readMore(): Promise<void> {
    const left = Math.max(1, LOOKED_AT_MOST - this.#lookedAt);
    const low = this.readers.filter((reader) => reader.isLow && reader.mayHaveMore);
    const due = low.length <= left ? low : low.filter((reader) => reader.isEmpty).slice(0, left);
    const most = Math.floor(left / due.length);
    const restMs = Math.min(this.#limits.ofLog, this.#restMs);
    const failures: unknown[] = [];
    await Promise.all(due.map(async (reader) => {
      try {
        const count = await reader.readMore(most, restMs);
        this.#lookedAt += count;
        this.#hasAnswer = true;
      } catch (error) {
        reader.isAway = true;
        failures.push(error);
      }
    }));
    for (const error of failures) if (!this.#hasAnswer || this.readers.length === 1 || !this.reading.isAway(error)) throw error;
  }

  get #restMs(): number {
    return this.#startedAt + this.#limits.ofPage - performance.now();
  }
}

/**
 * A page of all logs together, the newest entries first. A log whose part is away is left out, and named.
 * @param matches which entries are wanted
 * @param limit   at most so many; a page may be short, or empty, and not the last one
 * @throws what a log was lost by, when none has answered
 */
export async function readAudit(logs: readonly NamedAuditLog[], matches: (entry: AuditEntry) => boolean, limit: number, range: AuditRange, reading: ReadingAudit): Promise<AuditPage> {
  const state = new AuditReading(logs, range, reading);
  await state.begin();
  const entries: AuditEntry[] = [];
  let next = range.before;
  const page = (place: string | undefined): AuditPage => ({ entries, next: place, partsAway: state.partsAway });
  for (;;) {
    if (state.mustRead) {
      // A page that got nowhere would be asked for again and again.
      if (state.isOver && next !== range.before) return page(next);
      await state.readMore();
      continue;
    }
    const log = state.newest;
    const entry = log?.newest;
    if (log === undefined || entry === undefined) return page(undefined);
    if (matches(entry)) {
      // Only here it is certain that the page is not the last one.
      if (entries.length === limit) return page(entries.at(-1)?.id);
      entries.push(entry);
    }
    next = entry.id;
    log.take();
  }
}

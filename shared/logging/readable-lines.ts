import { hasHidden } from '../domain/hidden-characters.js';
import { AttemptCounts } from './attempt-counts.js';
import { Burst } from './burst.js';
import { doNotPaint, paint, type Colour, type Paint } from './colours.js';
import type { AttemptLine, LineWriter, LogFields } from './log-line.js';
import { timeStamp } from './time-stamp.js';
import { visibleText } from './visible-text.js';

/** More lines of attempts in a second cannot be read. */
const MOST_ATTEMPTS_A_SECOND = 20;
/** A send that is less late than this says nothing about it: Redis tells of what is due some milliseconds late. */
const LATE_FROM_MS = 100;
/** Printable ASCII without a space, a quotation mark, an equals sign and a backslash. Nearly all values are like this. */
const PLAIN_WORD = /^[!#-<>-[\]-~]+$/;

const levelColours: Readonly<Record<string, Colour>> = { error: 'red', warn: 'yellow' };
const outcomeColours: Readonly<Record<string, Colour>> = { delivered: 'green', dead_lettered: 'magenta', dead_letter: 'red', park: 'red' };

/** Where the lines go, and how. */
export interface ReadableLinesOptions {
  /** Which process writes: `api`, `worker 2`. */
  readonly name: string;
  readonly isColoured: boolean;
  /** For lines that come later than what they are about. */
  readonly write: (line: string) => void;
}

/**
 * Lines for people, in a terminal: short, and never so many that they cannot be read.
 *
 * `12:00:00.000 info  worker: delivered order-1 -> https://api.example.com/orders (200, 17 ms)`
 * `12:00:00.000 info  api: the API is up url=http://127.0.0.1:8080`
 */
export class ReadableLines implements LineWriter {
  readonly #paint: Paint;
  readonly #counts = new AttemptCounts();
  readonly #burst: Burst;

  constructor(private readonly options: ReadableLinesOptions) {
    this.#paint = options.isColoured ? paint : doNotPaint;
    this.#burst = new Burst({
      spanMs: 1_000,
      mostLines: MOST_ATTEMPTS_A_SECOND,
      isQuietWhileBusy: true,
      summarize: () => options.write(`${this.#head('info')}${this.#counts.take()}`),
    });
  }

  message(level: string, message: string, fields: LogFields): string {
    // The lines of a message stay lines: messages are ours.
    let line = `${this.#head(level)}${hasHidden(message) ? message.split('\n').map(visibleText).join('\n') : message}`;
    for (const [name, value] of Object.entries(fields)) {
      // People read the message.
      if (value !== undefined && name !== 'event') line += ` ${name}=${typeof value === 'string' ? quoted(value) : String(value)}`;
    }
    return line;
  }

  attempt(line: AttemptLine): string | undefined {
    if (this.#burst.admits()) return this.#printAttempt(line);
    this.#counts.add(line);
    return undefined;
  }

  flush(): void {
    this.#burst.flush();
  }

  #head(level: string): string {
    const colour = levelColours[level] ?? 'dim';
    return `${this.#paint('dim', timeStamp().slice(11, 23))} ${this.#paint(colour, level.padEnd(5))} ${this.options.name}: `;
  }

  #printAttempt(line: AttemptLine): string {
    const outcome = this.#paint(outcomeColours[line.outcome] ?? 'yellow', line.outcome);
    return `${this.#head('info')}${outcome} ${quoted(line.task_id)} -> ${quoted(line.destination)} ${this.#paint('dim', `(${factsOf(line).join(', ')})`)}`;
  }
}

/** `500 http_server_error`, `17 ms`, `attempt 2 of 5`, `again in 4 s`. Only the facts that are not the usual ones. */
function factsOf({ http_status, code, duration_ms, late_ms, phase, attempt, max_retries, next_delay_ms, detail, run }: AttemptLine): string[] {
  const answer = [http_status, code].filter((part) => part !== undefined).join(' ');
  const retries = phase === 'dead_letter' ? `dead letter, attempt ${attempt}` : `attempt ${attempt} of ${max_retries}`;
  return [
    ...(answer === '' ? [] : [answer]),
    ...(detail === undefined ? [] : [quoted(detail)]),
    printMs(duration_ms),
    ...(attempt > 0 || code !== undefined || phase === 'dead_letter' ? [retries] : []),
    ...(run > 1 ? [`run ${run}`] : []),
    ...(late_ms !== undefined && late_ms >= LATE_FROM_MS ? [`${printMs(late_ms)} late`] : []),
    ...(next_delay_ms === undefined ? [] : [`again in ${printMs(next_delay_ms)}`]),
  ];
}

/** 17 -> `17 ms`, 4_000 -> `4 s`, 2_540 -> `2.5 s`, 600_000 -> `10 min`. */
function printMs(ms: number): string {
  if (ms < 1_000) return `${ms} ms`;
  return ms < 120_000 ? `${Math.round(ms / 100) / 10} s` : `${Math.round(ms / 6_000) / 10} min`;
}

/** In quotes it is a JSON text, so that a backslash which a client sent differs from one of an escape. */
function quoted(text: string): string {
  if (PLAIN_WORD.test(text)) return text;
  return text === '' || /[\s"=\\]/.test(text) || hasHidden(text) ? visibleText(JSON.stringify(text)) : text;
}

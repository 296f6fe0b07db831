import { eventOf } from './log-events.js';
import type { AttemptLine, LineWriter, LogFields, Role } from './log-line.js';
import { timeStamp } from './time-stamp.js';
import { visibleText } from './visible-text.js';

/** Printable ASCII without a quotation mark and a backslash: in quotes it is a JSON text as it is. Nearly all values are. */
const PLAIN = /^[ !#-[\]-~]*$/;

/**
 * One JSON object a line: `{"time":"...","level":"info","service":"kafka-retry-service","version":"0.1.0","role":"worker","event":"attempt","message":"attempt",...}`.
 * JSON.stringify of all fields takes longer, and so does a search for hidden characters in the whole line.
 */
export class JsonLines implements LineWriter {
  /** The same in every line. */
  readonly #process: string;

  constructor(role: Role, version: string) {
    this.#process = `"service":"kafka-retry-service","version":${jsonText(version)},"role":"${role}"`;
  }

  message(level: string, message: string, { event = eventOf(message), ...fields }: LogFields): string {
    return this.#print(level, String(event), message, fields);
  }

  attempt(line: AttemptLine): string {
    return this.#print('info', 'attempt', 'attempt', line);
  }

  flush(): void {
    // Every line was written at once.
  }

  #print(level: string, event: string, message: string, fields: LogFields): string {
    let text = `{"time":"${timeStamp()}","level":"${level}",${this.#process},"event":"${event}","message":${jsonText(message)}`;
    // Object.entries would make an array for each field of each attempt.
    for (const name in fields) {
      const value = fields[name];
      if (value !== undefined) text += `,"${name}":${typeof value === 'string' ? jsonText(value) : jsonValue(value)}`;
    }
    return `${text}}`;
  }
}

function jsonText(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : visibleText(JSON.stringify(text));
}

/** JSON has no NaN and no Infinity. */
function jsonValue(value: number | boolean): string {
  return typeof value === 'boolean' || Number.isFinite(value) ? String(value) : 'null';
}

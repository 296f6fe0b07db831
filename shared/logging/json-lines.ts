import type { AttemptLine, LineWriter, LogFields, Role } from './log-line.js';
import { timeStamp } from './time-stamp.js';
import { visibleText } from './visible-text.js';

/** Printable ASCII without a quotation mark and a backslash: in quotes it is a JSON text as it is. Nearly all values are. */
const PLAIN = /^[ !#-[\]-~]*$/;

/**
 * One JSON object a line: `{"time":"...","level":"info","role":"worker","message":"attempt","task_id":"order-1",...}`.
 * JSON.stringify of all fields takes longer, and so does a search for hidden characters in the whole line.
 */
export class JsonLines implements LineWriter {
  constructor(private readonly role: Role) {}

  message(level: string, message: string, fields: LogFields): string {
    return this.#print(level, message, fields);
  }

  attempt(line: AttemptLine): string {
    return this.#print('info', 'attempt', line);
  }

  flush(): void {
    // Every line was written at once.
  }

  #print(level: string, message: string, fields: LogFields): string {
    let text = `{"time":"${timeStamp()}","level":"${level}","role":"${this.role}","message":${jsonText(message)}`;
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

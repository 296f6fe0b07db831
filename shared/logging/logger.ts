import winston from 'winston';
import type { Environment } from '../config/schema.js';
import { hasHidden } from '../domain/hidden-characters.js';
import { BufferedStream } from './buffered-stream.js';
import { visibleText } from './visible-text.js';

/** Values of a log line. Callers name each field, and never pass message_data or a secret. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** The fields of one attempt: one wide line tells the whole attempt. */
export type AttemptLine = {
  readonly task_id: string;
  readonly run: number;
  readonly phase: 'delivery' | 'dead';
  readonly attempt: number;
  readonly max_retries: number;
  /** The destination, printed without secrets. */
  readonly destination: string;
  readonly outcome: string;
  readonly duration_ms: number;
  readonly code: string | undefined;
  readonly http_status: number | undefined;
  readonly next_delay_ms: number | undefined;
  readonly detail: string | undefined;
};

export interface Logger {
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  /** @param makeLine called only if the line is written */
  attempt(makeLine: () => AttemptLine): void;
  /** Writes the lines that are still buffered. The owner of the process calls it when the process exits. */
  flush(): void;
}

const MESSAGE = Symbol.for('message');
/** Printable ASCII without a space, a quotation mark, an equals sign and a backslash. Nearly all values are like this. */
const PLAIN_WORD = /^[!#-<>-[\]-~]+$/;

/**
 * Readable lines in dev, one JSON object a line in prod.
 * @param target where lines go; stdout in the processes
 */
export function createLogger(
  options: { readonly level: string; readonly environment: Environment },
  target: { write(text: string): unknown } = process.stdout,
): Logger {
  const stream = new BufferedStream(target);
  const print = options.environment === 'prod' ? printJson : printReadable;
  const logger = winston.createLogger({
    level: options.level,
    // One step replaces winston's usual chain of formats.
    format: winston.format((info) => {
      const { level, message, ...rest } = info;
      // We pass LogFields; winston hands them to the format as any.
      info[MESSAGE] = print(level, String(message), rest as LogFields);
      return info;
    })(),
    transports: [new winston.transports.Stream({ stream, eol: '\n' })],
  });
  // It is asked once: the level never changes, and the attempt line is on the hot path.
  const writesAttempts = logger.isLevelEnabled('info');
  const write = (level: string, message: string, fields?: object): void => {
    logger.log({ ...fields, level, message });
  };
  return {
    error: (message, fields) => write('error', message, fields),
    warn: (message, fields) => write('warn', message, fields),
    info: (message, fields) => write('info', message, fields),
    debug: (message, fields) => write('debug', message, fields),
    attempt: (makeLine) => {
      // This bypasses winston's streams, which cost as much again as the line.
      if (writesAttempts) stream.append(`${print('info', 'attempt', makeLine())}\n`);
    },
    flush: () => stream.flush(),
  };
}

let stampedMs = 0;
let stamp = '';
let timeOfDay = '';

/** The text is made once per millisecond, because many lines share it. */
function stampNow(): void {
  const nowMs = Date.now();
  if (nowMs === stampedMs) return;
  stampedMs = nowMs;
  stamp = new Date(nowMs).toISOString();
  timeOfDay = stamp.slice(11, 23);
}

function printJson(level: string, message: string, fields: LogFields): string {
  stampNow();
  const rest = JSON.stringify(fields);
  return visibleText(`{"time":"${stamp}","level":"${level}","message":${JSON.stringify(message)}${rest === '{}' ? '}' : `,${rest.slice(1)}`}`);
}

function printReadable(level: string, message: string, fields: LogFields): string {
  stampNow();
  // The lines of a message stay lines: messages are ours.
  let line = `${timeOfDay} ${level.padEnd(5)} ${hasHidden(message) ? message.split('\n').map(visibleText).join('\n') : message}`;
  // Object.entries would make an array for each field of each attempt.
  for (const name in fields) {
    const value = fields[name];
    if (value !== undefined) line += ` ${name}=${typeof value === 'string' ? quoted(value) : String(value)}`;
  }
  return line;
}

/** In quotes it is a JSON text, so that a backslash which a client sent differs from one of an escape. */
function quoted(text: string): string {
  if (PLAIN_WORD.test(text)) return text;
  return text === '' || /[\s"=\\]/.test(text) || hasHidden(text) ? visibleText(JSON.stringify(text)) : text;
}

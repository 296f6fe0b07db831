import winston from 'winston';
import type { Environment } from '../config/schema.js';
import { BufferedStream } from './buffered-stream.js';

/** Values of a log line. Never message_data, never a secret: whoever logs names each field. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** The line of one attempt: one wide line says all of it. */
export interface AttemptLine {
  readonly task_id: string;
  readonly run: number;
  readonly phase: 'delivery' | 'dead';
  readonly attempt: number;
  readonly max_retries: number;
  /** Printed without secrets. */
  readonly destination: string;
  readonly outcome: string;
  readonly duration_ms: number;
  readonly code: string | undefined;
  readonly http_status: number | undefined;
  readonly next_delay_ms: number | undefined;
  readonly detail: string | undefined;
}

export interface Logger {
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  /** @param makeLine called only where the line is written */
  attempt(makeLine: () => AttemptLine): void;
  /** Writes what is still buffered. Whoever owns the process calls it when the process exits. */
  flush(): void;
}

const MESSAGE = Symbol.for('message');

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
    // One step instead of winston's usual chain of formats: the attempt line is on the hot path.
    format: winston.format((info) => {
      info[MESSAGE] = print(info);
      return info;
    })(),
    transports: [new winston.transports.Stream({ stream, eol: '\n' })],
  });
  const write = (level: string, message: string, fields?: object): void => {
    logger.log({ ...fields, level, message });
  };
  return {
    error: (message, fields) => write('error', message, fields),
    warn: (message, fields) => write('warn', message, fields),
    info: (message, fields) => write('info', message, fields),
    debug: (message, fields) => write('debug', message, fields),
    attempt: (makeLine) => {
      // Past winston, whose streams cost as much again as the line: this one is on the hot path.
      if (logger.isLevelEnabled('info')) stream.write(`${print({ level: 'info', message: 'attempt', ...makeLine() })}\n`);
    },
    flush: () => stream.flush(),
  };
}

let stampedMs = 0;
let stamp = '';

/** Now, as ISO 8601 with milliseconds; made once per millisecond, because many lines share one. */
function timestamp(): string {
  const nowMs = Date.now();
  if (nowMs !== stampedMs) {
    stampedMs = nowMs;
    stamp = new Date(nowMs).toISOString();
  }
  return stamp;
}

function printJson(info: winston.Logform.TransformableInfo): string {
  const { level, message, ...fields } = info;
  return JSON.stringify({ time: timestamp(), level, message, ...fields });
}

function printReadable(info: winston.Logform.TransformableInfo): string {
  const { level, message, ...rest } = info;
  // Given to us as LogFields, and to us by winston as any.
  const fields = rest as LogFields;
  let line = `${timestamp().slice(11, 23)} ${level.padEnd(5)} ${String(message)}`;
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    const text = String(value);
    line += ` ${name}=${/[\s"=]/.test(text) || text === '' ? JSON.stringify(text) : text}`;
  }
  return line;
}

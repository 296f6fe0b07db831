import winston from 'winston';
import type { ColourChoice } from '../config/colour-choice.js';
import type { Environment } from '../config/schema.js';
import { BufferedStream } from './buffered-stream.js';
import { JsonLines } from './json-lines.js';
import type { AttemptLine, LineWriter, LogFields, Role } from './log-line.js';
import { ReadableLines } from './readable-lines.js';

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

export interface LoggerOptions {
  readonly level: string;
  readonly environment: Environment;
  readonly role: Role;
  /** Of the service; in every JSON line. */
  readonly version?: string;
  /** What readable lines call the process. The default is its role; with several of them, `worker 2`. */
  readonly name?: string | undefined;
  /** For readable lines. The default is `auto`. */
  readonly colours?: ColourChoice;
}

/** Where lines go. `isTTY`: it is a terminal. */
export interface LogTarget {
  write(text: string): unknown;
  readonly isTTY?: boolean;
}

const MESSAGE = Symbol.for('message');

/**
 * Short readable lines in dev, one JSON object a line in prod.
 * @param target stdout in the processes
 */
export function createLogger({ level, environment, role, version = 'unknown', name = role, colours = 'auto' }: LoggerOptions, target: LogTarget = process.stdout): Logger {
  const stream = new BufferedStream(target);
  const isColoured = colours === 'always' || (colours === 'auto' && target.isTTY === true);
  const lines: LineWriter = environment === 'prod' ? new JsonLines(role, version) : new ReadableLines({ name, isColoured, write: (line) => stream.append(`${line}\n`) });
  const logger = winston.createLogger({
    level,
    // One step replaces winston's usual chain of formats.
    format: winston.format((info) => {
      const { level: ofLine, message, ...rest } = info;
      // We pass LogFields; winston hands them to the format as any.
      info[MESSAGE] = lines.message(ofLine, String(message), rest as LogFields);
      return info;
    })(),
    transports: [new winston.transports.Stream({ stream, eol: '\n' })],
  });
  // It is asked once: the level never changes, and the attempt line is on the hot path.
  const writesAttempts = logger.isLevelEnabled('info');
  const write = (ofLine: string, message: string, fields?: object): void => {
    logger.log({ ...fields, level: ofLine, message });
  };
  return {
    error: (message, fields) => write('error', message, fields),
    warn: (message, fields) => write('warn', message, fields),
    info: (message, fields) => write('info', message, fields),
    debug: (message, fields) => write('debug', message, fields),
    attempt: (makeLine) => {
      if (!writesAttempts) return;
      const line = lines.attempt(makeLine());
      // This bypasses winston's streams, which cost as much again as the line.
      if (line !== undefined) stream.append(`${line}\n`);
    },
    flush: () => {
      lines.flush();
      stream.flush();
    },
  };
}

import type { Readable, Writable } from 'node:stream';
import type { ParseArgsConfig } from 'node:util';
import type { RetryClient } from '../retry-client.js';
import type { ExitCode } from './exit-codes.js';
import type { Output } from './output.js';
import type { Progress, Screen } from './progress.js';

/** What a program has around it. main.ts takes it from the process. */
export interface Surroundings {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  readonly stderr: Screen;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export interface OptionRow {
  readonly type: 'string' | 'boolean';
  readonly multiple?: boolean;
  /** How its value is named in the help: `<n>`. */
  readonly value?: string;
  readonly help: string;
  /** Words that shells complete. */
  readonly words?: readonly string[];
}

export type OptionValues = Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;

/** Everything that a command may use. */
export interface CommandContext {
  readonly client: RetryClient;
  readonly output: Output;
  readonly progress: Progress;
  readonly surroundings: Surroundings;
  readonly values: OptionValues;
  readonly words: readonly string[];
  /** Aborts with Ctrl-C, and when a verb that changes nothing has lost the reader of its output. */
  readonly signal: AbortSignal;
  /** One line for a person, on standard error. */
  readonly say: (text: string) => void;
}

/** One verb. To add one, add a row to commands.ts. */
export interface Command {
  readonly name: string;
  /** Behind the name: `<id> ...`. */
  readonly usage: string;
  readonly help: string;
  readonly options: Readonly<Record<string, OptionRow>>;
  /** At least and at most so many words; default: none. */
  readonly words?: readonly [least: number, most: number];
  /** It changes something: then it is carried out to its end, also when nobody reads its output any more. Default: it only looks. */
  readonly isChange?: true;
  readonly run: (context: CommandContext) => Promise<ExitCode>;
}

export function parseArgsOptions(rows: Readonly<Record<string, OptionRow>>): NonNullable<ParseArgsConfig['options']> {
  return Object.fromEntries(Object.entries(rows).map(([name, { type, multiple = false }]) => [name, { type, multiple }]));
}

import { constants, createReadStream } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import type { SubmitResult } from '../../answers.js';
import type { Command, CommandContext, OptionRow } from '../command.js';
import { EXIT, UsageError, type ExitCode } from '../exit-codes.js';
import { findImported, submissionOf, type PreparedLine } from '../exported-line.js';
import { isSet, oneOf } from '../option-values.js';
import { readLines, type Line } from '../read-lines.js';

/** Verbs that hand tasks over. */

/** What one line was answered with. */
interface LineResult extends Omit<SubmitResult, 'index'> {
  /** The file, where there are several. */
  readonly file?: string;
  /** From 1. */
  readonly line: number;
}

const resultColumns: readonly (keyof LineResult)[] = ['line', 'status', 'id', 'state', 'run', 'error'];
const CONFLICT = 409;
/** A file that holds one JSON value is read as a whole. */
const MAX_JSON_BYTES = 32 * 1_048_576;

const submitOptions: Readonly<Record<string, OptionRow>> = {
  'dry-run': { type: 'boolean', help: 'read everything, and hand nothing over' },
  again: { type: 'boolean', help: 'start tasks again that have ended since they were handed over' },
};

export const submitCommands: readonly Command[] = [
  {
    name: 'submit',
    usage: '[<file> ...]',
    help: 'hands over tasks from files or standard input (-): NDJSON, or one JSON object or array',
    options: {
      format: { type: 'string', value: '<format>', help: 'ndjson, or json; default: json for files that end in .json', words: ['ndjson', 'json'] },
      ...submitOptions,
    },
    words: [0, Infinity],
    isChange: true,
    run: async (context) => submitFiles(context, { idempotencyKey: 'kafka-retry', prepare: (text) => ({ text, isExported: false, hasHistory: false }) }),
  },
  {
    name: 'import',
    usage: '[<file> ...]',
    help: 'hands over what export has written: each task is due when it was; a parked one starts again at once',
    options: submitOptions,
    words: [0, Infinity],
    isChange: true,
    run: async (context) => submitFiles(context, { idempotencyKey: 'kafka-retry-import', prepare: (text) => submissionOf(text, Date.now()), findImported: (text, result) => findImported(context, text, result) }),
  },
];

interface LineRules {
  /**
   * All requests of a verb have one key, which the service keeps with each task and compares together with its content. So a line that was taken
   * starts nothing more, wherever it stands, and whatever becomes of the other lines. What was only submitted, and has ended, may be imported.
   */
  readonly idempotencyKey: string;
  /** Makes a submission of a line. @throws Error when it cannot */
  readonly prepare: (text: string) => PreparedLine;
  /** The answer to a submission that was refused, if the task is there already nevertheless. */
  readonly findImported?: (submission: string, refused: Omit<SubmitResult, 'index'>) => Promise<Omit<SubmitResult, 'index'> | undefined>;
}

class Counts {
  taken = 0;
  refused = 0;
  repeated = 0;
  conflicts = 0;
  /** Taken, and begins its history once more. */
  known = 0;

  note({ status, code, is_duplicate: isDuplicate }: Omit<SubmitResult, 'index'>, hasHistory: boolean): void {
    this[status < 300 ? 'taken' : 'refused'] += 1;
    if (isDuplicate === true) this.repeated += 1;
    else if (status < 300 && hasHistory) this.known += 1;
    if (code === 'conflict') this.conflicts += 1;
  }

  print(isDryRun: boolean): string {
    const repeated = this.repeated === 0 ? '' : ` (${this.repeated} of them before: nothing was started twice)`;
    return `${this.taken} ${isDryRun ? 'read' : 'handed over'}${repeated}${this.refused === 0 ? '' : `, ${this.refused} refused`}`;
  }
}

async function submitFiles(context: CommandContext, rules: LineRules): Promise<ExitCode> {
  const { output, values, words, say } = context;
  const format = oneOf(values, 'format', ['ndjson', 'json']);
  const files = words.length === 0 ? ['-'] : words;
  await checkFiles(files);
  if (files.includes('-') && context.surroundings.stdin.isTTY === true) say('reading from this terminal: a task a line, Ctrl-D ends');
  const counts = new Counts();
  async function* results(): AsyncGenerator<LineResult, void, undefined> {
    for (const file of files) {
      for await (const { hasHistory, ...result } of submitFile(context, file, format ?? (file.endsWith('.json') ? 'json' : 'ndjson'), rules)) {
        counts.note(result, hasHistory);
        yield files.length === 1 ? result : { file, ...result };
      }
    }
  }
  const isDryRun = isSet(values, 'dry-run');
  try {
    await output.list(results(), files.length === 1 ? resultColumns : ['file', ...resultColumns]);
  } catch (error) {
    // All results of a request have come before more is read, so without any nothing was handed over.
    if (isDryRun || counts.taken + counts.refused === 0) throw error;
    const cannotBeRead = isAboutFile(error);
    say(`${counts.print(false)}, then it ended${cannotBeRead ? `: ${error.message}` : ''}`);
    if (cannotBeRead) return EXIT.refused;
    throw error;
  }
  say(counts.print(isDryRun));
  if (counts.conflicts > 0 && !isSet(values, 'again')) say('409 conflict: the task is there with other content; if it has ended, --again starts it with this one');
  if (counts.known > 0) say(`${counts.known} of them had more than one run, or were edited: here they begin with run 1 and edit 0, which receivers that drop repeats may know`);
  return counts.refused === 0 ? EXIT.done : EXIT.refused;
}

/** Before anything is handed over. What can be read now may fail later all the same. @throws Error of the system, UsageError */
async function checkFiles(files: readonly string[]): Promise<void> {
  for (const file of files) {
    if (file === '-') continue;
    await access(file, constants.R_OK);
    if ((await stat(file)).isDirectory()) throw new UsageError(`${file} is a folder`);
  }
}

function isAboutFile(error: unknown): error is Error {
  return error instanceof UsageError || (error instanceof Error && 'syscall' in error);
}

async function* submitFile({ client, surroundings, values, signal }: CommandContext, file: string, format: 'ndjson' | 'json', { idempotencyKey, prepare, findImported: findThere }: LineRules): AsyncGenerator<LineResult & Pick<PreparedLine, 'hasHistory'>, void, undefined> {
  const bytes: AsyncIterable<Uint8Array | string> = file === '-' ? surroundings.stdin : createReadStream(file);
  /** Of the tasks that are under way, by their place: a result names the line. */
  const lines = new Map<number, Omit<ReadLine, 'text'> & { readonly submission: string | undefined }>();
  async function* texts(): AsyncGenerator<string, void, undefined> {
    let index = 0;
    for await (const found of format === 'json' ? readValues(bytes) : readLines(bytes)) {
      const { text, ...line } = preparedLine(found, prepare);
      lines.set(index, { ...line, submission: line.isExported ? text : undefined });
      index += 1;
      // What cannot be read has no text. The service refuses this one, and the result below says why.
      yield text ?? 'null';
    }
  }
  const found = isSet(values, 'dry-run') ? checked(texts()) : client.submitLines(texts(), { signal, ...(isSet(values, 'again') ? {} : { idempotencyKey }) });
  for await (const { index, ...result } of found) {
    const line = lines.get(index);
    lines.delete(index);
    const { number = index + 1, fault, submission, hasHistory = false } = line ?? {};
    const there = result.status === CONFLICT && submission !== undefined ? await findThere?.(submission, result) : undefined;
    yield { hasHistory, line: number, ...(fault === undefined ? withoutLine(there ?? result) : { status: 400, code: 'unreadable', error: fault }) };
  }
}

/** The service counts the lines of the request, where empty ones and those of earlier requests are left out. */
function withoutLine<T extends { readonly error?: string }>(result: T): T {
  return result.error === undefined ? result : { ...result, error: result.error.replace(/ at line \d+, column /, ' at column ') };
}

/** Without the service only what is no JSON can be told. */
async function* checked(texts: AsyncIterable<string>): AsyncGenerator<SubmitResult, void, undefined> {
  let index = 0;
  for await (const text of texts) {
    yield isJson(text) ? { index, status: 200 } : { index, status: 400, code: 'invalid_json', error: 'the line is not valid JSON' };
    index += 1;
  }
}

interface ReadLine extends Line, Omit<PreparedLine, 'text'> {}

function preparedLine(line: Line, prepare: LineRules['prepare']): ReadLine {
  const plain = { ...line, isExported: false, hasHistory: false };
  if (line.text === undefined) return plain;
  try {
    return { ...plain, ...prepare(line.text) };
  } catch (error) {
    return { ...plain, text: undefined, fault: error instanceof Error ? error.message : String(error) };
  }
}

/** One value, or the elements of one array. */
async function* readValues(chunks: AsyncIterable<Uint8Array | string>): AsyncGenerator<Line, void, undefined> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    const piece = typeof chunk === 'string' ? new TextEncoder().encode(chunk) : chunk;
    bytes += piece.length;
    if (bytes > MAX_JSON_BYTES) throw new UsageError(`a JSON file must not have more than ${MAX_JSON_BYTES} bytes: write a task a line (--format ndjson)`);
    pieces.push(piece);
  }
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(pieces))) as unknown;
  } catch (error) {
    throw new UsageError(`the file is not one JSON value: ${error instanceof Error ? error.message : String(error)}. Tasks a line need --format ndjson`);
  }
  const tasks: readonly unknown[] = Array.isArray(value) ? value : [value];
  for (const [nth, task] of tasks.entries()) yield { number: nth + 1, text: JSON.stringify(task), fault: undefined };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

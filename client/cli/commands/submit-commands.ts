import { createHash } from 'node:crypto';
import { createReadStream, fstatSync, statSync } from 'node:fs';
import type { SubmitResult } from '../../answers.js';
import type { SubmittedLine } from '../../task-lines.js';
import type { Command, CommandContext, OptionRow } from '../command.js';
import { EXIT, UsageError, type ExitCode } from '../exit-codes.js';
import { findImported, submissionOf } from '../exported-line.js';
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
  again: { type: 'boolean', help: 'start tasks again that have ended since the same lines were handed over' },
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
    run: async (context) => submitFiles(context, { prepare: (text) => text }),
  },
  {
    name: 'import',
    usage: '[<file> ...]',
    help: 'hands over what export has written: each task is due when it was; a parked one starts again at once',
    options: submitOptions,
    words: [0, Infinity],
    run: async (context) => submitFiles(context, { prepare: (text) => submissionOf(text, Date.now()), findImported: (text, result) => findImported(context, text, result) }),
  },
];

interface LineRules {
  /** Makes a submission of a line. @throws Error when it cannot */
  readonly prepare: (text: string) => string;
  /** The answer to a submission that was refused, if the task is there already nevertheless. */
  readonly findImported?: (submission: string, refused: Omit<SubmitResult, 'index'>) => Promise<Omit<SubmitResult, 'index'> | undefined>;
}

async function submitFiles(context: CommandContext, rules: LineRules): Promise<ExitCode> {
  const { output, values, words, say } = context;
  const format = oneOf(values, 'format', ['ndjson', 'json']);
  const files = words.length === 0 ? ['-'] : words;
  if (files.includes('-') && context.surroundings.stdin.isTTY === true) say('reading from this terminal: a task a line, Ctrl-D ends');
  const counts = { taken: 0, refused: 0, repeated: 0 };
  async function* results(): AsyncGenerator<LineResult, void, undefined> {
    for (const file of files) {
      for await (const result of submitFile(context, file, format ?? (file.endsWith('.json') ? 'json' : 'ndjson'), rules)) {
        counts[result.status < 300 ? 'taken' : 'refused'] += 1;
        if (result.is_duplicate === true) counts.repeated += 1;
        yield files.length === 1 ? result : { file, ...result };
      }
    }
  }
  await output.list(results(), files.length === 1 ? resultColumns : ['file', ...resultColumns]);
  const repeated = counts.repeated === 0 ? '' : ` (${counts.repeated} of them before: nothing was started twice)`;
  say(`${counts.taken} ${isSet(values, 'dry-run') ? 'read' : 'handed over'}${repeated}${counts.refused === 0 ? '' : `, ${counts.refused} refused`}`);
  return counts.refused === 0 ? EXIT.done : EXIT.refused;
}

async function* submitFile({ client, surroundings, values, signal }: CommandContext, file: string, format: 'ndjson' | 'json', { prepare, findImported: findThere }: LineRules): AsyncGenerator<LineResult, void, undefined> {
  // First: a file that is not there must not be open by then.
  const flushAfterMs = isSteady(file, surroundings) ? Infinity : undefined;
  const bytes: AsyncIterable<Uint8Array | string> = file === '-' ? surroundings.stdin : createReadStream(file);
  /** Of the tasks that are under way, by their place: a result names the line. */
  const lines = new Map<number, Pick<Line, 'number' | 'fault'> & { readonly digest: string; readonly submission: string | undefined }>();
  // The same lines at the same place are the same request, whenever the command is given.
  const keyOf = (batch: readonly SubmittedLine[]): string => `cli-${digestOf([batch[0]?.index ?? 0, ...batch.map(({ index }) => lines.get(index)?.digest)].join(' '))}`;
  const keys = isSet(values, 'again') ? {} : { keyOf, flushAfterMs };
  async function* texts(): AsyncGenerator<string, void, undefined> {
    let index = 0;
    for await (const found of format === 'json' ? readValues(bytes) : readLines(bytes)) {
      const line = preparedLine(found, prepare);
      lines.set(index, { number: line.number, fault: line.fault, digest: digestOf(found.text ?? ''), submission: findThere === undefined ? undefined : line.text });
      index += 1;
      // What cannot be read has no text. The service refuses this one, and the result below says why.
      yield line.text ?? 'null';
    }
  }
  const found = isSet(values, 'dry-run') ? checked(texts()) : client.submitLines(texts(), { signal, ...keys });
  for await (const { index, ...result } of found) {
    const line = lines.get(index);
    lines.delete(index);
    const { number = index + 1, fault, submission } = line ?? {};
    const there = result.status === CONFLICT && submission !== undefined ? await findThere?.(submission, result) : undefined;
    yield fault === undefined ? { line: number, ...withoutLine(there ?? result) } : { line: number, status: 400, code: 'unreadable', error: fault };
  }
}

/** The service counts the lines of the request, where empty ones and those of earlier requests are left out. */
function withoutLine<T extends { readonly error?: string }>(result: T): T {
  return result.error === undefined ? result : { ...result, error: result.error.replace(/ at line \d+, column /, ' at column ') };
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}

/** A file is there as a whole, so it is cut into the same requests each time. From a pipe lines may come slowly, and must not wait for others. */
function isSteady(file: string, { stdin }: CommandContext['surroundings']): boolean {
  if (file !== '-') return statSync(file).isFile();
  return 'fd' in stdin && typeof stdin.fd === 'number' && fstatSync(stdin.fd).isFile();
}

/** Without the service only what is no JSON can be told. */
async function* checked(texts: AsyncIterable<string>): AsyncGenerator<SubmitResult, void, undefined> {
  let index = 0;
  for await (const text of texts) {
    yield isJson(text) ? { index, status: 200 } : { index, status: 400, code: 'invalid_json', error: 'the line is not valid JSON' };
    index += 1;
  }
}

function preparedLine(line: Line, prepare: (text: string) => string): Line {
  if (line.text === undefined) return line;
  try {
    return { ...line, text: prepare(line.text) };
  } catch (error) {
    return { ...line, text: undefined, fault: error instanceof Error ? error.message : String(error) };
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

import { userInfo } from 'node:os';
import { parseArgs } from 'node:util';
import { ApiError, NoAnswerError, WaitTimeoutError } from '../api-error.js';
import { RetryClient } from '../retry-client.js';
import { parseArgsOptions, type Command, type OptionRow, type OptionValues, type Surroundings } from './command.js';
import { commands, commonOptions } from './commands.js';
import { printCompletion } from './completion.js';
import { commandVersion } from './command-version.js';
import { doubtAboutErrorCode } from './error-codes.js';
import { EXIT, InterruptedError, NoReaderError, NotConfirmedError, OutputError, UsageError, type ExitCode } from './exit-codes.js';
import { printCommandHelp, printHelp } from './help.js';
import { didYouMeanWord } from './nearest-word.js';
import { durationOf, isSet, oneOf, textOf } from './option-values.js';
import { Output, outputForms } from './output.js';
import { Progress } from './progress.js';

const DEFAULT_URL = 'http://127.0.0.1:8080';

export interface Ends {
  /** Aborts with InterruptedError. */
  readonly interrupted: AbortSignal;
  /** Aborts with NoReaderError or OutputError. */
  readonly outputEnded: AbortSignal;
}

/**
 * Runs one command line.
 * @param args what stands behind the name of the program
 * @returns the exit code. It never throws, but for a bug of ours
 */
export async function runCommand(args: readonly string[], surroundings: Surroundings, { interrupted, outputEnded }: Ends): Promise<ExitCode> {
  const progress = new Progress(surroundings.stderr, surroundings.environment['TERM']);
  const say = (text: string): void => {
    progress.clear();
    surroundings.stderr.write(`${text}\n`);
  };
  let command: Command | undefined;
  let signal = interrupted;
  try {
    const { verb, options, words } = verbFirst(args);
    const rest = [...options, ...words];
    if (verb === '--version' || verb === '-v') {
      surroundings.stdout.write(`kafka-retry ${commandVersion()}\n`);
      return EXIT.done;
    }
    if (verb === undefined || verb === 'help' || verb === '--help' || verb === '-h') return await help(verbFirst(words.filter((word) => word !== '--help')).verb, verb === undefined, surroundings);
    if (verb === 'completion') {
      if (rest.includes('--help')) return await help(undefined, false, surroundings);
      surroundings.stdout.write(printCompletion(words[0]));
      return EXIT.done;
    }
    command = commands.find(({ name }) => name === verb);
    if (command === undefined) throw noSuchVerb(verb);
    const { values, positionals } = parsed(command, rest);
    if (isSet(values, 'help')) {
      surroundings.stdout.write(printCommandHelp(command));
      return EXIT.done;
    }
    checkWords(command, positionals);
    const doubt = doubtAboutErrorCode(values['error-code']);
    if (doubt !== undefined) say(doubt);
    const { stdout, environment } = surroundings;
    // What was begun must not stand still halfway because nobody reads the answers.
    if (command.isChange !== true) signal = AbortSignal.any([interrupted, outputEnded]);
    const output = new Output(stdout, oneOf(values, 'output', outputForms) ?? 'table', stdout.isTTY === true ? stdout.columns : undefined, signal, outputEnded, progress, say);
    const context = { client: clientOf(values, environment), output, progress, surroundings, values, words: positionals, signal, say };
    const code = await command.run(context);
    await output.flush();
    if (!(outputEnded.reason instanceof OutputError)) return code;
    say(`kafka-retry: ${outputEnded.reason.message}`);
    return code === EXIT.done ? EXIT.refused : code;
  } catch (error) {
    return codeOf(error, { command, say, signal, hasKey: nonEmpty(surroundings.environment['KAFKA_RETRY_KEY']) !== undefined });
  }
}

/** Options of every verb may stand before it, as other programs have them: `--url http://... list --state parked`, and behind an alias `--url http://... help list`. Behind `help` as well. */
function verbFirst(args: readonly string[]): { readonly verb: string | undefined; readonly options: readonly string[]; readonly words: readonly string[] } {
  let at = 0;
  for (;;) {
    const [, name = '', value] = /^--([\w-]+)(=.*)?$/s.exec(args[at] ?? '') ?? [];
    const row = Object.hasOwn(commonOptions, name) ? commonOptions[name] : undefined;
    if (row === undefined) break;
    at += row.type === 'boolean' || value !== undefined ? 1 : 2;
  }
  // Without a verb they are all that there is: only help may be asked for.
  if (at >= args.length) return { verb: args.includes('--help') ? '--help' : args[0], options: [], words: [] };
  return { verb: args[at], options: args.slice(0, at), words: args.slice(at + 1) };
}

function parsed({ options }: Command, args: readonly string[]): { readonly values: OptionValues; readonly positionals: readonly string[] } {
  const rows: Readonly<Record<string, OptionRow>> = { ...commonOptions, ...options };
  const config = { args: [...args], options: parseArgsOptions(rows), allowPositionals: true } as const;
  checkOptions(rows, parseArgs({ ...config, strict: false, tokens: true }).tokens);
  try {
    return parseArgs({ ...config, strict: true });
  } catch (error) {
    // Its errors are about what was typed.
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/**
 * parseArgs takes the last of an option that stands twice, and drops the others in silence: a condition less, and more tasks are meant. Of the options that every verb
 * takes the last one counts: a script may have put its own before.
 */
function checkOptions(rows: Readonly<Record<string, OptionRow>>, tokens: readonly { readonly kind: string; readonly name?: string; readonly rawName?: string }[]): void {
  const seen = new Set<string>();
  for (const { kind, name = '', rawName = '' } of tokens) {
    if (kind !== 'option') continue;
    const row = Object.hasOwn(rows, name) ? rows[name] : undefined;
    if (row === undefined) throw new UsageError(`there is no option ${rawName}${didYouMeanWord(rawName, Object.keys(rows).map((each) => `--${each}`))}`);
    if (seen.has(name) && row.multiple !== true && !Object.hasOwn(commonOptions, name)) throw new UsageError(`${rawName} stands there twice: give it once`);
    seen.add(name);
  }
}

function noSuchVerb(verb: string): UsageError {
  if (verb.startsWith('-')) return new UsageError(`${verb} stands where a verb is wanted: kafka-retry help lists them`);
  const near = didYouMeanWord(verb, [...commands.map(({ name }) => name), 'completion', 'help']);
  return new UsageError(`there is no verb ${JSON.stringify(verb)}${near}${near === '' ? ':' : ''} kafka-retry help lists them`);
}

function checkWords({ name, words: [least, most] = [0, 0] }: Command, given: readonly string[]): void {
  if (given.length < least) throw new UsageError(`${name} needs ${least === 1 ? 'a word' : `${least} words`} behind it`);
  if (given.length > most) throw new UsageError(`${name} takes ${most === 0 ? 'no word' : `at most ${most}`} behind it, got ${given.map((word) => JSON.stringify(word)).join(' ')}`);
  if (given.includes('')) throw new UsageError(`an empty word stands behind ${name}`);
}

function clientOf(values: OptionValues, environment: Surroundings['environment']): RetryClient {
  const url = textOf(values, 'url') ?? nonEmpty(environment['KAFKA_RETRY_URL']) ?? DEFAULT_URL;
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url)) throw new UsageError(`--url must be an http or https url, got ${JSON.stringify(url)}`);
  const apiKey = nonEmpty(environment['KAFKA_RETRY_KEY']);
  const timeoutMs = durationOf(values, 'request-timeout');
  return new RetryClient({
    url,
    operator: textOf(values, 'operator') ?? nonEmpty(environment['KAFKA_RETRY_OPERATOR']) ?? loginName(),
    ...(apiKey === undefined ? {} : { apiKey }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });
}

function loginName(): string {
  try {
    return userInfo().username;
  } catch {
    return 'kafka-retry'; // the process has a number of a user that no name belongs to
  }
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === undefined || text === '' ? undefined : text;
}

async function help(verb: string | undefined, isMistake: boolean, { stdout, stderr }: Surroundings): Promise<ExitCode> {
  const command = commands.find(({ name }) => name === verb);
  if (verb !== undefined && command === undefined) throw noSuchVerb(verb);
  const text = command === undefined ? printHelp() : printCommandHelp(command);
  (isMistake ? stderr : stdout).write(text);
  return isMistake ? EXIT.usage : EXIT.done;
}

/** The code of an answer that is none of this service. */
const UNKNOWN = 'unknown';

/** A proxy in front of the service refuses in its own words what is too large or not allowed, and would again. A 404 is of another program. */
function isRefusal(status: number): boolean {
  return status >= 400 && status < 500 && status !== 404;
}

/** The service answers alike without a key and with a wrong one; the command knows which it is. */
function keyWanted(hasKey: boolean): string {
  return hasKey ? 'the key in KAFKA_RETRY_KEY is not valid: it is mistyped, or was revoked or replaced, or has expired' : 'this service wants an access key: set KAFKA_RETRY_KEY';
}

/** What a person reads of a failure, and the exit code. */
function codeOf(thrown: unknown, { command, say, signal, hasKey }: { readonly command: Command | undefined; readonly say: (text: string) => void; readonly signal: AbortSignal; readonly hasKey: boolean }): ExitCode {
  // What was aborted fails in many ways; why it was aborted is the reason of the signal.
  const error: unknown = signal.aborted ? signal.reason : thrown;
  if (error instanceof NoReaderError) return EXIT.done;
  if (error instanceof InterruptedError) return EXIT.interrupted;
  if (error instanceof UsageError) {
    say(`kafka-retry: ${error.message}`);
    if (command !== undefined) say(`Usage: kafka-retry ${command.name} ${command.usage}`.trimEnd());
    return EXIT.usage;
  }
  if (!(error instanceof Error)) throw error;
  if (error instanceof NotConfirmedError) {
    say(error.message);
    return EXIT.notConfirmed;
  }
  if (error instanceof OutputError) {
    say(`kafka-retry: ${error.message}`);
    return EXIT.refused;
  }
  if (error instanceof RangeError) {
    say(`kafka-retry: ${error.message}`);
    return EXIT.usage;
  }
  if (error instanceof WaitTimeoutError) {
    say(`kafka-retry: ${error.message}`);
    return EXIT.timedOut;
  }
  if (error instanceof NoAnswerError) {
    say(`kafka-retry: ${error.message}`);
    return EXIT.noAnswer;
  }
  if (error instanceof ApiError && error.code === UNKNOWN && isRefusal(error.status)) {
    say(`kafka-retry: ${error.message}: a proxy in front of it may have refused this, or the url is wrong (--url, KAFKA_RETRY_URL)`);
    return EXIT.refused;
  }
  if (error instanceof ApiError && error.code === UNKNOWN) {
    say(`kafka-retry: ${error.message}: is the url right (--url, KAFKA_RETRY_URL)?`);
    return EXIT.noAnswer;
  }
  if (error instanceof ApiError) {
    say(`kafka-retry: ${error.code === 'unauthenticated' ? keyWanted(hasKey) : error.message} (${error.code}${error.requestId === null ? '' : `, request ${error.requestId}`})`);
    for (const { field, message } of error.details) if (!error.message.includes(message)) say(`  ${field}: ${message}`);
    if (error.status === 404) return EXIT.notFound;
    return error.status === 503 ? EXIT.noAnswer : EXIT.refused;
  }
  if ('syscall' in error) {
    // A file that is not there, or must not be read.
    say(`kafka-retry: ${error.message}`);
    return EXIT.usage;
  }
  throw error;
}

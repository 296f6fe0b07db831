import type { Command, OptionRow } from './command.js';
import { commands, commonOptions, completionShells } from './commands.js';

/** No option has it: every user of a machine can read the command lines of its programs. */
const KEY = '\nFrom the environment alone:\n  KAFKA_RETRY_KEY  the access key, where the service asks for one\n';

const HEAD = `Usage: kafka-retry <verb> [options]

Asks a running service, and changes what it is asked to. Standard output holds data alone; what is said to you goes to standard error.
`;

export function printHelp(): string {
  const verbs = commands.map(({ name, help }) => [name, help] as const);
  return `${HEAD}\n${columns([...verbs, ['completion', `prints a script for a shell: ${completionShells.join(', ')}`], ['help', 'this, or how one verb is used: help list'], ['--version', 'of this command']])}\nOptions of every verb:\n${optionLines(commonOptions)}${KEY}`;
}

export function printCommandHelp({ name, usage, help, options }: Command): string {
  const own = Object.keys(options).length === 0 ? '' : `\nOptions:\n${optionLines(options)}`;
  return `Usage: kafka-retry ${name}${usage === '' ? '' : ` ${usage}`}\n\n${help.slice(0, 1).toUpperCase()}${help.slice(1)}.\n${own}\nOptions of every verb:\n${optionLines(commonOptions)}${KEY}`;
}

function optionLines(rows: Readonly<Record<string, OptionRow>>): string {
  return columns(Object.entries(rows).map(([name, { value, help }]) => [`--${name}${value === undefined ? '' : ` ${value}`}`, help] as const));
}

function columns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}\n`).join('');
}

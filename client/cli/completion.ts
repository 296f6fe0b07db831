import type { OptionRow } from './command.js';
import { commands, commonOptions, completionShells } from './commands.js';
import { UsageError } from './exit-codes.js';

const optionsOf = (name: string): Readonly<Record<string, OptionRow>> => ({ ...commands.find((each) => each.name === name)?.options, ...commonOptions });
const verbs = [...commands.map(({ name }) => name), 'completion', 'help'];

/** A script that completes verbs, options, and the words of those that take certain words. @throws UsageError */
export function printCompletion(shell: string | undefined): string {
  switch (shell) {
    case 'bash':
      return bash();
    case 'zsh':
      return `#compdef kafka-retry\nautoload -U +X bashcompinit && bashcompinit\n${bash()}`;
    case 'fish':
      return fish();
    default:
      throw new UsageError(`say for which shell: ${completionShells.join(', ')}`);
  }
}

function bash(): string {
  const options = commands.map(({ name }) => `    ${name}) words="${Object.keys(optionsOf(name)).map((each) => `--${each}`).join(' ')}" ;;`);
  const values = new Map<string, string>();
  for (const { name } of commands) for (const [option, { words }] of Object.entries(optionsOf(name))) if (words !== undefined) values.set(`${name}:--${option}`, words.join(' '));
  const cases = [...values].map(([where, words]) => `    ${where}) COMPREPLY=($(compgen -W "${words}" -- "$current")); return ;;`);
  return `_kafka_retry() {
  local current="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" words=""
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then COMPREPLY=($(compgen -W "${verbs.join(' ')}" -- "$current")); return; fi
  case "\${COMP_WORDS[1]}:$before" in
${cases.join('\n')}
    completion:*) COMPREPLY=($(compgen -W "${completionShells.join(' ')}" -- "$current")); return ;;
    help:*) COMPREPLY=($(compgen -W "${verbs.join(' ')}" -- "$current")); return ;;
  esac
  case "\${COMP_WORDS[1]}" in
${options.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _kafka_retry kafka-retry
`;
}

function fish(): string {
  const lines = ['complete -c kafka-retry -f', ...commands.map(({ name, help }) => `complete -c kafka-retry -n __fish_use_subcommand -a ${name} -d ${quoted(help)}`)];
  for (const { name } of commands) {
    for (const [option, { help, type, words }] of Object.entries(optionsOf(name))) {
      lines.push(`complete -c kafka-retry -n '__fish_seen_subcommand_from ${name}' -l ${option} -d ${quoted(help)}${type === 'string' ? ' -r' : ''}${words === undefined ? '' : ` -a ${quoted(words.join(' '))}`}`);
    }
  }
  lines.push(`complete -c kafka-retry -n '__fish_seen_subcommand_from completion' -a ${quoted(completionShells.join(' '))}`);
  return `${lines.join('\n')}\n`;
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

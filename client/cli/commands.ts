import type { Command, OptionRow } from './command.js';
import { actionCommands } from './commands/action-commands.js';
import { destinationCommands } from './commands/destination-commands.js';
import { exportCommand } from './commands/export-command.js';
import { listenCommand } from './commands/listen-command.js';
import { serviceCommands } from './commands/service-commands.js';
import { submitCommands } from './commands/submit-commands.js';
import { tailCommand } from './commands/tail-command.js';
import { taskCommands } from './commands/task-commands.js';
import { outputForms } from './output.js';

/** All verbs. The help, the shell completion and docs/CLI.md follow from these rows. */
export const commands: readonly Command[] = [...submitCommands, ...taskCommands, tailCommand, exportCommand, ...actionCommands, ...destinationCommands, ...serviceCommands, listenCommand];

/** Options that every verb takes. */
export const commonOptions: Readonly<Record<string, OptionRow>> = {
  url: { type: 'string', value: '<url>', help: 'where the service is; KAFKA_RETRY_URL, else http://127.0.0.1:8080' },
  operator: { type: 'string', value: '<name>', help: 'who you are, for the audit; KAFKA_RETRY_OPERATOR, else the name of your login' },
  reason: { type: 'string', value: '<text>', help: 'why you change something, for the audit' },
  output: { type: 'string', value: '<form>', help: 'table (default), json or ndjson', words: outputForms },
  'request-timeout': { type: 'string', value: '<length>', help: 'longest time of one request; 10s by default. What takes the service long has 30s at least, many tasks 60s' },
  help: { type: 'boolean', help: 'how the verb is used' },
};

export const completionShells = ['bash', 'zsh', 'fish'] as const;

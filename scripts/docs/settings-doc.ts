import { variables, type VariableName } from '../../shared/config/schema.js';
import type { Variable } from '../../shared/config/variable-kinds.js';
import { NOTICE, table } from './page-parts.js';

/** How ENVIRONMENT.md is divided; a variable belongs to the first group whose pattern fits its name. */
const variableGroups: readonly (readonly [title: string, names: RegExp])[] = [
  ['The process', /^(ENVIRONMENT|LOG_LEVEL|SHUTDOWN_TIMEOUT|SHUTDOWN_DELAY)$/],
  ['Metrics and probes', /^(METRICS_TOKEN|WORKER_HTTP_PORT)$/],
  ['HTTP API', /^(HTTP_|ALLOWED_HOSTS$|AUTH$|BOOTSTRAP_API_KEY$|SESSION_|WRONG_KEYS_PER_SECOND$|MAX_ACCESS_KEYS$|MAX_QUOTA_CLIENTS$|MAX_SESSIONS_PER_KEY$|MAX_CREDENTIALS$|MAX_LIVE_BULK_ACTIONS(_PER_KEY)?$|TEST_SENDS_PER_MINUTE$|SECRETS_KEYS$|MAX_MESSAGE_BYTES$|MAX_BATCH_)/],
  ['Redis', /^(REDIS_|QUEUE_PREFIX$)/],
  ['Kafka', /^KAFKA_/],
  ['Delivery', /^(WORKERS|WORKER_CONCURRENCY|DELIVERY_TIMEOUT|RETRY_JITTER|SECRET_PATH_HOSTS)$|^DEAD_(ATTEMPTS|BASE_DELAY|MAX_DELAY)$/],
  ['Destinations in trouble', /^FLOW_/],
  ['Crashed workers, and faults of ours', /^(LOCK_|STALL_|RELEASE_)/],
  ['How long finished tasks are kept', /^(DELIVERED_|DEAD_LETTER_)/],
  ['Other', /./],
];

/** What most people set first: the table in OPERATIONS.md. The rest stands in ENVIRONMENT.md. */
export const commonVariables = [
  'HTTP_HOST',
  'HTTP_PORT',
  'ALLOWED_HOSTS',
  'AUTH',
  'BOOTSTRAP_API_KEY',
  'SECRETS_KEYS',
  'REDIS_ADDR',
  'REDIS_PASSWORD',
  'KAFKA_BROKERS',
  'WORKERS',
  'WORKER_CONCURRENCY',
  'DELIVERY_TIMEOUT',
  'MAX_MESSAGE_BYTES',
  'DEAD_ATTEMPTS',
  'SHUTDOWN_TIMEOUT',
  'WORKER_HTTP_PORT',
  'METRICS_TOKEN',
  'DELIVERED_RETENTION',
  'DEAD_LETTER_RETENTION',
  'ENVIRONMENT',
  'LOG_LEVEL',
] as const satisfies readonly VariableName[];

export function environmentDoc(): string {
  const names = Object.keys(variables) as VariableName[];
  const groupOf = (name: VariableName): string | undefined => variableGroups.find(([, pattern]) => pattern.test(name))?.[0];
  const sections = variableGroups.flatMap(([title]) => {
    const members = names.filter((name) => groupOf(name) === title);
    return members.length === 0 ? [] : [`## ${title}\n\n${variableTable(members)}`];
  });
  return `${[
    '# Environment variables',
    NOTICE,
    [
      'Source: `shared/config/schema.ts`. Every variable is checked at start. A wrong one stops the start with exit code 78;',
      'all wrong ones are named at once. A secret is never printed. A variable set to the empty text counts as not set.',
      'Instead of a secret `NAME`, `NAME_FILE` may name a file that holds it: one line break at its end is cut, and it must not be empty.',
      'A variable that is none of these and looks like a misspelt one is named in a warning, with the one that was probably meant.',
    ].join('\n'),
    ...sections,
  ].join('\n\n')}\n`;
}

export function variableTable(names: readonly VariableName[]): string {
  return table(
    ['variable', 'default', 'allowed', 'meaning'],
    names.map((name) => {
      const { fallback, allowed, meaning, isSecret }: Variable<unknown> = variables[name];
      return [`\`${name}\``, fallback === undefined ? '-' : `\`${fallback}\``, isSecret === true ? `${allowed} (secret)` : allowed, meaning];
    }),
  );
}

import { destinationTypeNames, rowOf } from '../../shared/domain/destinations/destination.js';
import type { DestinationField } from '../../shared/domain/destinations/destination-row.js';
import type { FieldCheck } from '../../shared/domain/field-check.js';
import { taskFieldRows, type BoundField } from '../../shared/domain/task/task-fields.js';
import { NOTICE, table } from './page-parts.js';

export function taskFieldsDoc(): string {
  return `${[
    '# Fields of a task',
    NOTICE,
    [
      'Source: `shared/domain/task/task-fields.ts` and `shared/domain/destinations/`. A field that is not listed here is refused, and so is',
      'a number or boolean written as text. All that is wrong is answered at once.',
    ].join('\n'),
    [
      '*Content* says whether the field counts when an id is sent again while its task is not finished: with the same content the answer',
      'is 200, with another one 409 `conflict`.',
    ].join('\n'),
    '## The task',
    table(['field', 'needed', 'allowed', 'default', 'content', 'meaning'], taskFieldRows.flatMap(taskFieldCells)),
    '`attempt` is taken from older clients, and means nothing.',
    ...destinationTypeNames.flatMap((type) => [
      `## \`destination\` and \`dead_destination\` of type \`${type}\``,
      table(
        ['field', 'needed', 'allowed', 'meaning'],
        Object.entries<DestinationField>(rowOf(type).fields).map(([name, { check, isRequired, doc }]) => [`\`${name}\``, isRequired ? 'yes' : 'no', allowedBy(check), doc]),
      ),
    ]),
  ].join('\n\n')}\n`;
}

function taskFieldCells({ wire, presence, check: anyCheck, fallback = '-', content, doc }: BoundField): string[][] {
  const check = typeof anyCheck === 'function' ? anyCheck({ maxMessageBytes: 0, defaultJitter: 'none' }) : anyCheck;
  const needed = { always: 'yes', optional: 'no', unless_parked: 'unless `on_exhausted` is `park`' }[presence];
  const isContent = content === 'none' ? 'no' : 'yes';
  if (check.kind !== 'destination') return [[`\`${wire}\``, needed, allowedBy(check), fallback, isContent, doc]];
  const types = destinationTypeNames.map((type) => `\`${type}\``).join(', ');
  return [
    [`\`${check.typeField}\``, check.elseTypeField === undefined ? 'yes' : 'no', types, check.elseTypeField === undefined ? '-' : `\`${check.elseTypeField}\``, isContent, check.typeDoc],
    [`\`${wire}\``, needed, 'an object, see below', fallback, isContent, doc],
  ];
}

function allowedBy(check: FieldCheck): string {
  switch (check.kind) {
    case 'text':
    case 'texts_by_name':
      return check.allowed;
    case 'number': {
      const { above, min = 0, max, isWhole = false } = check;
      const from = above === undefined ? `${min} to ${max}` : `above ${above}, at most ${max}`;
      return isWhole ? `whole number, ${from}` : `number, ${from}`;
    }
    case 'boolean':
      return '`true`, `false`';
    case 'choice':
      return check.choices.map((choice) => `\`${choice}\``).join(', ');
    case 'port':
      return '1 to 65535, as a number or as text';
  }
}

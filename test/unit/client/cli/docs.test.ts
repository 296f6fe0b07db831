import { expect } from 'chai';

import { commands, commonOptions } from '../../../../client/cli/commands.js';
import { errorCodes } from '../../../../client/cli/error-codes.js';
import { EXIT } from '../../../../client/cli/exit-codes.js';
import { deliveryErrors } from '../../../../shared/domain/errors.js';
import { readText } from '../../docs/repository-file.js';

const page = readText('docs/CLI.md');

function firstCells(head: string): string[] {
  const [, rows = ''] = new RegExp(`\\| ${head} \\|[^\\n]*\\n\\|[-|]+\\n((?:\\|[^\\n]*\\n)+)`).exec(page) ?? [];
  return rows.split('\n').filter((row) => row !== '').map((row) => row.split('|')[1]?.trim() ?? '');
}

describe('docs/CLI.md', () => {
  it('lists every verb, and no other', () => {
    const listed = new Set(firstCells('verb').flatMap((cell) => [...cell.matchAll(/`([\w-]+)`/g)].map(([, name]) => name)));
    expect([...listed]).to.have.members(commands.map(({ name }) => name));
  });

  it('lists every exit code', () => {
    expect(firstCells('code').map(Number)).to.deep.equal(Object.values(EXIT));
  });

  it('shows options that there are', () => {
    const shown = [...page.matchAll(/kafka-retry ([\w-]+)((?: [^`\n]*)?)/g)];
    const uses = shown.flatMap(([, verb = '', rest = '']) => [...rest.matchAll(/--([\w-]+)/g)].map(([, option = '']) => [verb, option] as const));
    expect(uses.length).to.be.greaterThan(10);
    for (const [verb, option] of uses) {
      const command = commands.find(({ name }) => name === verb);
      expect({ ...commonOptions, ...command?.options }, `${verb} --${option}`).to.have.property(option);
    }
  });
});

describe('the error codes that the command line completes', () => {
  it('are those of the service', () => { expect(errorCodes).to.have.members(Object.keys(deliveryErrors)); });
});

describe('the verbs of the command line', () => {
  it('have no option of their own under the name of one that all have', () => {
    for (const { name, options } of commands) for (const option of Object.keys(options)) expect(commonOptions, `${name} --${option}`).to.not.have.property(option);
  });
});

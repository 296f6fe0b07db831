import path from 'node:path';
import { pathToFileURL } from 'node:url';

import { expect } from 'chai';
import openapiTypes, { astToString } from 'openapi-typescript';
import ts from 'typescript';

import { createTaskParser } from '../../../server/tasks/schema.js';
import { RequestError } from '../../../shared/domain/errors.js';
import { requestViolations } from '../../support/contract.js';
import { readText } from './repository-file.js';

const root = path.resolve(import.meta.dirname, '../../..');
const folder = path.join(root, 'test/contract-types');
/** What the files import as `./contract.js`; it is made here and never written. */
const contractFile = path.join(folder, 'contract.ts');
const sources = ['good-tasks.ts', 'bad-tasks.ts'].map((name) => path.join(folder, name));
const parseTask = createTaskParser({ maxMessageBytes: 1_048_576, defaultJitter: 'none' });

/** What the compiler of this project says of the files. */
function complaints(contract: string): string[] {
  const { config } = ts.readConfigFile(path.join(root, 'tsconfig.json'), (file) => ts.sys.readFile(file)) as { config: { compilerOptions: object } };
  const { options } = ts.convertCompilerOptionsFromJson({ ...config.compilerOptions, rootDir: root, noEmit: true, declaration: false }, root);
  const disk = ts.createCompilerHost(options);
  const host: ts.CompilerHost = {
    ...disk,
    fileExists: (file) => file === contractFile || disk.fileExists(file),
    readFile: (file) => (file === contractFile ? contract : disk.readFile(file)),
    getSourceFile: (file, version, ...rest) => (file === contractFile ? ts.createSourceFile(file, contract, version) : disk.getSourceFile(file, version, ...rest)),
  };
  const program = ts.createProgram(sources, options, host);
  return ts.getPreEmitDiagnostics(program).map(({ file, start, messageText }) => {
    const line = file === undefined || start === undefined ? 0 : file.getLineAndCharacterOfPosition(start).line + 1;
    return `${path.basename(file?.fileName ?? '')}:${line} ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
  });
}

/** The tasks of one of the files, as plain values: its types are of no use without the contract. */
async function tasksOf(file: string, name: string): Promise<unknown[]> {
  const module = (await import(pathToFileURL(path.join(folder, file)).href)) as Record<string, unknown[]>;
  return module[name] ?? [];
}

describe('the types that openapi-typescript makes of docs/openapi.yaml', function () {
  this.timeout(60_000);

  let contract: string;

  before(async () => {
    contract = astToString(await openapiTypes(pathToFileURL(path.join(root, 'docs/openapi.yaml'))));
  });

  it('compile the good tasks, and refuse each of the bad tasks', () => {
    expect(complaints(contract)).to.deep.equal([]);
    expect(readText('test/contract-types/bad-tasks.ts').match(/@ts-expect-error/g)?.length).to.be.greaterThan(20);
  });

  it('are what refuses them: with types that take anything, each line of bad tasks is a complaint', () => {
    const anything = 'export interface components { schemas: Record<string, any> & { Attempt: any } }';
    const unused = complaints(anything).filter((text) => text.startsWith('bad-tasks.ts') && text.includes('Unused'));
    expect(unused).to.have.lengthOf(readText('test/contract-types/bad-tasks.ts').match(/^ +\/\/ @ts-expect-error/gm)?.length ?? 0);
  });
});

describe('the tasks of test/contract-types', () => {
  it('are accepted by the schema and by the service, where they are good', async () => {
    const tasks = await tasksOf('good-tasks.ts', 'goodTasks');
    expect(tasks.length).to.be.greaterThan(10);
    for (const task of tasks) {
      expect(requestViolations('POST', '/tasks', task), JSON.stringify(task)).to.deep.equal([]);
      expect(() => parseTask(task), JSON.stringify(task)).to.not.throw();
    }
  });

  it('are refused by the schema and by the service, where they are bad', async () => {
    const tasks = await tasksOf('bad-tasks.ts', 'badTasks');
    expect(tasks.length).to.be.greaterThan(10);
    for (const task of tasks) {
      expect(requestViolations('POST', '/tasks', task), JSON.stringify(task)).to.not.deep.equal([]);
      expect(() => parseTask(task), JSON.stringify(task)).to.throw(RequestError);
    }
  });
});

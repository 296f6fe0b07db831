import { expect } from 'chai';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const root = path.resolve(import.meta.dirname, '../..');
const sources = path.join(import.meta.dirname, 'null-destination');
const run = promisify(execFile);

/** A line of the copy, or how it begins, and the one that a new type puts before it. */
type NewLine = readonly [file: string, before: string, line: string];

const row: readonly NewLine[] = [
  ['shared/domain/destinations/destination.ts', "import { kafkaType } from './kafka.js';", "import { nullType } from './null.js';"],
  ['shared/domain/destinations/destination.ts', '  http: httpType,', '  null: nullType,'],
];
const adapter: readonly NewLine[] = [
  ['workers/adapters/registry.ts', "import { createHttpAdapter } from './http/http-adapter.js';", "import { createNullAdapter } from './null/null-adapter.js';"],
  ['workers/adapters/registry.ts', '    http: createHttpAdapter(', '    null: createNullAdapter(),'],
];

describe('a new type of destination', function () {
  this.timeout(180_000);
  let copy = '';

  before(async () => {
    copy = await mkdtemp(path.join(tmpdir(), 'krs-null-'));
    for (const part of ['shared', 'server', 'workers', 'test', 'docs', 'scripts', 'package.json', 'tsconfig.json']) await cp(path.join(root, part), path.join(copy, part), { recursive: true });
    await symlink(path.join(root, 'node_modules'), path.join(copy, 'node_modules'));
    await take('null.ts.txt', 'shared/domain/destinations/null.ts');
    await add(row);
  });
  after(async () => {
    await rm(copy, { recursive: true, force: true });
  });

  async function take(from: string, to: string): Promise<void> {
    await mkdir(path.dirname(path.join(copy, to)), { recursive: true });
    await cp(path.join(sources, from), path.join(copy, to));
  }

  async function add(lines: readonly NewLine[]): Promise<void> {
    for (const [file, before, line] of lines) await change(file, before, `${line}\n${before}`);
  }

  async function change(file: string, from: string, to: string): Promise<void> {
    const text = await readFile(path.join(copy, file), 'utf8');
    expect(text, file).to.include(from);
    await writeFile(path.join(copy, file), text.replace(from, to));
  }

  /** @returns what the compiler says; empty when it has nothing to say */
  async function compile(): Promise<string> {
    const config = { extends: './tsconfig.json', compilerOptions: { noEmit: true, allowJs: true, checkJs: false, types: ['node', 'mocha'], lib: ['ES2023', 'ES2024.String', 'DOM'] }, include: ['server', 'workers', 'shared', 'test/contract/null.test.ts'] };
    await writeFile(path.join(copy, 'tsconfig.null.json'), JSON.stringify(config));
    const { output } = await runNode([path.join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.null.json']);
    return output;
  }

  async function runNode(args: readonly string[]): Promise<{ hasFailed: boolean; output: string }> {
    try {
      return { hasFailed: false, output: (await run(process.execPath, args, { cwd: copy })).stdout };
    } catch (error) {
      if (error instanceof Error && 'stdout' in error && typeof error.stdout === 'string') return { hasFailed: true, output: error.stdout };
      throw error;
    }
  }

  it('does not compile without an adapter, and with letters of the old types in its stored form; nothing else is missing', async () => {
    await change('shared/domain/destinations/null.ts', '{ n: name }', '{ t: name }');
    const said = await compile();
    await change('shared/domain/destinations/null.ts', '{ t: name }', '{ n: name }');
    const complaints = said.split('\n').filter((line) => /^\S/.test(line));
    expect(complaints.map((line) => line.replace(/\(.*/, ''))).to.have.members(['shared/domain/destinations/null.ts', 'workers/adapters/registry.ts']);
    expect(complaints.join('\n')).to.include("Property 'null' is missing");
  });

  it('compiles with one row and one adapter, passes the contract of every destination, and delivers', async () => {
    await take('null-adapter.ts.txt', 'workers/adapters/null/null-adapter.ts');
    await add(adapter);
    await take('null.test.ts.txt', 'test/contract/null.test.ts');
    expect(await compile()).to.equal('');

    const mocha = path.join(root, 'node_modules/mocha/bin/mocha.js');
    const { hasFailed, output } = await runNode(['--import=tsx', mocha, '--no-config', '--reporter', 'dot', '--timeout', '30000', 'test/contract/null.test.ts']);
    expect(hasFailed, output).to.equal(false);
    expect(output).to.match(/\d\d passing/);
  });
});

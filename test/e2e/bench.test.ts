import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

import { expect } from 'chai';

import type { Results } from '../bench/results-file.js';

const execFileAsync = promisify(execFile);
const root = path.resolve(import.meta.dirname, '../..');

describe('npm run bench', function () {
  // On two cores that do nothing else it takes 4 s.
  this.timeout(150_000);

  let folder: string;
  let file: string;

  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'bench-run-'));
    file = path.join(folder, 'results.json');
  });
  after(() => rm(folder, { recursive: true, force: true }));

  async function bench(...args: readonly string[]): Promise<string> {
    // A Redis of its own: it is emptied, and this run's is shared.
    const { stdout } = await execFileAsync(process.execPath, ['scripts/bench.mjs', ...args, '--results', file], { cwd: root, timeout: 140_000 });
    return stdout;
  }

  // Its speed is not checked here: other tests share the machine.
  it('measures the service beside its baseline, prints the table and writes the file', async () => {
    const printed = await bench('--quick', 'delivery', '--only', 'waiting-memory');
    // Our own file.
    const { benchmarks } = JSON.parse(await readFile(file, 'utf8')) as Results;
    expect(benchmarks).to.have.all.keys('delivery', 'waiting-memory');
    const figures = Object.values(benchmarks).flatMap((result) => result.figures);
    expect(figures.map(({ figure }) => figure)).to.deep.equal([
      'delivered/s, attempt line logged',
      'delivered/s, LOG_LEVEL=warn',
      'Redis CPU per delivered task',
      'Redis memory per waiting task, 1 KB message',
    ]);
    for (const { figure, product, ratio } of figures) {
      expect(product, figure).to.be.above(0);
      expect(ratio, figure).to.be.above(0);
      expect(printed).to.include(`| ${figure} `);
    }
    expect(benchmarks['delivery']?.command).to.match(/^npm run bench -- --quick delivery --only waiting-memory/);
  });

  it('refuses a benchmark that there is not, and names those that there are', async () => {
    const refusal = await bench('--only', 'dilevery').then(() => 'none', (error: unknown) => (error as { stderr: string }).stderr);
    expect(refusal).to.include('no such benchmark: dilevery').and.include('waiting-memory');
  });
});

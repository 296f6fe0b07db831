import { readdirSync } from 'node:fs';
import path from 'node:path';

import { expect } from 'chai';

import { selectTests } from '../../../scripts/run-tests/test-selection.mjs';

const root = path.resolve(import.meta.dirname, '../../..');

const filesOf = ({ rounds }: ReturnType<typeof selectTests>): string[] => rounds.flatMap(({ files }) => files);

describe('the choice of tests', () => {
  it('runs every file of test/ once, in whichever round of the whole run', () => {
    const all = readdirSync(path.join(root, 'test'), { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.test.ts')).map((file) => path.join('test', file));
    expect(all.length).to.be.above(100);
    expect(filesOf(selectTests([])).sort()).to.deep.equal(all.sort());
    expect(filesOf(selectTests(['--grep', 'caps']))).to.have.lengthOf(all.length);
  });

  it('runs alone, and last, the tests whose limits are about times', () => {
    const { rounds } = selectTests([]);
    expect(rounds.map(({ lanes }) => lanes)).to.satisfy(([most = 0, inTime = 0, alone]: number[]) => most >= inTime && inTime <= 2 && alone === 1);
    expect(rounds[1]?.files).to.include('test/integration/workers/flow-control/limits.test.ts').and.not.to.include('test/chaos/neighbours/callers.test.ts');
    expect(rounds[2]?.files).to.include('test/chaos/neighbours/callers.test.ts');
    expect(rounds[0]?.files).to.include('test/chaos/neighbours/slow-readers.test.ts');
  });

  it('begins with what takes long, and ends with what is quick', () => {
    const files = selectTests([]).rounds[0]?.files ?? [];
    expect(files[0]).to.match(/^test\/topology\//);
    expect(files.at(-1)).to.match(/^test\/unit\//);
  });

  it('runs chosen folders and files one after the other, in the order of the folders', () => {
    const selection = selectTests(['topology', 'unit', '--grep', 'caps']);
    expect(selection.rounds).to.have.lengthOf(1);
    const files = filesOf(selection);
    expect(files[0]).to.match(/^test\/unit\//);
    expect(files.at(-1)).to.match(/^test\/topology\//);
    expect([...selection.servers]).to.deep.equal(['redis', 'redis-6.2']);
    expect(selection.mochaArgs).to.deep.equal(['--grep', 'caps']);
  });

  it('refuses a name that is neither a folder nor a file', () => {
    expect(() => selectTests(['no-such-folder'])).to.throw('neither a folder of tests');
  });
});

import { readdirSync } from 'node:fs';
import path from 'node:path';

import { expect } from 'chai';

import { selectTests } from '../../../scripts/run-tests/test-selection.mjs';

const root = path.resolve(import.meta.dirname, '../../..');

describe('the choice of tests', () => {
  it('runs every file of test/ once, in whichever part of the whole run', () => {
    const all = readdirSync(path.join(root, 'test'), { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.test.ts')).map((file) => path.join('test', file));
    expect(all.length).to.be.above(100);
    expect(selectTests([]).rounds.flat(2).sort()).to.deep.equal(all.sort());
    expect(selectTests(['--grep', 'caps']).rounds.flat(2)).to.have.lengthOf(all.length);
  });

  it('runs alone, and last, the tests whose limits are about times', () => {
    const alone = selectTests([]).rounds.at(-1) ?? [];
    expect(alone).to.have.lengthOf(1);
    expect(alone[0]).to.include('test/chaos/neighbours/callers.test.ts').and.to.include('test/integration/workers/flow-control/limits.test.ts');
  });

  it('runs chosen folders and files in one part, in the order of the folders', () => {
    const { rounds, servers, mochaArgs } = selectTests(['topology', 'unit', '--grep', 'caps']);
    expect(rounds).to.have.lengthOf(1);
    expect(rounds[0]).to.have.lengthOf(1);
    const files = rounds[0]?.[0] ?? [];
    expect(files[0]).to.match(/^test\/unit\//);
    expect(files.at(-1)).to.match(/^test\/topology\//);
    expect([...servers]).to.deep.equal(['redis']);
    expect(mochaArgs).to.deep.equal(['--grep', 'caps']);
  });

  it('refuses a name that is neither a folder nor a file', () => {
    expect(() => selectTests(['no-such-folder'])).to.throw('neither a folder of tests');
  });
});

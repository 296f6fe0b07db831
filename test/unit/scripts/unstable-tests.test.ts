import { expect } from 'chai';

import { describeFailures, filesToRunAlone } from '../../../scripts/run-tests/unstable-tests.mjs';

const failed = (file: string): { file: string; title: string; error: string } => ({ file, title: `the title of ${file}`, error: 'Error: late\n    at here' });

describe('tests that fail in the whole run', () => {
  it('are run again, each file once, when they are few', () => {
    const tests = [failed('test/chaos/a.test.ts'), failed('test/chaos/a.test.ts'), failed('test/topology/b.test.ts')];
    expect(filesToRunAlone(tests)).to.deep.equal(['test/chaos/a.test.ts', 'test/topology/b.test.ts']);
  });

  it('stand when one of them needs no server', () => {
    expect(filesToRunAlone([failed('test/chaos/a.test.ts'), failed('test/unit/b.test.ts')])).to.deep.equal([]);
  });

  it('stand when they are in many files, or in none', () => {
    const files = ['a', 'b', 'c', 'd'].map((name) => failed(`test/e2e/${name}.test.ts`));
    expect(filesToRunAlone(files.slice(0, 3))).to.have.lengthOf(3);
    expect(filesToRunAlone(files)).to.deep.equal([]);
    expect(filesToRunAlone([...files.slice(0, 1), failed('(no file)')])).to.deep.equal([]);
  });

  it('are named with file and error', () => {
    expect(describeFailures('Failed tests:', [failed('test/e2e/a.test.ts')])).to.equal(
      '\nFailed tests:\n  the title of test/e2e/a.test.ts\n    test/e2e/a.test.ts\n      Error: late\n          at here',
    );
  });
});

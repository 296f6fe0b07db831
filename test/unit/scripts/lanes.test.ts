import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { expect } from 'chai';

import { runInLanes } from '../../../scripts/run-tests/lanes.mjs';

describe('tests that run side by side', () => {
  let dir: string;
  before(async () => { dir = await mkdtemp(path.join(tmpdir(), 'lanes-')); });
  after(() => rm(dir, { recursive: true }));

  const run = async (contents: Readonly<Record<string, string>>, lanes: number): Promise<Awaited<ReturnType<typeof runInLanes>> & { output: string }> => {
    const files = Object.keys(contents).map((name) => path.join(dir, `${name}.test.mjs`));
    await Promise.all(Object.values(contents).map((content, nth) => writeFile(files[nth] ?? '', content)));
    let output = '';
    const servers = { dir, env: {}, chartTools: () => Promise.resolve({}), endWithUs: () => undefined, stop: () => Promise.resolve() };
    const ended = await runInLanes({ files, lanes, servers, signal: new AbortController().signal, name: 'tried', print: (text) => { output += text; } });
    return { ...ended, output };
  };

  it('are all run and counted, and what each file writes stands together', async () => {
    const passing = (name: string): string => `it('passes', async () => { console.log('${name} 1'); await new Promise((resolve) => setTimeout(resolve, 20)); console.log('${name} 2'); });`;
    const { counts, timesOf, output } = await run({ a: passing('a'), b: passing('b'), c: passing('c'), d: passing('d'), e: passing('e') }, 2);
    expect(counts).to.deep.equal({ passed: 5, failed: 0, failedTests: [] });
    expect([...timesOf.values()].filter(({ wallMs }) => wallMs > 0)).to.have.lengthOf(5);
    for (const name of ['a', 'b', 'c', 'd', 'e']) expect(output).to.match(new RegExp(`${name} 1\n${name} 2\n`));
  });

  it('fail with their file, and the others run all the same: a test, a skipped test, a file that cannot be read, an error behind the last test', async () => {
    const { counts } = await run({
      fails: `it('fails', () => { throw new Error('broken'); });`,
      skips: `it.skip('is skipped', () => undefined);`,
      unreadable: `import './missing.mjs';`,
      late: `it('passes', () => { setImmediate(() => { setTimeout(() => { throw new Error('late'); }, 5); }); });`,
      waits: `it('passes', () => new Promise((resolve) => setTimeout(resolve, 100)));`,
      passes: `it('passes', () => undefined);`,
    }, 1);
    expect(counts.failed).to.equal(4);
    expect(counts.failedTests.map(({ error }) => error.split('\n')[0]).join()).to.match(/broken.*Pending test forbidden.*missing\.mjs.*late/s);
    expect(counts.passed).to.be.within(2, 3);
  });

  it('fail when one of them ends the process', async () => {
    const { counts } = await run({ ends: `it('ends', () => { process.exit(0); });` }, 1);
    expect(counts).to.deep.include({ passed: 0, failed: 1 });
    expect(counts.why).to.include('ends.test.mjs ended before they were done');
  });
});

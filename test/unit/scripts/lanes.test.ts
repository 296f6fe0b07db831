import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { expect } from 'chai';

import { runInLanes } from '../../../scripts/run-tests/lanes.mjs';

describe('tests that run side by side', () => {
  let dir: string;
  before(async () => { dir = await mkdtemp(path.join(tmpdir(), 'lanes-')); });
  after(() => rm(dir, { recursive: true }));

  const run = async (contents: Readonly<Record<string, string>>, lanes: number, limits: { loadWithinMs?: number; exitWithinMs?: number } = {}): Promise<Awaited<ReturnType<typeof runInLanes>> & { output: string }> => {
    const files = Object.keys(contents).map((name) => path.join(dir, `${name}.test.mjs`));
    await Promise.all(Object.values(contents).map((content, nth) => writeFile(files[nth] ?? '', content)));
    let output = '';
    const servers = { dir, env: {}, chartTools: () => Promise.resolve({}), endWithUs: () => undefined, stop: () => Promise.resolve() };
    const ended = await runInLanes({ files, lanes, servers, signal: new AbortController().signal, name: 'tried', ...limits, print: (text) => { output += text; } });
    return { ...ended, output };
  };

  it('are all run and counted, and what each file writes stands together', async () => {
    const passing = (name: string): string => `it('passes', async () => { console.log('${name} 1'); await new Promise((resolve) => setTimeout(resolve, 20)); console.log('${name} 2'); });`;
    const { counts, timesOf, output } = await run({ a: passing('a'), b: passing('b'), c: passing('c'), d: passing('d'), e: passing('e') }, 2);
    expect(counts).to.deep.equal({ passed: 5, failed: 0, failedTests: [] });
    expect([...timesOf.values()].filter(({ wallMs }) => wallMs > 0)).to.have.lengthOf(5);
    for (const name of ['a', 'b', 'c', 'd', 'e']) expect(output).to.match(new RegExp(`${name} 1\n${name} 2\n`));
  });

  it('fail with their file, and the others run all the same: a test, a skipped test, a file that cannot be read', async () => {
    const { counts } = await run({
      fails: `it('fails', () => { throw new Error('broken'); });`,
      skips: `it.skip('is skipped', () => undefined);`,
      unreadable: `import './missing.mjs';`,
      passes: `it('passes', () => undefined);`,
    }, 1);
    expect(counts).to.deep.include({ passed: 1, failed: 3 });
    expect(counts.failedTests.map(({ error }) => error.split('\n')[0]).join()).to.match(/broken.*Pending test forbidden.*missing\.mjs/s);
  });

  const passes = `it('passes', () => undefined);`;

  it('fail with an error that comes while the next file is loaded, which may be of either', async () => {
    const { counts } = await run({
      late: `it('passes', () => { setTimeout(() => { throw new Error('late'); }, 100); });`,
      slow: `await new Promise((resolve) => setTimeout(resolve, 400)); ${passes}`,
      passes,
    }, 1);
    expect(counts.passed).to.equal(3);
    expect(counts.failedTests.map(({ error }) => error.split('\n')[0])).to.include('Error: late');
    expect(counts.failedTests.map(({ file }) => path.basename(file))).to.include('late.test.mjs');
  });

  it('fail with an error behind the last file, though an earlier one has failed by itself', async () => {
    const { counts } = await run({ fails: `it('fails', () => { throw new Error('broken'); });`, late: `it('passes', () => { setTimeout(() => { throw new Error('late'); }, 200); });` }, 1);
    expect(counts).to.deep.include({ passed: 1, failed: 2 });
    expect(counts.why).to.include('failed after its tests (exit code 1)');
  });

  it('are not asked twice for what the last file has failed with', async () => {
    const { counts } = await run({ passes, fails: `it('fails', () => { setTimeout(() => { throw new Error('late'); }, 200); throw new Error('broken'); });` }, 1);
    expect(counts).to.deep.include({ passed: 1, failed: 1 });
    expect(counts).not.to.have.property('why');
  });

  it('name the last file when something is left running, so that it is run alone', async () => {
    const leaves = `
      import { connect, createServer } from 'node:net';
      it('passes', async () => {
        setInterval(function asksAgain() { connect(9, '127.0.0.1').on('error', () => undefined); }, 200);
        await new Promise((resolve) => createServer().listen(0, '127.0.0.1', resolve));
      });`;
    const { counts } = await run({ leaves, last: passes }, 1, { exitWithinMs: 2_000 });
    expect(counts).to.deep.include({ passed: 2, failed: 1 });
    expect(counts.failedTests.map(({ file, title }) => [path.basename(file), title])).to.deep.equal([['last.test.mjs', '(behind its tests)']]);
    expect(counts).not.to.have.property('why');
    // What keeps it from ending is told with it.
    expect(counts.failedTests[0]?.error).to.match(/server .*, first seen behind .*leaves\.test\.mjs$/m)
      .and.to.match(/a timer fires: asksAgain function/).and.to.match(/a connection is made to 127\.0\.0\.1:9$/m);
  });

  it('are not charged with what a failed file before them left open', async () => {
    const { counts } = await run({ fails: `it('fails', () => { setInterval(() => undefined, 1_000); throw new Error('broken'); });`, passes, last: passes }, 1, { exitWithinMs: 500 });
    expect(counts.failedTests.map(({ error }) => error.split('\n')[0])).to.deep.equal(['Error: broken']);
    expect(counts).to.deep.include({ passed: 2, failed: 1 });
    expect(counts).not.to.have.property('why');
  });

  it('fail when a file has no test, or is not loaded in time', async () => {
    const { counts } = await run({ empty: `describe('nothing', () => undefined);`, never: `await new Promise(() => undefined); ${passes}`, passes }, 1, { loadWithinMs: 2_000 });
    expect(counts.failedTests.map(({ error }) => error.split('\n')[0])).to.deep.equal(['Error: It has no tests.', 'Error: It was not loaded within 2 s.']);
    expect(counts).to.deep.include({ passed: 1, failed: 2 });
  });

  it('fail when one of them ends the process, and the rest are run all the same', async () => {
    const { counts } = await run({ ends: `it('ends', () => { process.exit(0); });`, passes }, 1);
    expect(counts).to.deep.include({ passed: 1, failed: 1 });
    expect(counts.why).to.include('ends.test.mjs ended before they were done');
  });
});

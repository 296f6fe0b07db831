import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { expect } from 'chai';

import type { Benchmark } from '../../bench/benchmark.js';
import { performanceDoc } from '../../bench/performance-doc.js';
import { benchmarks } from '../../bench/registry.js';
import { summarize } from '../../bench/report.js';
import { readResults, writeResult, type BenchmarkResult } from '../../bench/results-file.js';

const figures = [summarize({ figure: 'a figure', unit: '/s', product: { name: 'service', values: [1] } })];
const old: BenchmarkResult = { measuredAt: '2026-01-02T03:04:05.000Z', command: 'npm run bench', tookS: 12.3, node: '20.0.0', redis: '7.0.15', cores: 2, cpu: 'a CPU', rounds: 7, figures };

describe('results of the benchmarks', () => {
  let folder: string;
  let file: string;

  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'bench-results-'));
    file = path.join(folder, 'results.json');
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('keep what a run has not measured, with its date and command', () => {
    writeResult(file, 'one', old);
    writeResult(file, 'two', old);
    const again = { ...old, measuredAt: '2026-02-03T04:05:06.000Z', command: 'npm run bench -- --only two' };
    writeResult(file, 'two', again);
    expect(readResults(file).benchmarks).to.deep.equal({ one: old, two: again });
  });

  it('become a document that says when and by which command each was measured, and what was not', () => {
    const rows = ['one', 'three'].map((name): Benchmark => ({ name, measures: `What ${name} measures.`, rounds: 1, run: async () => [] }));
    const doc = performanceDoc(readResults(file), rows, 'For those who edit it.\n\n## What was learnt\n\nSomething.\n', '');
    expect(doc).to.include('## What was learnt\n\nSomething.').and.not.include('For those who edit it');
    expect(doc).to.include('What one measures.').and.include('| a figure | 1/s');
    expect(doc).to.include('Measured on 2026-01-02 03:04 UTC by `npm run bench`: 7 rounds, 12 s, Node 20.0.0, Redis 7.0.15, 2 cores (a CPU).');
    expect(doc).to.include('What three measures.\n\nNot measured yet: `npm run bench -- --only three`.');
  });

  it('leave the figures in the document that were measured elsewhere', () => {
    const rows = ['one', 'three'].map((name): Benchmark => ({ name, measures: `What ${name} measures.`, rounds: 1, run: async () => [] }));
    const profile = { what: 'the API', tasks: 1, perSecond: 1, cpu: { busyMs: 1, idleMs: 1, packages: [], functions: [] }, redisCpuUs: 1, commands: [], slowest: [] };
    const former = performanceDoc({ benchmarks: { one: { ...old, rounds: 5 }, three: old }, profiles: { three: { ...old, profile } } }, rows, '## Learnt\n', '');
    const doc = performanceDoc(readResults(file), rows, '## Learnt\n', former);
    expect(doc).to.equal(former.replace('5 rounds', '7 rounds'));
    expect(performanceDoc({ benchmarks: {}, profiles: {} }, rows, '## Learnt\n', doc)).to.equal(doc);
  });

  it('have a name of their own for each benchmark', () => {
    expect(new Set(benchmarks.map(({ name }) => name)).size).to.equal(benchmarks.length);
  });
});
